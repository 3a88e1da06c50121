from itertools import islice

import pytest
import torch

from lavie.data.config import SourceConfig
from lavie.data.opening import open_source
from lavie.data.world import render_clip
from lavie.errors import ConfigError, InputError


def open_world(num_frames=4, height=40, width=64, **settings):
    return open_source(SourceConfig(kind="world", **settings), num_frames, height, width, 8.0)


def test_clips_and_stills_of_the_world_are_samples():
    clip = next(open_world().iterate(0))
    assert clip.pixels.shape == (3, 4, 40, 64)
    assert clip.pixels.dtype == torch.float32
    assert -1 <= clip.pixels.min() < clip.pixels.max() <= 1
    assert clip.focus.shape == (4, 40, 64)
    assert clip.caption
    still = next(open_world(stills=True).iterate(0))
    assert still.pixels.shape == (3, 1, 40, 64)


def test_pixels_are_the_frames_of_the_world():
    source = open_world(num_frames=16)
    sample = next(source.iterate(0))
    seed = next(source.draws(0)).args[0]
    frames = torch.from_numpy(render_clip(seed).frames)
    shown = (sample.pixels.permute(1, 2, 3, 0) + 1) * 127.5
    assert torch.allclose(shown, frames.float(), atol=1e-3)


def test_resuming_sharding_and_threads_keep_the_order():
    captions = [s.caption for s in islice(open_world().iterate(3), 12)]
    assert [s.caption for s in islice(open_world().iterate(3, start=5), 7)] == captions[5:]
    odd = open_world().iterate(3, rank=1, world_size=2, num_threads=2)
    assert [s.caption for s in islice(odd, 6)] == captions[1::2]
    odd.close()
    assert [s.caption for s in islice(open_world().iterate(4), 12)] != captions


def test_only_whole_multiples_of_the_size_can_be_drawn():
    assert next(open_world(height=80, width=128).iterate(0)).pixels.shape[2:] == (80, 128)
    with pytest.raises(InputError, match="64x40 times a whole number"):
        open_world(height=48, width=64)
    with pytest.raises(ConfigError, match="above 0"):
        open_world(height=0)
