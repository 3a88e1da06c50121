import numpy as np
import pytest
import torch

from lavie.errors import Cancelled, InputError
from lavie.pipelines import super_resolution
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.windows import blend_tiles
from lavie.training.patches import shrink
from lavie.types import CancelToken
from tests.tiny import make_tiny_super_resolution

FEW = {"num_inference_steps": 2, "prompt": "a fox"}


@pytest.fixture(scope="module")
def pipeline() -> SuperResolutionPipeline:
    return make_tiny_super_resolution(default_num_frames=4)


def clip(num_frames: int, height: int = 8, width: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 8, 12), (4, 9, 11), (7, 8, 12)])
def test_every_size_becomes_four_times_as_large(pipeline, shape):
    frames = pipeline(clip(*shape), **FEW).frames
    assert frames.shape == (1, shape[0], 4 * shape[1], 4 * shape[2], 3)
    assert frames.dtype == np.uint8


def test_the_seed_decides(pipeline, generator):
    made = [pipeline(clip(2), generator=generator(s), **FEW).frames for s in (1, 1, 2)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_frames_leave_as_soon_as_they_are_final_and_are_the_same(pipeline, generator):
    whole = pipeline(clip(10), generator=generator(1), **FEW).frames[0]
    left, steps = [], []

    def callback(_, step, _timestep, _values):
        steps.append((step, len(left)))
        return {}

    output = pipeline(
        clip(10),
        generator=generator(1),
        on_frames=left.append,
        callback_on_step_end=callback,
        **FEW,
    )
    assert output.frames is None
    assert np.array_equal(np.concatenate(left), whole)
    assert [len(part) for part in left] == [2, 2, 2, 4]
    assert steps == [(step, window) for window in range(4) for step in range(2)]


def test_frames_of_a_long_video_do_not_depend_on_what_comes_later(pipeline, generator):
    short, long = (pipeline(clip(n), generator=generator(1), **FEW).frames for n in (4, 6))
    assert np.array_equal(short[:, :2], long[:, :2])


def test_without_overlap_windows_are_chunks_as_published(pipeline, generator):
    source = generator(1)
    chunks = [pipeline(part, generator=source, **FEW).frames for part in np.split(clip(8), 2)]
    whole = pipeline(clip(8), generator=generator(1), window_overlap=0, **FEW).frames
    assert np.array_equal(np.concatenate(chunks, axis=1), whole)


def test_shared_frames_begin_as_the_window_before_and_end_as_the_own(pipeline, generator):
    """With guidance off and one step, the result is linear in what the network said."""
    options = {
        "prompt": "a fox",
        "num_inference_steps": 1,
        "guidance_scale": 1,
        "scheduler": "dpm++",
        "output_type": "latent",
        "window_overlap": 3,
    }
    said = []
    handle = pipeline.unet.register_forward_hook(lambda _m, _i, output: said.append(output.sample))
    latents = pipeline(clip(5), generator=generator(1), **options).frames
    handle.remove()
    before, own = said[0][:, :, 1:], said[1][:, :, :3]
    weight = torch.tensor([0.25, 0.5, 0.75])[:, None, None]
    expected = before + weight * (own - before)
    # one step from pure noise under zero terminal SNR: the clean latents are minus the velocity
    torch.testing.assert_close(latents[:, :, 1:4], -expected, rtol=0, atol=1e-2)


def test_tiles_that_agree_change_nothing(pipeline, generator):
    options = {"generator": generator(1), "output_type": "latent", **FEW}
    whole = pipeline(clip(2), **options).frames
    options["generator"] = generator(1)
    one_tile = pipeline(clip(2), tile_size=16, tile_overlap=2, **options).frames
    assert torch.equal(whole, one_tile)
    seen = []
    handle = pipeline.unet.register_forward_pre_hook(
        lambda _module, inputs: seen.append(tuple(inputs[0].shape[-2:]))
    )
    pipeline(clip(2), tile_size=8, tile_overlap=2, **options)
    handle.remove()
    assert seen == [(8, 8)] * 2 * 2
    sample = torch.randn(1, 3, 2, 9, 11)
    blended = blend_tiles(lambda tile: tile[:, :2] * 2, sample, size=4, overlap=1)
    torch.testing.assert_close(blended, sample[:, :2] * 2)


@pytest.mark.parametrize(
    ("free", "seen"),
    [(None, (40, 56)), (10**12, (40, 56)), (1, (32, 32))],
)
def test_tiles_are_chosen_by_the_free_memory(pipeline, monkeypatch, free, seen):
    monkeypatch.setattr(super_resolution, "free_memory", lambda _device: free)
    sizes = set()
    handle = pipeline.unet.register_forward_pre_hook(
        lambda _module, inputs: sizes.add(tuple(inputs[0].shape[-2:]))
    )
    pipeline(clip(1, 40, 56), tile_size="auto", prompt="a fox", num_inference_steps=1)
    handle.remove()
    assert sizes == {seen}
    tile = pipeline.check_settings(tile_size="auto", frame_size=(40, 56)).tile_size
    assert tile == (None if seen == (40, 56) else 32)


def test_guidance_doubles_what_a_tile_takes(pipeline, monkeypatch):
    monkeypatch.setattr(super_resolution, "free_memory", lambda _device: 4 * 64 * 24 * 4 * 64**2)
    tiles = [
        pipeline.check_settings(
            tile_size="auto", guidance_scale=scale, frame_size=(80, 80)
        ).tile_size
        for scale in (1, 5)
    ]
    assert tiles == [64, 40]  # a square of half the area, on the grid of 8


def test_large_frames_are_decoded_one_at_a_time(pipeline, monkeypatch):
    decoded = []
    monkeypatch.setattr(super_resolution, "frames_at_once", lambda h, w: 1 if h * w > 2000 else 8)
    handle = pipeline.vae.decoder.register_forward_pre_hook(
        lambda _module, inputs: decoded.append(len(inputs[0]))
    )
    for side in (8, 12):
        pipeline(clip(2, side, side), prompt="a fox", num_inference_steps=1)
    handle.remove()
    assert decoded == [2, 1, 1]


@pytest.mark.parametrize("prompt", [None, "", "  "])
def test_without_a_prompt_the_network_reads_an_empty_text(pipeline, prompt):
    read = []
    text = pipeline.encode_prompt(["blur, worst quality", ""])
    handle = pipeline.unet.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[2]))
    pipeline(clip(2), prompt=prompt, num_inference_steps=1)
    handle.remove()
    torch.testing.assert_close(read[0], text)


