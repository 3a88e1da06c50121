import pytest
import torch

from lavie.errors import CheckpointError, ConfigError
from lavie.models import BaseUNet, InterpolationUNet
from lavie.pipelines.between import cross_fade
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.training.loop import train
from lavie.training.stages.interpolation import InterpolationStage
from tests.tiny import LATENT_CHANNELS, UNET, make_tiny_pipeline
from tests.training_runs import interpolation_config, write_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"), num_frames=16)


def generator():
    return torch.Generator().manual_seed(0)


def test_it_takes_over_every_weight_of_the_base_that_it_has_a_place_for():
    base = BaseUNet(**UNET)
    network = InterpolationUNet.from_base(base, 2 * LATENT_CHANNELS)
    before, after = base.state_dict(), network.state_dict()
    assert network.config["in_channels"] == 2 * LATENT_CHANNELS
    for name, weight in after.items():
        if name != "conv_in.weight":
            assert torch.equal(weight, before[name]), name
    positions = {name for name in before if name not in after}
    assert positions
    assert all("rotary_emb" in name or "time_rel_pos_bias" in name for name in positions)


def test_the_given_latents_begin_without_effect():
    network = InterpolationUNet.from_base(BaseUNet(**UNET), 2 * LATENT_CHANNELS).eval()
    noisy, text = torch.randn(1, LATENT_CHANNELS, 5, 4, 4), torch.randn(1, 3, 32)
    outputs = []
    for scale in (0.0, 5.0):
        given = scale * torch.randn(1, LATENT_CHANNELS, 5, 4, 4)
        with torch.no_grad():
            outputs.append(network(torch.cat([noisy, given], 1), 10, text).sample)
    assert torch.equal(*outputs)


def test_what_is_given_is_every_fourth_frame_of_what_is_to_be_made(model_folder, clips, tmp_path):
    stage = InterpolationStage(
        interpolation_config(tmp_path, model_folder, clips, caption_dropout=0.0)
    )
    batch = next(stage.batches(0, 0, 1))
    assert batch.pixels.shape[2] == 5  # 2 given frames
    seen = []
    stage.model.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append((*args, kwargs["frame_index"])), with_kwargs=True
    )
    stage(batch, generator())
    sample, _, _, places = seen[0]
    latents, _ = stage.model.encode_batch(batch, 0.0)
    given = sample[:, LATENT_CHANNELS:]
    for frame, key in enumerate([0, 0, 0, 4, 4]):
        assert torch.equal(given[:, :, frame], latents[:, :, key])
    assert torch.equal(places, torch.arange(5).expand(2, -1) / 4)


def test_parts_of_a_clip_keep_their_places_in_it(model_folder, clips, tmp_path):
    video = {"num_frames": 4, "height": 16, "width": 24, "fps": 2}
    config = interpolation_config(tmp_path, model_folder, clips, video=video, frames_given=2)
    stage = InterpolationStage(config)
    batch = next(stage.batches(0, 0, 1))
    assert batch.pixels.shape[2] == 13
    starts = set()
    for seed in range(20):
        part, places = stage._shorten(batch, torch.Generator().manual_seed(seed))
        for row, picks in enumerate(places):
            assert torch.equal(part.pixels[row], batch.pixels[row][:, picks])
            assert torch.equal(picks, picks[0] + torch.arange(5))
            starts.add(int(picks[0]))
    assert min(starts) == 0
    assert max(starts) == 8


def test_dropped_captions_become_the_word_none(model_folder, clips, tmp_path):
    stage = InterpolationStage(
        interpolation_config(tmp_path, model_folder, clips, caption_dropout=1.0)
    )
    batch = next(stage.batches(0, 0, 1))
    text = stage.embed_captions(batch, generator())
    expected = stage.model.encode_texts([["None"]], torch.tensor([[False]]))
    assert torch.equal(text, expected.expand_as(text))


def test_a_run_gives_a_model_folder_that_smooths_and_can_be_gone_on_with(
    model_folder, clips, tmp_path
):
    config = interpolation_config(tmp_path / "a", model_folder, clips, preview_every=2)
    folder = train(InterpolationStage(config))
    assert sorted(path.suffix for path in (tmp_path / "a/previews").iterdir()) == [".mp4", ".png"]
    pipeline = InterpolationPipeline.from_pretrained(folder)
    frames = make_tiny_pipeline()("a fox", height=16, width=24, num_frames=2).frames[0]
    assert pipeline(frames, "a fox").frames.shape == (1, 5, 16, 24, 3)
    again = InterpolationStage(interpolation_config(tmp_path / "b", folder, clips))
    for name, weight in pipeline.unet.state_dict().items():
        assert torch.equal(weight, again.model.unet.state_dict()[name])


def test_folders_and_patches_that_do_not_fit_are_refused(model_folder, clips, tmp_path):
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        InterpolationStage(interpolation_config(tmp_path, tmp_path, clips))
    with pytest.raises(ConfigError, match="patch_size 32 must be a multiple of 4 and fit into"):
        InterpolationStage(interpolation_config(tmp_path, model_folder, clips, patch_size=32))


def test_a_residual_is_learnt_and_made(model_folder, clips, tmp_path):
    config = interpolation_config(
        tmp_path, model_folder, clips, residual_scale=0.5, keep_details=True, caption_dropout=0.0
    )
    stage = InterpolationStage(config)
    batch = next(stage.batches(0, 0, 1))
    corrupted = []
    corrupt = stage.objective.corrupt
    stage.objective.corrupt = lambda latents, rng: (
        corrupted.append(latents) or corrupt(latents, rng)
    )
    stage(batch, generator())
    latents, _ = stage.model.encode_batch(batch, 0.0)
    torch.testing.assert_close(corrupted[0], (latents - cross_fade(latents[:, :, ::4])) / 0.5)
    assert not corrupted[0][:, :, ::4].any()
    pipeline = InterpolationPipeline.from_pretrained(train(stage))
    assert pipeline.config.residual_scale == 0.5
    assert pipeline.config.default_keep_details


def test_a_network_may_see_the_given_frames_on_both_sides(model_folder, clips, tmp_path):
    config = interpolation_config(
        tmp_path, model_folder, clips, sees_both_neighbours=True, caption_dropout=0.0
    )
    stage = InterpolationStage(config)
    batch = next(stage.batches(0, 0, 1))
    seen = []
    stage.model.unet.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    stage(batch, generator())
    latents, _ = stage.model.encode_batch(batch, 0.0)
    for frame in range(5):
        before, after = seen[0][:, LATENT_CHANNELS:, frame].chunk(2, dim=1)
        assert torch.equal(before, latents[:, :, 0])
        assert torch.equal(after, latents[:, :, 4])
    folder = train(stage)
    pipeline = InterpolationPipeline.from_pretrained(folder)
    frames = make_tiny_pipeline()("a fox", height=16, width=24, num_frames=2).frames[0]
    assert pipeline(frames, "a fox").frames.shape == (1, 5, 16, 24, 3)
    again = InterpolationStage(config.model_copy(update={"init_from": folder}))
    assert torch.equal(again.model.unet.conv_in.weight, pipeline.unet.conv_in.weight)
