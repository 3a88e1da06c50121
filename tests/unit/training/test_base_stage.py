import shutil

import pytest
import torch

from lavie.errors import CheckpointError, ConfigError
from lavie.models import BaseUNet
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.loop import train
from lavie.training.stages.base import BaseConfig, BaseStage
from lavie.training.stages.image import ImageStage
from tests.tiny import UNET
from tests.training_runs import VIDEO, base_config, image_config, write_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("clips"))


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("scheme", ["joint", "video_only", "temporal_only"])
def test_what_a_scheme_freezes_stays_bit_for_bit(scheme, model_folder, clips, tmp_path):
    stage = BaseStage(base_config(tmp_path, model_folder, clips, scheme=scheme))
    before = {name: weight.detach().clone() for name, weight in stage.named_parameters()}
    train(stage)
    changed = {
        name for name, weight in stage.named_parameters() if not torch.equal(weight, before[name])
    }
    assert all(name.startswith("model.unet.") for name in changed)
    spatial = {name for name in changed if not BaseUNet.is_temporal(name)}
    assert changed - spatial
    assert bool(spatial) == (scheme != "temporal_only")


def test_the_image_stage_leaves_temporal_layers_alone(model_folder, clips, tmp_path):
    stage = ImageStage(image_config(tmp_path, model_folder, clips, train_text_encoder=True))
    learning = {name for name, weight in stage.named_parameters() if weight.requires_grad}
    assert not any(BaseUNet.is_temporal(name) for name in learning)
    assert any(name.startswith("model.text_encoder.") for name in learning)
    losses = stage(next(stage.batches(0, 0, 1)), generator())
    losses["loss"].backward()
    unused = [n for n, w in stage.named_parameters() if w.requires_grad and w.grad is None]
    assert not unused  # several processes would wait for such gradients


@pytest.mark.parametrize("scheme", ["joint", "video_only", "temporal_only"])
def test_every_weight_that_learns_gets_a_gradient(scheme, model_folder, clips, tmp_path):
    stage = BaseStage(base_config(tmp_path, model_folder, clips, scheme=scheme))
    stage(next(stage.batches(0, 0, 1)), generator())["loss"].backward()
    assert not [n for n, w in stage.named_parameters() if w.requires_grad and w.grad is None]


def test_the_loss_is_the_videos_plus_alpha_times_the_images(model_folder, clips, tmp_path):
    def losses(alpha):
        stage = BaseStage(base_config(tmp_path, model_folder, clips, image_loss_weight=alpha))
        with torch.no_grad():
            return stage(next(stage.batches(0, 0, 1)), generator())

    for alpha in (0.0, 0.25):
        found = losses(alpha)
        expected = found["video_loss"] + alpha * found["image_loss"]
        torch.testing.assert_close(found["loss"], expected)


def test_thinned_clips_keep_frames_in_order_with_their_places(model_folder, clips, tmp_path):
    stage = BaseStage(base_config(tmp_path, model_folder, clips, frames_per_clip=2))
    batch = next(stage.batches(0, 0, 1))
    thin, index = stage._thin_out(batch, generator())
    assert thin.pixels.shape[2] == 2 + stage.num_images
    assert index.shape == (2, 2)
    for row in range(2):
        first, second = index[row].tolist()
        assert 0 <= first < second < VIDEO["num_frames"]
        assert torch.equal(thin.pixels[row, :, :2], batch.pixels[row, :, [first, second]])
        assert torch.equal(thin.pixels[row, :, 2:], batch.pixels[row, :, VIDEO["num_frames"] :])
    assert thin.captions == batch.captions


def test_a_dropped_caption_is_the_empty_text(model_folder, clips, tmp_path):
    stage = BaseStage(base_config(tmp_path, model_folder, clips))
    with torch.no_grad():
        text = stage.model.encode_texts(
            [["a fox", "a car"], ["a panda", ""]], torch.tensor([[True, False], [False, False]])
        )
    assert torch.equal(text[0, 0], text[1, 1])
    assert not torch.equal(text[0, 1], text[1, 1])


def test_the_curriculum_changes_sources_at_its_step(model_folder, tmp_path):
    first, second = write_clips(tmp_path / "first", 1), write_clips(tmp_path / "second", 1)
    (second / "fox0.txt").write_text("a rocket")
    config = base_config(
        tmp_path / "run",
        model_folder,
        first,
        scheme="video_only",
        gradient_accumulation_steps=2,
        videos=[
            {"kind": "folder", "path": first, "to_step": 2},
            {"kind": "folder", "path": second, "from_step": 2},
        ],
    )
    batches = BaseStage(config).batches(0, 0, 1)
    captions = [next(batches).captions[0][0] for _ in range(6)]
    batches.close()
    assert captions == ["a fox number 0"] * 4 + ["a rocket"] * 2
    later = BaseStage(config).batches(4, 0, 1)
    assert next(later).captions[0][0] == "a rocket"
    later.close()


def test_settings_that_contradict_each_other_are_said(model_folder, clips, tmp_path):
    with pytest.raises(ValueError, match="joint scheme needs images"):
        BaseConfig(output=tmp_path, init_from=model_folder, num_steps=1, videos=[{"kind": "world"}])
    with pytest.raises(ValueError, match="set train_text_encoder to false"):
        base_config(tmp_path, model_folder, clips, scheme="temporal_only", train_text_encoder=True)
    with pytest.raises(ConfigError, match="width 26 is not a multiple of the VAE's 4"):
        BaseStage(base_config(tmp_path, model_folder, clips, video={**VIDEO, "width": 26}))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning:torch")  # torch's own compiler
def test_memory_and_compile_options_reach_the_network(model_folder, clips, tmp_path):
    stage = BaseStage(base_config(tmp_path, model_folder, clips))
    stage.save_memory()
    assert stage.model.unet.is_gradient_checkpointing
    assert not stage.model.vae.is_gradient_checkpointing  # it does not learn
    names = [name for name, _ in stage.named_parameters()]
    stage.compile_networks()
    compiled = [m for m in stage.modules() if m._compiled_call_impl is not None]
    assert {type(module).__name__ for module in compiled} == {"SpatioTemporalBlock"}
    assert [name for name, _ in stage.named_parameters()] == names


@pytest.mark.parametrize("unet", [None, UNET])
def test_a_half_precision_model_is_trained_in_full(unet, model_folder, clips, tmp_path):
    half = TextToVideoPipeline.from_pretrained(model_folder, dtype=torch.float16)
    half.save_pretrained(tmp_path / "half")
    stage = BaseStage(base_config(tmp_path / "run", tmp_path / "half", clips, unet=unet))
    assert {weight.dtype for weight in stage.parameters()} == {torch.float32}


def test_a_missing_folder_is_not_looked_up_on_the_hub(clips, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        BaseStage(base_config(tmp_path, "owner/name", clips))


@pytest.mark.parametrize("kind", ["image", "base"])
def test_a_run_ends_well_though_its_data_is_gone(kind, model_folder, tmp_path):
    clips = write_clips(tmp_path / "clips")
    make, config = {"image": (ImageStage, image_config), "base": (BaseStage, base_config)}[kind]
    run = config(tmp_path / "run", model_folder, clips, num_steps=1, preview_every=1)
    folder = train(make(run), on_event=lambda event: shutil.rmtree(clips, ignore_errors=True))
    assert (folder / "model_index.json").is_file()
    previews = {path.suffix for path in (tmp_path / "run" / "previews").iterdir()}
    assert previews == {"image": {".png"}, "base": {".png", ".mp4"}}[kind]
