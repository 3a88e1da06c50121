"""What windows in time and tiles in space cost: how far from the whole, what seam, what memory."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from lavie.models import SuperResolutionUNet
from lavie.pipelines import super_resolution
from lavie.pipelines.chunks import WINDOWS_PER_CHUNK, plan_chunks, smooth_in_chunks
from lavie.pipelines.windows import Window, plan_windows
from tests.peak_bytes import PeakBytes
from tests.tiny import make_tiny_interpolation, make_tiny_super_resolution

MAX_SEAM = 1.1
FEW = {
    "num_inference_steps": 2,
    "guidance_scale": 1,
    "prompt": "a fox",
    "output_type": "latent",
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moving_waves(num_frames: int, height: int = 16, width: int = 16) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    t = np.arange(num_frames)[:, None, None]
    values = 127 + 100 * np.sin((x + t / 2) / 3) * np.cos((y - t / 3) / 4)
    return np.repeat(values[..., None], 3, axis=3).astype(np.uint8)


def difference(other: Tensor, whole: Tensor) -> float:
    """Mean difference as a share of the mean size of the values."""
    return ((other - whole).abs().mean() / whole.abs().mean()).item()


def worst_seam(latents: Tensor, windows: Sequence[Window], period: int = 1) -> float:
    """The change across a border of a window, relative to the changes beside it; the worst border.

    Args:
        latents: ``(1, C, F, h, w)``.
        windows: Of its frames.
        period: Frames after which changes are alike: interpolation gets a new given frame every 4.
    """
    changes = latents.diff(dim=2).abs().mean(dim=(0, 1, 3, 4)).tolist()
    borders = {window.start - 1 for window in windows[1:]} | {w.stop - 1 for w in windows[:-1]}
    strengths = []
    for border in borders:
        beside = [border + period * step for step in (-2, -1, 1, 2)]
        beside = [changes[i] for i in beside if 0 <= i < len(changes) and i not in borders]
        strengths.append(changes[border] / np.mean(beside))
    return max(strengths)


class Quarrel:
    """Makes windows disagree: the network says more in every other one, and less in the others.

    Args:
        unet: The network.
        strength: How much more or less, where the network says about 1.
        window_of: From the number of the call to the number of the window.
    """

    def __init__(self, unet, strength, window_of):
        self.calls = itertools.count()
        self.strength = strength
        self.window_of = window_of
        self.handle = unet.register_forward_hook(self)

    def __call__(self, _module, _inputs, output):
        sign = (-1) ** self.window_of(next(self.calls))
        output.sample = output.sample + sign * self.strength
        return output

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handle.remove()


# Interpolation: 15 given frames, 57 of the result


def given_latents() -> Tensor:
    """Slowly drifting, so that changes from frame to frame are alike everywhere."""
    start = torch.randn(1, 8, 1, 12, 12, generator=generator(9))
    drift = torch.randn(1, 8, 15, 12, 12, generator=generator(8)).cumsum(dim=2)
    return start + drift / 10


def smooth(pipeline, overlap=None):
    return pipeline(
        None,
        given_latents=given_latents(),
        window_overlap=overlap,
        generator=generator(),
        **FEW,
    ).frames


def test_interpolation_in_windows_is_near_the_whole():
    whole = smooth(make_tiny_interpolation(default_num_frames=15))
    windowed = make_tiny_interpolation(default_num_frames=8)
    for overlap in (1, 4):
        assert 0 < difference(smooth(windowed, overlap), whole) < 0.04


def test_windows_of_interpolation_leave_no_seam():
    pipeline = make_tiny_interpolation(default_num_frames=8)
    assert worst_seam(smooth(pipeline), pipeline.windows(15, 2), period=4) <= MAX_SEAM


def test_windows_of_interpolation_that_disagree_fade_into_each_other():
    pipeline = make_tiny_interpolation(default_num_frames=8)
    seams = {}
    for overlap in (1, 4):
        windows = pipeline.windows(15, overlap)
        count = len(windows)
        with Quarrel(pipeline.unet, 0.8, lambda call, count=count: call % count):
            seams[overlap] = worst_seam(smooth(pipeline, overlap), windows, period=4)
    assert seams[1] > 3, "else they would not disagree, and the test could not fail"
    assert seams[4] <= MAX_SEAM


def smooth_waves(pipeline, num_frames, on_frames=None):
    """Frames of the result, smoothed in chunks."""
    frames = []
    settings = pipeline.check_settings(2, 1.0, keep_details=True)
    for part in smooth_in_chunks(pipeline, Waves(num_frames), settings, generator()):
        (on_frames or frames.extend)(part)
    return frames


def test_chunks_of_interpolation_leave_no_seam():
    chunks = plan_chunks(40, 8 * WINDOWS_PER_CHUNK, 2)
    assert len(chunks) == 2
    frames = torch.from_numpy(
        np.stack(smooth_waves(make_tiny_interpolation(default_num_frames=8), 40))
    ).float()
    changes = frames.diff(dim=0).abs().mean(dim=(1, 2, 3))
    meet = 4 * chunks[1].given.start + chunks[1].kept.start
    for border in (meet - 1, meet):  # the changes to the frame where they meet, and from it
        beside = [changes[border + 4 * step] for step in (-2, -1, 1, 2)]
        assert changes[border] <= MAX_SEAM * np.mean(beside)


# Super-resolution: 20 frames in windows of 8


def enlarge(pipeline, video=None, **options):
    video = moving_waves(20) if video is None else video
    return pipeline(video, generator=generator(), **FEW, **options).frames


def with_given_noise(pipeline, monkeypatch, num_frames=20):
    """Make the noise a frame gets depend on the frame alone, not on the window that draws it."""
    noise = torch.randn(1, 11, num_frames, 16, 16, generator=generator(5))
    drawn = 0

    def draw(pixels):
        nonlocal drawn
        part = noise[:, :, drawn : drawn + pixels.shape[2]]
        drawn += pixels.shape[2]
        level = torch.tensor([pipeline.config.default_noise_level])
        low_res = pipeline.low_res_scheduler.add_noise(pixels, part[:, :3], level)
        return low_res, part[:, 3:]

    monkeypatch.setattr(super_resolution, "WindowNoise", lambda *_: draw)
    return pipeline


def test_super_resolution_in_windows_is_near_the_whole(monkeypatch):
    frames = {"default_num_frames": 20}
    whole = enlarge(with_given_noise(make_tiny_super_resolution(**frames), monkeypatch))
    windowed = with_given_noise(make_tiny_super_resolution(), monkeypatch)
    assert 0 < difference(enlarge(windowed), whole) < 0.02


def test_windows_of_super_resolution_leave_no_seam():
    latents = enlarge(make_tiny_super_resolution())
    assert worst_seam(latents, plan_windows(20, 8, 4)) <= MAX_SEAM


def test_windows_of_super_resolution_that_disagree_fade_into_each_other():
    pipeline = make_tiny_super_resolution()
    seams = {}
    for overlap in (0, 4):
        with Quarrel(pipeline.unet, 1.0, lambda call: call // 2):  # two steps in each
            latents = enlarge(pipeline, window_overlap=overlap)
        seams[overlap] = worst_seam(latents, plan_windows(20, 8, overlap))
    assert seams[0] > 1.25, "the published chunks, without overlap, show a seam"
    assert seams[4] <= MAX_SEAM


def test_tiles_are_near_the_whole():
    pipeline = make_tiny_super_resolution()
    video = moving_waves(8, 24, 40)
    whole = enlarge(pipeline, video)
    for size, overlap, most in ((16, 4, 0.12), (24, 8, 0.05)):
        tiled = enlarge(pipeline, video, tile_size=size, tile_overlap=overlap)
        assert 0 < difference(tiled, whole) < most


# Memory


class Waves:
    """A long video that is never in memory as a whole."""

    dtype = np.dtype(np.uint8)

    def __init__(self, num_frames):
        self.shape = num_frames, 8, 8, 3

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        start, stop, _ = part.indices(len(self))
        return moving_waves(stop, 8, 8)[start:]


def peak_of_enlarging(num_frames, on_frames):
    pipeline = make_tiny_super_resolution()
    settings = {"num_inference_steps": 1, "guidance_scale": 1, "window_overlap": 2}
    with PeakBytes() as counter:
        pipeline(Waves(num_frames), "a fox", on_frames=on_frames, **settings)
    return counter.peak


def test_memory_of_super_resolution_does_not_grow_with_the_video():
    left = []
    few, more, many = (
        peak_of_enlarging(n, lambda frames: left.append(len(frames))) for n in (8, 61, 244)
    )
    assert sum(left) == 8 + 61 + 244
    assert more <= 1.02 * few, "a window that is carried over, and no more"
    assert many == more


def test_memory_of_interpolation_does_not_grow_with_the_video():
    left, peaks = [], []
    pipeline = make_tiny_interpolation(default_num_frames=4)
    parts = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    weights = [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]
    for num_frames in (61, 121):  # 4 and 8 chunks of 16 given frames
        with PeakBytes(weights) as counter:
            smooth_waves(pipeline, num_frames, lambda frames: left.append(len(frames)))
        peaks.append(counter.peak)
    assert sum(left) == 4 * (61 + 121) - 6
    assert abs(peaks[1] - peaks[0]) < 10_000, "the latents of 60 more frames are 30,000 bytes"


def test_memory_grows_where_the_caller_keeps_the_frames():
    """The count can tell: what is kept is counted."""
    kept = []
    few, many = (peak_of_enlarging(n, kept.append) for n in (16, 40))
    assert many - few > 16 * 32 * 32 * 3


def test_the_tile_that_fits_is_chosen_by_what_the_published_network_takes():
    with torch.device("meta"):
        unet = SuperResolutionUNet().half()
    unet._check_noise_level = lambda levels, _: levels  # it looks at values, which meta has not
    size = (2, 8, 64, 64)
    B, F, h, w = size
    half = {"dtype": torch.half, "device": "meta"}
    inputs = torch.empty(B, 4, F, h, w, **half), torch.tensor(1), torch.empty(B, 77, 1024, **half)
    low_res = torch.empty(B, 3, F, h, w, **half)
    levels = torch.empty(B, dtype=torch.long, device="meta")
    weights = [*unet.parameters(), *unet.buffers()]
    with torch.no_grad(), PeakBytes(weights) as counter:
        unet(*inputs, low_res=low_res, class_labels=levels)
    values = counter.peak / 2 / (B * F * h * w) / unet.config["block_out_channels"][0]
    assert values == pytest.approx(16, abs=1)
    assert values * 1.5 == pytest.approx(super_resolution._ACTIVATIONS_PER_CHANNEL, abs=1.5)
