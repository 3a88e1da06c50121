from itertools import islice

import pytest
import torch

from lavie.data.config import SourceConfig
from lavie.data.handheld import camera_path, translate
from lavie.data.opening import open_source


def source(num_frames=5):
    config = SourceConfig(kind="world", stills=True, handheld=True)
    return open_source(config, num_frames, 40, 64, 8)


def test_a_still_becomes_a_clip_that_begins_with_it():
    still = open_source(SourceConfig(kind="world", stills=True), 5, 40, 64, 8)
    for clip, picture in islice(zip(source().iterate(3), still.iterate(3), strict=True), 4):
        assert clip.pixels.shape == (3, 5, 40, 64)
        assert clip.focus.shape == (5, 40, 64)
        assert torch.equal(clip.pixels[:, :1], picture.pixels)
        assert clip.caption == picture.caption


def test_clips_move_each_in_its_own_way_and_the_same_way_again():
    clips = [clip.pixels for clip in islice(source().iterate(3), 6)]
    assert any(not torch.equal(clip[:, 0], clip[:, 4]) for clip in clips)
    again = [clip.pixels for clip in islice(source().iterate(3, start=2), 4)]
    assert all(torch.equal(*pair) for pair in zip(clips[2:], again, strict=True))


def test_a_moved_picture_is_the_picture_elsewhere():
    picture = torch.arange(60.0).view(1, 1, 6, 10)
    path = torch.tensor([[0, 0], [1, 2], [-2, -1]])
    clip = translate(picture, path)
    assert clip.shape == (1, 3, 6, 10)
    assert torch.equal(clip[:, 0], picture[:, 0])
    assert torch.equal(clip[0, 1, :5, :8], picture[0, 0, 1:, 2:])
    assert torch.equal(clip[0, 2, 2:, 1:], picture[0, 0, :4, :9])
    assert clip[0, 1, 5, 0] == picture[0, 0, 4, 2]  # mirrored below the lower border


def test_a_path_longer_than_the_picture_stays_inside_its_mirror_image():
    clip = translate(torch.rand(3, 1, 4, 4), torch.tensor([[0, 0], [99, -99]]))
    assert clip.shape == (3, 2, 4, 4)


def test_a_camera_drifts_slowly():
    paths = torch.stack(
        [camera_path(16, 400, torch.Generator().manual_seed(seed)) for seed in range(50)]
    )
    assert torch.equal(paths[:, 0], torch.zeros(50, 2, dtype=torch.long))
    steps = paths.diff(dim=1).abs().float()
    assert 1 < steps.mean() < 8
    assert steps.max() < 20


def test_only_stills_are_handheld():
    with pytest.raises(ValueError, match="set stills to true"):
        SourceConfig(kind="world", handheld=True)
