"""Attention near by: what it sees, and how little a picture changes by it."""

import torch
from diffusers import AutoencoderKL

from lavie.models import InterpolationUNet
from lavie.models.latents import attend_nearby_when_large, decode_latents, encode_pixels
from lavie.models.local_attention import NearbyAttnProcessor, _attend, attend_nearby
from tests.tiny import LATENT_CHANNELS, UNET, VAE


def cells(height: int, width: int, pictures: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(pictures)
    return torch.randn(2, pictures * height * width, 2, 4, generator=generator)


def test_a_block_as_large_as_the_picture_sees_it_whole():
    query, key, value = cells(6, 9), cells(6, 9, pictures=2), cells(6, 9, pictures=2)
    near = attend_nearby(_attend, query, key, value, height=6, block=9)
    torch.testing.assert_close(near, _attend(query, key, value))


def test_cells_see_half_a_block_around_theirs_and_nothing_else():
    query, key, value = cells(8, 10), cells(8, 10), cells(8, 10)
    near = attend_nearby(_attend, query, key, value, height=8, block=4)
    value[:, 7 * 10 + 9] += 1  # the last corner
    changed = (attend_nearby(_attend, query, key, value, 8, 4) != near).any(dim=(0, 2, 3))
    changed = changed.view(8, 10)
    assert changed[4:, 4:].all()
    assert not changed[:4].any()
    assert not changed[:, :4].any()


def test_an_autoencoder_is_left_alone_up_to_64_times_its_own_area():
    torch.manual_seed(0)
    vae = AutoencoderKL(sample_size=8, **VAE).eval()  # 2x2 cells
    latents = torch.randn(1, LATENT_CHANNELS, 1, 16, 16)
    large = torch.randn(1, LATENT_CHANNELS, 1, 18, 17)
    before, before_large = decode_latents(vae, latents), decode_latents(vae, large)
    attend_nearby_when_large(vae)
    assert torch.equal(decode_latents(vae, latents), before)
    after_large = decode_latents(vae, large)
    assert not torch.equal(after_large, before_large)
    assert (after_large - before_large).std() < 0.2 * before_large.std()
    calm = torch.ones(1, LATENT_CHANNELS, 1, 32, 32)
    processors: list[NearbyAttnProcessor] = list(vae.attn_processors.values())
    near = vae.decoder.mid_block.attentions[0](calm[:, 0, 0, None].expand(1, 8, 32, 32))
    for processor in processors:
        processor.side = 99
    whole = vae.decoder.mid_block.attentions[0](calm[:, 0, 0, None].expand(1, 8, 32, 32))
    torch.testing.assert_close(near, whole, msg="where all cells are alike, near by is whole")


def test_pixels_are_encoded_near_by_too():
    torch.manual_seed(0)
    vae = AutoencoderKL(sample_size=8, **VAE).eval()
    pixels = torch.rand(1, 3, 1, 72, 68)
    before = encode_pixels(vae, pixels)
    attend_nearby_when_large(vae)
    assert not torch.equal(encode_pixels(vae, pixels), before)


def test_interpolation_is_left_alone_up_to_four_times_its_own_area():
    torch.manual_seed(0)
    config = UNET | {"in_channels": 2 * LATENT_CHANNELS, "sample_size": 4}
    unet = InterpolationUNet(**config).eval()
    sides = [module.side for module in unet.modules() if hasattr(module, "side")]
    assert {2, 4} <= set(sides)
    inputs = {"timestep": torch.tensor(5), "encoder_hidden_states": torch.randn(1, 3, 32)}

    def differs(height: int, width: int) -> bool:
        sample = torch.randn(1, 2 * LATENT_CHANNELS, 2, height, width)
        with torch.no_grad():
            near = unet(sample, **inputs).sample
            for module in attentions:
                module.side = None
            whole = unet(sample, **inputs).sample
            for module, side in attentions.items():
                module.side = side
        return not torch.equal(near, whole)

    attentions = {m: m.side for m in unet.modules() if getattr(m, "side", None)}
    assert not differs(8, 8)
    assert differs(8, 9)
