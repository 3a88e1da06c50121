import pytest
import torch
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from pydantic import ValidationError

from lavie.data.joint import JointBatch
from lavie.models import BaseUNet
from lavie.models.given_frames import beside_given_frames
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.training.stages.base import BaseStage
from lavie.training.stages.long_video import LongVideoConfig, LongVideoStage
from tests.tiny import LATENT_CHANNELS
from tests.training_runs import RUN, VIDEO, base_config, write_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"))


def config(output, model, clips, **changes):
    data = {
        "videos": [{"kind": "folder", "path": clips}],
        "images": [{"kind": "folder", "path": clips, "stills": True}],
    }
    run = {**RUN, "num_images": 2, "video": VIDEO | {"num_frames": 5}, "max_given": 2}
    return LongVideoConfig(**{"output": output, "init_from": model, **run, **data, **changes})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def no_network(seen, timesteps):
    raise AssertionError("what is given needs no network here")


def what_is_given(stage, begins_at=(0, 0), num_draws=40):
    """Which frames of two rows were given, again and again, as tuples."""
    pixels = torch.zeros(2, 3, 7, 16, 24)
    batch = JointBatch(pixels, [["a fox"] * 3] * 2, 2, begins_at=begins_at)
    latents = torch.zeros(2, LATENT_CHANNELS, 7, 4, 6)
    rng, found = generator(), []
    for _ in range(num_draws):
        seen, _, _ = stage.corrupt(latents, batch, no_network, rng)
        mask = seen[:, LATENT_CHANNELS, :, 0, 0]
        found += [tuple(1 - int(value) for value in row) for row in mask]
    return found


def test_at_first_its_loss_is_that_of_the_base_network(model_folder, clips, tmp_path):
    stage = LongVideoStage(config(tmp_path, model_folder, clips))
    base = BaseStage(base_config(tmp_path, model_folder, clips, video=VIDEO | {"num_frames": 5}))
    assert stage.model.unet.takes_given_frames
    batch = next(stage.batches(0, 0, 1))
    text = torch.randn(1, 3, 3, 32)
    noisy = torch.randn(1, LATENT_CHANNELS, 7, 4, 6)
    nothing = torch.zeros(1, LATENT_CHANNELS, 1, 4, 6)
    seen = beside_given_frames(noisy, noisy, torch.rand(1, 7) < 0.5, nothing)
    with torch.no_grad():
        ours = stage.model.unet(seen, 10, text, num_images=2).sample
        theirs = base.model.unet(noisy, 10, text, num_images=2).sample
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert torch.isfinite(stage(batch, generator())["loss"])


def test_first_frames_are_given_both_ends_or_nothing_and_never_a_still(
    model_folder, clips, tmp_path
):
    stage = LongVideoStage(
        config(tmp_path, model_folder, clips, none_share=0.3, both_ends_share=0.3)
    )
    found = set(what_is_given(stage))
    videos = {row[:5] for row in found}
    assert videos == {
        (0, 0, 0, 0, 0),
        (1, 0, 0, 0, 0),
        (1, 1, 0, 0, 0),
        (1, 0, 0, 0, 1),
        (1, 1, 0, 1, 1),
    }
    assert {row[5:] for row in found} == {(0, 0)}


def test_a_continuation_says_itself_what_is_given(model_folder, clips, tmp_path):
    stage = LongVideoStage(config(tmp_path, model_folder, clips))
    found = what_is_given(stage, begins_at=(3, 1))
    assert set(found) == {(1, 1, 1, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0, 0)}


def test_what_is_made_goes_on_and_is_trained_further(model_folder, clips, tmp_path):
    hiding = {"none_share": 0.1, "guidance_hides_given": True}
    stage = LongVideoStage(config(tmp_path, model_folder, clips, **hiding))
    torch.nn.init.normal_(stage.model.unet.conv_in.weight)
    stage.export(tmp_path / "model")
    pipeline = LongVideoPipeline.from_pretrained(tmp_path / "model")
    assert pipeline.config.default_num_given == 2
    assert pipeline.config.holds_given
    assert pipeline.config.guidance_hides_given
    again = LongVideoStage(config(tmp_path, tmp_path / "model", clips))
    assert isinstance(again.model.unet, BaseUNet)
    assert torch.equal(again.model.unet.conv_in.weight, stage.model.unet.conv_in.weight)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"none_share": 0.6, "both_ends_share": 0.5}, "must not be more than 1 together"),
        ({"none_share": 0.0, "guidance_hides_given": True}, "a none_share above 0"),
        ({"max_given": 3}, "use at most 2"),
        (
            {"videos": [{"kind": "world", "continuations": True}], "frames_per_clip": 4},
            "Leave frames_per_clip out",
        ),
    ],
)
def test_settings_that_leave_nothing_to_learn_are_refused(model_folder, clips, changes, sentence):
    with pytest.raises(ValidationError, match=sentence):
        config("out", model_folder, clips, **changes)


