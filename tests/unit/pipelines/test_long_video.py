import pytest
import torch

from lavie.errors import CheckpointError, InputError
from lavie.models import BaseUNet
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from tests.tiny import LATENT_CHANNELS, make_tiny_components

SIZE = {"height": 16, "width": 24, "num_frames": 6, "num_inference_steps": 2}
SHAPE = (LATENT_CHANNELS, 6, 4, 6)


def make(is_fresh=False):
    components = make_tiny_components()
    unet = BaseUNet.from_base(components["unet"], 2 * LATENT_CHANNELS + 1).eval()
    if not is_fresh:
        torch.manual_seed(0)
        torch.nn.init.normal_(unet.conv_in.weight, std=0.1)
    pipeline = LongVideoPipeline(**components | {"unet": unet}, default_guidance_scale=3.0)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def long_pipeline():
    return make()


def latents_of(pipeline, **options):
    given = {"generator": torch.Generator().manual_seed(1), "output_type": "latent", **SIZE}
    return pipeline("a fox", **given | options).frames


def test_given_frames_come_back_as_they_are_and_the_others_depend_on_them(long_pipeline):
    first, last = torch.randn(1, LATENT_CHANNELS, 2, 4, 6), torch.randn(1, LATENT_CHANNELS, 1, 4, 6)
    made = latents_of(long_pipeline, first_latents=first, last_latents=last)
    assert torch.equal(made[:, :, :2], first)
    assert torch.equal(made[:, :, -1:], last)
    other = latents_of(long_pipeline, first_latents=-first, last_latents=last)
    assert not torch.allclose(made[:, :, 2:-1], other[:, :, 2:-1])


def test_with_nothing_given_a_fresh_network_is_the_base_model():
    ours, components = make(is_fresh=True), make_tiny_components()
    theirs = TextToVideoPipeline(**components, default_guidance_scale=3.0)
    theirs.set_progress_bar_config(disable=True)
    assert torch.equal(latents_of(ours), latents_of(theirs))


def test_a_batch_equals_its_videos_alone(long_pipeline):
    first = torch.randn(2, LATENT_CHANNELS, 2, 4, 6)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    together = long_pipeline(
        ["a fox", "a panda"],
        first_latents=first,
        generator=generators,
        output_type="latent",
        **SIZE,
    ).frames
    alone = latents_of(long_pipeline, first_latents=first[:1])
    assert torch.allclose(together[:1], alone, atol=1e-5)


def test_frames_come_out_as_a_video(long_pipeline):
    frames = latents_of(long_pipeline, output_type="frames")
    assert frames.shape == (1, 6, 16, 24, 3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"first_latents": torch.zeros(1, 3, 2, 4, 6)}, "should be"),
        ({"last_latents": torch.zeros(1, LATENT_CHANNELS, 2, 4, 5)}, "should be"),
        ({"first_latents": torch.zeros(1, LATENT_CHANNELS, 6, 4, 6)}, "leave nothing to make"),
    ],
)
def test_what_does_not_fit_the_window_is_refused(long_pipeline, given, sentence):
    with pytest.raises(InputError, match=sentence):
        latents_of(long_pipeline, **given)


def test_a_network_that_takes_no_given_frames_is_refused():
    with pytest.raises(CheckpointError, match="Use TextToVideoPipeline"):
        LongVideoPipeline(**make_tiny_components())


def test_save_and_load_is_identity(long_pipeline, tmp_path):
    long_pipeline.save_pretrained(tmp_path)
    again = LongVideoPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    assert torch.equal(latents_of(again), latents_of(long_pipeline))
    with pytest.raises(CheckpointError):
        TextToVideoPipeline.from_pretrained(tmp_path)
