import pytest
import torch

from lavie.errors import Cancelled
from lavie.models.latents import decode_latents, encode_pixels, fit_latent_rgb
from lavie.types import CancelToken
from tests.tiny import make_tiny_components


@pytest.fixture(scope="module")
def vae():
    vae = make_tiny_components()["vae"]
    vae.register_to_config(scaling_factor=0.5)
    return vae


@pytest.fixture
def pixels():
    return torch.rand(2, 3, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_encoding_takes_each_frame_alone(vae, pixels):
    latents = encode_pixels(vae, pixels)
    assert latents.shape == (2, 8, 3, 4, 6)
    with torch.no_grad():
        one = vae.encode(pixels[1, :, 2][None]).latent_dist.mode() * 0.5
    assert torch.allclose(latents[1, :, 2], one[0], atol=1e-6)


def test_decoding_takes_each_frame_alone(vae, pixels):
    latents = encode_pixels(vae, pixels)
    decoded = decode_latents(vae, latents)
    assert decoded.shape == pixels.shape
    with torch.no_grad():
        one = vae.decode(latents[1, :, 2][None] / 0.5).sample
    assert torch.allclose(decoded[1, :, 2], one[0], atol=1e-5)


def test_slices_change_nothing(vae, pixels):
    def seeded():
        return torch.Generator().manual_seed(1)

    whole = encode_pixels(vae, pixels, generator=seeded(), slice_size=6)
    sliced = encode_pixels(vae, pixels, generator=seeded(), slice_size=1)
    assert torch.allclose(whole, sliced, atol=1e-5)
    assert torch.allclose(decode_latents(vae, whole, 6), decode_latents(vae, whole, 1), atol=1e-5)


def test_a_generator_samples_the_posterior(vae, pixels):
    mode = encode_pixels(vae, pixels)
    sample = encode_pixels(vae, pixels, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(mode, sample, atol=1e-3)


def test_decoding_can_be_cancelled(vae, pixels):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        decode_latents(vae, encode_pixels(vae, pixels), cancel=cancel)


def test_the_fitted_map_is_found_again():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 3, 5, 6, generator=generator)
    factors, bias = torch.randn(4, 3, generator=generator), torch.tensor([0.1, -0.2, 0.3])
    small = torch.einsum("BCFhw,CK->BKFhw", latents, factors) + bias[:, None, None, None]
    pixels = small.repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2)
    found_factors, found_bias = fit_latent_rgb(latents, pixels)
    assert torch.allclose(torch.tensor(found_factors), factors, atol=1e-4)
    assert torch.allclose(torch.tensor(found_bias), bias, atol=1e-4)
