import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lavie.errors import Cancelled
from lavie.pipelines.chunks import WINDOWS_PER_CHUNK, plan_chunks, smooth_in_chunks
from lavie.types import CancelToken
from tests.tiny import make_tiny_interpolation

SIZE = 4 * WINDOWS_PER_CHUNK


@pytest.fixture(scope="module")
def pipeline():
    return make_tiny_interpolation(default_num_frames=4)


def clip(num_frames, height=16, width=24):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


def smooth(pipeline, video, on_progress=None, **options):
    settings = pipeline.check_settings(num_inference_steps=1)
    generator = torch.Generator().manual_seed(1)
    return list(smooth_in_chunks(pipeline, video, settings, generator, on_progress, **options))


@given(num_given=st.integers(2, 300), size=st.integers(2, 70), overlap=st.integers(1, 69))
def test_chunks_keep_every_frame_once_and_meet_at_given_frames(num_given, size, overlap):
    chunks = plan_chunks(num_given, size, min(overlap, size - 1))
    frames = []
    for given_frames, kept in chunks:
        assert 2 <= given_frames.stop - given_frames.start <= size
        frames += range(4 * given_frames.start, 4 * given_frames.stop - 3)[kept]
        assert kept.start % 4 == 0
    assert frames == list(range(4 * num_given - 3))


def test_chunks_are_of_one_length_and_no_longer_than_they_need_be():
    lengths = [chunk.given.stop - chunk.given.start for chunk in plan_chunks(65, 64, 4)]
    assert lengths == [35, 35]


def test_a_video_of_one_chunk_is_what_the_pipeline_makes_of_it(pipeline):
    video, generator = clip(SIZE), torch.Generator().manual_seed(1)
    (made,) = smooth(pipeline, video, prompt="a fox")
    alone = pipeline(video, "a fox", num_inference_steps=1, generator=generator)
    assert np.array_equal(made, alone.frames[0])


def test_frames_that_chunks_share_begin_from_the_same_noise(pipeline, monkeypatch):
    noises, call = [], type(pipeline).__call__

    def keep(self, *arguments, latents, **options):
        noises.append(latents)
        return call(self, *arguments, latents=latents, **options)

    monkeypatch.setattr(type(pipeline), "__call__", keep)
    made = smooth(pipeline, clip(SIZE + 4))
    assert sum(map(len, made)) == 4 * (SIZE + 4) - 3
    first, second = noises
    num_shared = 4 * (2 * 11 - SIZE - 4) - 3  # two chunks of 11 given frames
    assert torch.equal(first[:, :, -num_shared:], second[:, :, :num_shared])
    assert not torch.equal(first[:, :, :num_shared], second[:, :, -num_shared:])


def test_progress_and_cancelling_are_those_of_all_chunks(pipeline):
    told, cancel = [], CancelToken()
    smooth(pipeline, clip(SIZE + 4), lambda *parts: told.append(parts))
    done, totals, left = zip(*told, strict=True)
    assert done == tuple(range(1, len(told) + 1))
    assert set(totals) == {len(told)}
    assert all(seconds > 0 for seconds in left[:-1])
    assert left[-1] == 0
    half = len(told) // 2 + 1

    def stop(done, total, seconds_left):
        if done == half:
            cancel.cancel()

    with pytest.raises(Cancelled):
        smooth(pipeline, clip(SIZE + 4), stop, cancel=cancel)
