import pytest
import torch

from lavie.models import BaseUNet
from lavie.models.given_frames import beside_given_frames, encode_nothing
from lavie.models.latents import encode_pixels
from tests.tiny import LATENT_CHANNELS, UNET, make_tiny_components

SHAPE = (2, LATENT_CHANNELS, 5, 4, 6)


@pytest.fixture(scope="module")
def parts():
    return make_tiny_components()


def test_noise_mask_and_known_frames_lie_beside_each_other():
    noisy, known, nothing = torch.randn(SHAPE), torch.randn(SHAPE), torch.randn(1, 8, 1, 4, 6)
    is_given = torch.tensor([[True, False, False, False, True], [True] * 2 + [False] * 3])
    seen = beside_given_frames(noisy, known, is_given, nothing)
    assert seen.shape == (2, 2 * LATENT_CHANNELS + 1, 5, 4, 6)
    assert torch.equal(seen[:, :LATENT_CHANNELS], noisy)
    mask, masked = seen[:, LATENT_CHANNELS], seen[:, LATENT_CHANNELS + 1 :]
    for row in range(2):
        for frame in range(5):
            given = bool(is_given[row, frame])
            assert (mask[row, frame] == (0.0 if given else 1.0)).all()
            expected = known[row, :, frame] if given else nothing[0, :, 0]
            assert torch.equal(masked[row, :, frame], expected)


def test_nothing_is_a_grey_frame(parts):
    nothing = encode_nothing(parts["vae"], 4, 6)
    assert torch.equal(nothing, encode_pixels(parts["vae"], torch.zeros(1, 3, 1, 16, 24)))


@torch.no_grad()
def test_a_fresh_network_is_the_base_network_whatever_is_given(parts):
    base = parts["unet"]
    network = BaseUNet.from_base(base, 2 * LATENT_CHANNELS + 1).eval()
    assert network.takes_given_frames
    assert not base.takes_given_frames
    noisy, text = torch.randn(SHAPE), torch.randn(2, 3, 32)
    for is_given in (torch.zeros(1, 5, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)):
        seen = beside_given_frames(noisy, torch.randn(SHAPE), is_given, torch.randn(1, 8, 1, 4, 6))
        assert torch.equal(network(seen, 10, text).sample, base(noisy, 10, text).sample)


def test_the_published_network_has_the_published_first_convolution():
    with torch.device("meta"):
        network = BaseUNet(in_channels=9)
        keys = BaseUNet().state_dict()
    assert network.takes_given_frames
    assert network.state_dict().keys() == keys.keys()
    assert network.conv_in.weight.shape == (320, 9, 3, 3)


def test_going_on_from_such_a_network_keeps_what_it_learned():
    torch.manual_seed(0)
    network = BaseUNet(**UNET | {"in_channels": 2 * LATENT_CHANNELS + 1})
    again = BaseUNet.from_base(network, 2 * LATENT_CHANNELS + 1)
    assert torch.equal(again.conv_in.weight, network.conv_in.weight)