@pytest.mark.parametrize(
    ("options", "num_calls", "decoded"),
    [
        ({}, 4, 6),
        ({"output_type": "latent"}, 4, 0),
        ({"tile_size": 8, "tile_overlap": 2}, 8, 6),
        ({"slice_size": 2}, 4, 3),
    ],
)
def test_every_layer_of_every_tile_and_every_slice_is_told(pipeline, options, num_calls, decoded):
    """2 windows in each of 2 steps, which leave 2 and 4 frames."""
    told = []
    options = {"slice_size": 1} | FEW | options
    pipeline(clip(6), on_progress=lambda *parts: told.append(parts), **options)
    total = num_calls * pipeline.unet.num_layers + decoded
    assert [parts[:2] for parts in told] == [(done, total) for done in range(1, total + 1)]
    assert told[-1][2] == 0


@pytest.mark.parametrize("part", [1, 7, 9, 18])
def test_cancel_is_heard_between_layers_and_slices(pipeline, part):
    cancel, told = CancelToken(), []

    def on_progress(done, _total, _seconds_left):
        told.append(done)
        if done == part:
            cancel.cancel()

    options = {"slice_size": 1, "num_inference_steps": 1, "on_progress": on_progress}
    with pytest.raises(Cancelled):
        pipeline(clip(6), cancel=cancel, **options)
    assert told == list(range(1, part + 1))


