"""The base network on long videos: windows in time, and a text for each frame."""

import pytest
import torch
from torch import Tensor

from lavie.errors import InputError
from lavie.models import BaseUNet
from lavie.models.condition import share_equal_neighbours
from lavie.models.frame_windows import FrameWindows
from tests.tiny import LATENT_CHANNELS, TEXT_WIDTH, UNET

ADDITIONS = {"use_text_time_embedding": True, "use_frame_embedding": True}
CONFIGS = pytest.mark.parametrize("additions", [{}, ADDITIONS])
TEXT_LENGTH = 5


def make_unet(**changes) -> BaseUNet:
    torch.manual_seed(0)
    unet = BaseUNet(**UNET | changes)
    for name, parameter in unet.named_parameters():
        if "attn_temp.to_out" in name or "moment_mlp.linear_2" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return unet.eval().requires_grad_(False)


def make_video(num_frames: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, LATENT_CHANNELS, num_frames, 4, 4)


def make_texts(*shape: int) -> Tensor:
    torch.manual_seed(2)
    return torch.randn(*shape, TEXT_LENGTH, TEXT_WIDTH)


@CONFIGS
def test_a_video_of_one_window_is_exactly_what_it_is_without(additions):
    unet, video, text = make_unet(**additions), make_video(6), make_texts(2)
    whole = unet(video, 5, text).sample
    for length in (6, 9):
        assert torch.equal(
            unet(video, 5, text, frame_windows=FrameWindows(length, 2)).sample, whole
        )


@CONFIGS
def test_a_longer_video_is_seen_in_windows_and_leaves_nothing_behind(additions):
    unet, video, text = make_unet(**additions), make_video(9), make_texts(2)
    whole = unet(video, 5, text).sample
    seen = unet(video, 5, text, frame_windows=FrameWindows(4, 2)).sample
    assert seen.shape == whole.shape
    assert not torch.allclose(seen, whole, atol=1e-3)
    assert torch.equal(unet(video, 5, text).sample, whole)


def test_images_behind_a_long_video_stay_out_of_its_windows():
    unet, video, texts = make_unet(), make_video(9), make_texts(2, 3)
    both = unet(video, 5, texts, num_images=2, frame_windows=FrameWindows(4, 2)).sample
    images = unet(video, 5, texts, num_images=2).sample
    assert both.shape == images.shape
    assert not torch.allclose(both[:, :, :7], images[:, :, :7], atol=1e-3)


@CONFIGS
@pytest.mark.parametrize("frame_windows", [None, FrameWindows(4, 2)])
def test_the_same_text_for_every_frame_is_exactly_one_text(additions, frame_windows):
    unet, video, text = make_unet(**additions), make_video(6), make_texts(2)
    one = unet(video, 5, text, frame_windows=frame_windows).sample
    each = text[:, None].expand(-1, 6, -1, -1)
    assert torch.equal(unet(video, 5, each, frame_windows=frame_windows).sample, one)


@CONFIGS
def test_every_frame_hears_its_own_text(additions):
    """A change of one frame's text changes that frame most, and others through time alone."""
    unet, video, texts = make_unet(**additions), make_video(6), make_texts(2, 6)
    changed = texts.clone()
    changed[:, 2] = -changed[:, 2]
    change = (unet(video, 5, texts).sample - unet(video, 5, changed).sample).abs()
    assert change.mean((0, 1, 3, 4)).argmax() == 2


def test_texts_per_frame_in_a_batch_are_those_of_each_video():
    unet, video, texts = make_unet(**ADDITIONS), make_video(6), make_texts(2, 6)
    texts[0] = texts[0, :1]
    both = unet(video, 5, texts).sample
    for row in range(2):
        alone = unet(video[row : row + 1], 5, texts[row : row + 1]).sample
        assert torch.allclose(both[row : row + 1], alone, atol=1e-5)


def test_neighbours_with_the_same_text_have_their_keys_made_once():
    unet, video = make_unet(), make_video(6)
    texts = make_texts(2, 3)[:, [0, 0, 1, 1, 1, 2]]
    rows = []
    keys = unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_k
    hook = keys.register_forward_hook(lambda _, inputs, __: rows.append(inputs[0].shape[:2]))
    unet(video, 5, texts)
    hook.remove()
    assert rows == [(2, 3)]


def test_only_neighbours_that_agree_in_all_videos_are_shared():
    texts = make_texts(2, 4)
    texts[0] = texts[0, :1]
    texts[1, 3] = texts[1, 2]
    slots, index = share_equal_neighbours(texts)
    assert index is not None
    assert index.tolist() == [0, 1, 2, 2]
    assert torch.equal(slots[:, index], texts)


def test_another_number_of_texts_than_frames_is_refused_with_a_sentence():
    unet, video = make_unet(), make_video(6)
    with pytest.raises(InputError, match="The text has 4 prompts per sample; 6 frames"):
        unet(video, 5, make_texts(2, 4))
    with pytest.raises(InputError, match="The text has 6 prompts per sample; 6 frames with 2"):
        unet(video, 5, make_texts(2, 6), num_images=2)
