from itertools import islice

import pytest
import torch

from lavie.data.config import SourceConfig
from lavie.data.joint import joint_batch, load_batches
from lavie.data.opening import open_source
from lavie.data.sources import Sample
from lavie.errors import ConfigError
from tests.unit.data.media_files import write_captioned


def sample(name, value, num_frames, focus=False):
    pixels = torch.full((3, num_frames, 4, 6), float(value))
    return Sample(pixels, name, torch.ones(num_frames, 4, 6) if focus else None)


def world(stills=False):
    return open_source(SourceConfig(kind="world", stills=stills), 3, 40, 64, 8.0)


def test_stills_stand_behind_their_clip_on_the_frame_axis():
    videos = [sample("v0", 0, 3), sample("v1", 1, 3)]
    images = [sample(f"i{n}", 10 + n, 1) for n in range(4)]
    batch = joint_batch(videos, images, 2)
    assert batch.pixels.shape == (2, 3, 5, 4, 6)
    assert batch.pixels[:, 0, :, 0, 0].tolist() == [[0, 0, 0, 10, 11], [1, 1, 1, 12, 13]]
    assert batch.captions == [["v0", "i0", "i1"], ["v1", "i2", "i3"]]
    assert batch.num_images == 2
    assert batch.focus is None


def test_focus_is_joined_where_all_know_it():
    batch = joint_batch([sample("v", 0, 3, True)], [sample("i", 0, 1, True)], 1)
    assert batch.focus.shape == (1, 4, 4, 6)
    assert joint_batch([sample("v", 0, 3, True)], [sample("i", 0, 1)], 1).focus is None


def test_clips_or_stills_alone_are_batches_too():
    assert joint_batch([sample("v", 0, 3)], [], 0).captions == [["v"]]
    batch = joint_batch([], [sample(f"i{n}", n, 1) for n in range(6)], 3)
    assert batch.pixels.shape == (2, 3, 3, 4, 6)
    assert batch.captions[1] == ["i3", "i4", "i5"]


@pytest.mark.parametrize(("videos", "images", "num_images"), [(1, 1, 2), (0, 3, 2), (0, 0, 0)])
def test_counts_that_do_not_fit_are_refused(videos, images, num_images):
    with pytest.raises(ConfigError):
        joint_batch([sample("v", 0, 2)] * videos, [sample("i", 0, 1)] * images, num_images)


def take(count, **changes):
    settings = {"batch_size": 2, "num_images": 3, "seed": 5} | changes
    batches = load_batches(world(), world(stills=True), **settings)
    result = list(islice(batches, count))
    batches.close()
    return result


@pytest.mark.parametrize("changes", [{"num_threads": 0, "num_ahead": 0}, {"num_threads": 3}])
def test_batches_are_the_same_for_any_number_of_threads_and_after_a_restart(changes):
    whole = take(5)
    assert whole[0].pixels.shape == (2, 3, 6, 40, 64)
    for before, after in zip(whole[2:], take(3, start=2, **changes), strict=True):
        assert before.captions == after.captions
        assert torch.equal(before.pixels, after.pixels)
        assert torch.equal(before.focus, after.focus)


def test_clips_alone_need_no_stills():
    batches = load_batches(world(), None, batch_size=1, num_images=0, seed=0)
    assert next(batches).pixels.shape == (1, 3, 3, 40, 64)
    batches.close()
    stills = load_batches(None, world(stills=True), batch_size=2, num_images=4, seed=0)
    assert next(stills).pixels.shape == (2, 3, 4, 40, 64)
    stills.close()


def test_missing_sources_are_refused_at_once():
    for videos, images, num_images in [(world(), None, 1), (None, None, 0), (world(), world(), 0)]:
        with pytest.raises(ConfigError):
            load_batches(videos, images, batch_size=1, num_images=num_images, seed=0)


def test_files_and_stills_make_a_joint_batch(tmp_path):
    write_captioned(tmp_path, "a", 100)
    clips = open_source(SourceConfig(kind="folder", path=tmp_path), 3, 40, 64, 8.0)
    batches = load_batches(clips, world(stills=True), batch_size=2, num_images=1, seed=0)
    batch = next(batches)
    batches.close()
    assert batch.pixels.shape == (2, 3, 4, 40, 64)
    assert [row[0] for row in batch.captions] == ["a clip called a"] * 2
    assert batch.focus is None