def test_noise_on_what_is_given_leaves_mask_and_noisy_latents_as_they_are(
    model_folder, clips, tmp_path
):
    batch = JointBatch(torch.zeros(1, 3, 7, 16, 24), [["a fox"] * 3], 2, begins_at=(2,))
    latents = torch.randn(1, LATENT_CHANNELS, 7, 4, 6, generator=generator())
    seen = [
        LongVideoStage(config(tmp_path, model_folder, clips, given_noise=amount)).corrupt(
            latents, batch, no_network, generator()
        )[0]
        for amount in (0.0, 0.5)
    ]
    mask = [each[:, LATENT_CHANNELS] for each in seen]
    given = [each[:, LATENT_CHANNELS + 1 :] for each in seen]
    difference = (given[1] - given[0]).abs().amax(dim=(0, 1, 3, 4))
    assert torch.equal(*mask)
    assert torch.equal(given[0][:, :, :2], latents[:, :, :2])
    assert (difference[:2] > 0).all()
    assert (difference[2:] == 0).all()


def test_what_is_given_is_remade_by_a_network_that_has_seen_nothing_given(
    model_folder, clips, tmp_path
):
    batch = JointBatch(torch.zeros(2, 3, 7, 16, 24), [["a fox"] * 3] * 2, 2, begins_at=(2, 2))
    latents = torch.randn(2, LATENT_CHANNELS, 7, 4, 6, generator=generator())
    velocity = {"prediction_type": "v_prediction"}
    stage = LongVideoStage(
        config(tmp_path, model_folder, clips, given_remade=700, diffusion=velocity)
    )
    asked = []

    def network(seen, timesteps):
        """Believes that the clean latents are half of the noisy ones."""
        asked.append((seen, timesteps))
        noisy = seen[:, :LATENT_CHANNELS]
        signal = stage.objective.scheduler.alphas_cumprod[timesteps][:, None, None, None, None]
        return UNet3DConditionOutput(
            sample=(signal.sqrt() * noisy - 0.5 * noisy) / (1 - signal).sqrt()
        )

    seen, _, _ = stage.corrupt(latents, batch, network, generator())
    ((shown, timesteps),) = asked
    assert (shown[:, LATENT_CHANNELS] == 1).all()  # nothing was given to it
    assert (timesteps < 700).all()
    made = 0.5 * shown[:, :LATENT_CHANNELS]
    assert torch.allclose(seen[:, LATENT_CHANNELS + 1 :, :2], made[:, :, :2], atol=1e-4)


def test_only_given_frames_are_spoilt(model_folder, clips, tmp_path):
    batch = JointBatch(torch.zeros(1, 3, 7, 16, 24), [["a fox"] * 3], 2, begins_at=(2,))
    latents = torch.randn(1, LATENT_CHANNELS, 7, 4, 6, generator=generator())
    stage = LongVideoStage(config(tmp_path, model_folder, clips, given_noise=0.5))
    seen, noise, timesteps = stage.corrupt(latents, batch, no_network, generator())
    noisy = seen[:, :LATENT_CHANNELS]
    signal = stage.objective.scheduler.alphas_cumprod[timesteps][:, None, None, None, None]
    clean = (noisy - (1 - signal).sqrt() * noise) / signal.sqrt()
    given = seen[:, LATENT_CHANNELS + 1 :, :2]
    assert torch.allclose(clean[:, :, 2:], latents[:, :, 2:], atol=1e-4)
    assert torch.allclose(clean[:, :, :2], given, atol=1e-4)
    assert not torch.allclose(given, latents[:, :, :2], atol=1e-2)
