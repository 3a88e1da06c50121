"""What the memory profiles rest on: what the published networks take, and what tiles change."""

import pytest
import torch
from diffusers import AutoencoderKL

from lavie.data.world import render_clip
from lavie.media import enlarge_frames, frames_to_pixels
from lavie.models import BaseUNet, InterpolationUNet, SuperResolutionUNet
from lavie.models.latents import decode_latents, encode_pixels, in_tiles
from lavie.pipelines.model_folder import MINIATURE_FOLDER, load_component
from lavie.pipelines.smoothing import WindowedNetwork
from lavie.pipelines.windows import Window
from lavie.pipelines.work import Work
from lavie.runtime import profiles
from tests.peak_bytes import PeakBytes
from tests.published import make_vae

HALF = {"dtype": torch.half, "device": "meta"}


def fused_attention(query, key, value, *_, **__):
    """It keeps no scores, as on a GPU; of the meta device's own that cannot be said."""
    return query.new_empty(*query.shape[:-1], value.shape[-1])


@pytest.fixture(autouse=True)
def attention(monkeypatch):
    monkeypatch.setattr("torch.nn.functional.scaled_dot_product_attention", fused_attention)


@torch.no_grad()
def peak_of(network, call=None, **inputs) -> int:
    with PeakBytes([*network.parameters(), *network.buffers()]) as counter:
        (call or network)(**inputs)
    return counter.peak


@pytest.mark.parametrize(
    ("kind", "stage", "channels", "frames"),
    [(BaseUNet, "base", 4, 16), (InterpolationUNet, "interpolation", 8, 61)],
)
def test_a_step_of_the_published_networks_takes_what_the_estimates_say(
    kind, stage, channels, frames
):
    with torch.device("meta"):
        unet = kind().half()
    peak = peak_of(
        unet,
        sample=torch.empty(2, channels, frames, 40, 64, **HALF),
        timestep=torch.tensor(1),
        encoder_hidden_states=torch.empty(2, 77, 768, **HALF),
    )
    assert peak == pytest.approx(profiles._STEP_BYTES[stage], rel=0.01)
    num_values = sum(weights.numel() for weights in unet.parameters())
    assert num_values == pytest.approx(profiles.NUMBERS["unet"], rel=0.01)


def test_guidance_in_turns_halves_what_a_step_of_smoothing_takes():
    with torch.device("meta"):
        unet = InterpolationUNet().half()
    latents, text = (2, 4, 61, 40, 64), torch.empty(2, 77, 768, **HALF)
    work = Work(None, None, network=2 * unet.num_layers)
    condition = torch.empty(1, *latents[1:], **HALF)
    network = WindowedNetwork(unet, condition, [Window(0, 61)], work, takes_turns=True)
    peak = peak_of(
        unet, network, sample=torch.empty(latents, **HALF), timestep=torch.tensor(1), text=text
    )
    assert peak == pytest.approx(profiles._STEP_BYTES["interpolation"] / 2, rel=0.02)


@pytest.mark.parametrize("side", [96, 192])
def test_a_tile_of_super_resolution_takes_what_the_estimates_say(side):
    with torch.device("meta"):
        unet = SuperResolutionUNet().half()
    unet._check_noise_level = lambda levels, _: levels  # it looks at values, which meta has not
    peak = peak_of(
        unet,
        sample=torch.empty(2, 4, 8, side, side, **HALF),
        timestep=torch.tensor(1),
        encoder_hidden_states=torch.empty(2, 77, 1024, **HALF),
        low_res=torch.empty(2, 3, 8, side, side, **HALF),
        class_labels=torch.empty(2, dtype=torch.long, device="meta"),
    )
    assert peak == pytest.approx(profiles._STEP_BYTES_PER_CELL * side**2, rel=0.01)


def published_vae(*widths: int) -> AutoencoderKL:
    with torch.device("meta"):
        return AutoencoderKL(
            block_out_channels=widths,
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            layers_per_block=2,
        )


def test_decoding_takes_what_the_estimates_say():
    small = published_vae(128, 256, 512, 512).half()
    peak = peak_of(small, small.decode, z=torch.empty(8, 4, 40, 64, **HALF))
    assert peak == pytest.approx(profiles._DECODE_BYTES, rel=0.01)
    large = published_vae(128, 256, 512)
    peak = peak_of(large, large.decode, z=torch.empty(1, 4, 320, 512, device="meta"))
    expected = profiles._LARGE_DECODE_BYTES_PER_PIXEL * 1280 * 2048
    assert peak == pytest.approx(expected, rel=0.01)


def test_a_frame_decoded_in_tiles_takes_little_more_than_a_tile():
    large = published_vae(128, 256, 512)

    def peak(height: int, width: int) -> int:
        z = torch.empty(1, 4, height, width, device="meta")
        return peak_of(large, large.decode, z=z)

    with in_tiles(large, 512):
        in_parts = peak(320, 512)
    assert in_parts < 1.6 * peak(128, 128)


def test_the_miniature_shows_how_much_tiles_change(monkeypatch):
    monkeypatch.undo()
    folder = MINIATURE_FOLDER / "super_resolution" / "vae"
    vae = load_component(AutoencoderKL, folder, torch.float32, use_safetensors=True)
    frames = enlarge_frames(render_clip(3).frames[:2], 4)
    latents = encode_pixels(vae, frames_to_pixels(frames[None]))
    whole = decode_latents(vae, latents)
    with in_tiles(vae, 128):
        difference = decode_latents(vae, latents) - whole
    assert 4 < difference.abs().mean() * 127.5 < 10


def test_tiles_change_no_frame_that_fits_one(monkeypatch):
    monkeypatch.undo()
    vae = make_vae()
    latents = torch.randn(1, 4, 2, 8, 12, generator=torch.Generator().manual_seed(0))
    whole = decode_latents(vae, latents)
    before = vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size
    with in_tiles(vae, 96):
        assert torch.equal(decode_latents(vae, latents), whole)
    with in_tiles(vae, 64):
        assert not torch.equal(decode_latents(vae, latents), whole)
    with in_tiles(vae, None):
        assert torch.equal(decode_latents(vae, latents), whole)
    assert (vae.use_tiling, vae.tile_sample_min_size, vae.tile_latent_min_size) == before