def test_more_noise_moves_further_from_the_small_video(pipeline, generator):
    made = [
        pipeline(clip(2), generator=generator(1), noise_level=level, **FEW).frames
        for level in (0, 350)
    ]
    assert not np.array_equal(*made)


def test_cancel_stops_within_a_step(pipeline):
    cancel, steps = CancelToken(), []

    def callback(_, step, _timestep, _values):
        steps.append(step)
        cancel.cancel()
        return {}

    with pytest.raises(Cancelled):
        pipeline(clip(9), callback_on_step_end=callback, cancel=cancel, **FEW)
    assert steps == [0]


@pytest.mark.parametrize(
    ("video", "change", "field", "message"),
    [
        (None, {}, "video", "no video"),
        (clip(3)[0], {}, "video", "uint8 frames"),
        (clip(3).astype(float), {}, "video", "uint8 frames"),
        (clip(0), {}, "video", "uint8 frames"),
        (clip(3, 7, 8), {}, "video", "8x7; height and width must be between 8 and 4096"),
        (clip(1, 8, 4097), {}, "video", "4097x8; height and width must be between 8 and 4096"),
        (clip(3), {"prompt": "a" * 1001}, "prompt", "1,001 characters"),
        (clip(3), {"noise_level": 351}, "noise_level", "between 0 and 350"),
        (clip(3), {"window_overlap": 4}, "window_overlap", "between 0 and 3"),
        (clip(3), {"tile_size": 16}, "tile_size", "between 17"),
        (clip(3), {"num_inference_steps": 0}, "num_inference_steps", "between 1"),
        (clip(3), {"output_type": "pt"}, "output_type", "not one of"),
        (clip(3), {"keep_colours": "no"}, "keep_colours", "'no' is neither True nor False"),
        (clip(3), {"share_noise": 0}, "share_noise", "Share noise 0 is neither True nor False"),
    ],
)
def test_what_cannot_be_done_is_said(pipeline, video, change, field, message):
    with pytest.raises(InputError, match=message) as error:
        pipeline(video, **(FEW | change))
    assert error.value.field == field


def test_save_and_load_is_identity(pipeline, tmp_path, generator):
    pipeline.save_pretrained(tmp_path)
    loaded = SuperResolutionPipeline.from_pretrained(tmp_path)
    made = [p(clip(3), generator=generator(0), **FEW).frames for p in (pipeline, loaded)]
    assert np.array_equal(*made)


def test_the_result_keeps_the_colours_of_the_small_video_when_asked(pipeline, generator):
    video = torch.rand(1, 3, 12, 8, 10) - 0.5
    drifts = []
    for keep in (False, True):
        frames = pipeline(video, keep_colours=keep, generator=generator(1), **FEW).frames
        large = torch.from_numpy(frames[0]).permute(3, 0, 1, 2)[None] / 127.5 - 1
        drifts.append((shrink(large, 4) - video).abs().mean())
    assert drifts[1] < drifts[0] / 2


@pytest.mark.parametrize("num_frames", [3, 14])
def test_frames_that_are_alike_come_out_alike_with_shared_noise(generator, num_frames):
    pipeline = make_tiny_super_resolution(default_num_frames=8, default_share_noise=True)
    still = torch.rand(1, 3, 1, 8, 8).expand(-1, -1, num_frames, -1, -1)
    made = pipeline(still, generator=generator(1), output_type="latent", **FEW).frames
    own = pipeline(still, share_noise=False, generator=generator(1), output_type="latent", **FEW)
    torch.testing.assert_close(made, made[:, :, :1].expand_as(made), atol=1e-3, rtol=0)
    assert (own.frames.diff(dim=2).abs().mean()) > 0.1
