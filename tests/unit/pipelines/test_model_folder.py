import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from lavie.errors import CheckpointError
from lavie.models import BaseUNet
from lavie.pipelines.model_folder import (
    MINIATURE_FOLDER,
    download_model_folder,
    find_model_folder,
    is_hub_id,
    load_component,
)
from lavie.pipelines.text_to_video import TextToVideoPipeline
from tests.fake_hub import serve_hub


@pytest.fixture
def broken(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "broken")


def change_index(folder, **values):
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def lose_a_tensor(folder):
    path = next(folder.glob("*.safetensors"))
    tensors = load_file(path)
    del tensors[sorted(tensors)[3]]
    save_file(tensors, path, metadata={"format": "pt"})


def test_saving_and_loading_is_identity(pipeline, model_folder, small, generator):
    loaded = TextToVideoPipeline.from_pretrained(model_folder)
    loaded.set_progress_bar_config(disable=True)
    for name in ("vae", "text_encoder", "unet"):
        ours, theirs = (getattr(p, name).state_dict() for p in (pipeline, loaded))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    for key in ("default_height", "default_fps", "latent_rgb_factors", "latent_rgb_bias"):
        assert loaded.config[key] == pipeline.config[key]
    videos = [p("a fox", generator=generator(0), **small).frames for p in (pipeline, loaded)]
    assert np.array_equal(*videos)


def test_model_index_names_the_public_module(model_folder):
    index = json.loads((model_folder / "model_index.json").read_text())
    assert index["unet"] == ["lavie.models", "BaseUNet"]


def test_dtype_is_an_argument(model_folder, small):
    pipeline = TextToVideoPipeline.from_pretrained(model_folder, dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    components = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    assert all(component.dtype == torch.bfloat16 for component in components)
    output = pipeline("a fox", output_type="latent", **small).frames
    assert output.dtype == torch.float32  # the sampler works in float32 around the network
    assert pipeline("a fox", **small).frames.shape == (1, 2, 16, 32, 3)


def test_a_component_can_be_passed(model_folder, pipeline):
    loaded = TextToVideoPipeline.from_pretrained(model_folder, unet=pipeline.unet)
    assert loaded.unet is pipeline.unet


def test_miniature_is_the_bundled_folder():
    assert find_model_folder("miniature") == MINIATURE_FOLDER
    assert MINIATURE_FOLDER.parts[-2:] == ("assets", "miniature")


def test_a_model_on_the_hub_is_downloaded_once_and_without_code(model_folder, tmp_path):
    remote = shutil.copytree(model_folder, tmp_path / "remote")
    (remote / "pipeline.py").write_text("raise SystemExit")
    with serve_hub({"owner/name": remote}) as hub:
        download_model_folder("owner/name", cache_dir=tmp_path / "cache", endpoint=hub.endpoint)
    assert "model_index.json" in hub.fetched
    assert "pipeline.py" not in hub.fetched
    cached = {"cache_dir": tmp_path / "cache", "local_files_only": True}
    loaded = TextToVideoPipeline.from_pretrained("owner/name", **cached)
    assert loaded.config.default_height == 40


def test_owner_and_name_may_be_on_the_hub():
    assert find_model_folder("owner/name") is None


@pytest.mark.parametrize("name", ["a/b/c", "/a/b", "./a", "~/a", "a", "a/b.pt"])
def test_paths_are_not_taken_for_hub_ids(name):
    assert not is_hub_id(name)


def test_a_folder_that_is_not_there_yet_is_not_asked_for_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_id("models/mine")
    (tmp_path / "models").mkdir()
    with pytest.raises(CheckpointError, match="'models/mine' is not a folder"):
        find_model_folder("models/mine")


@pytest.mark.parametrize("model", ["nothing", "a/b/c", "./a", "../a", "/a"])
def test_a_name_that_leads_nowhere_is_refused_without_asking_the_network(model):
    with pytest.raises(CheckpointError, match="is not a folder"):
        TextToVideoPipeline.from_pretrained(model)


def test_a_folder_without_an_index_is_no_model(tmp_path):
    with pytest.raises(CheckpointError, match="has no model_index.json"):
        TextToVideoPipeline.from_pretrained(tmp_path)


def test_a_folder_of_another_pipeline_is_refused(broken):
    change_index(broken, _class_name="StableDiffusionPipeline")
    with pytest.raises(CheckpointError, match="is for StableDiffusionPipeline"):
        TextToVideoPipeline.from_pretrained(broken)


def test_a_folder_that_wants_foreign_code_is_refused(broken):
    change_index(broken, unet=["os", "system"])
    with pytest.raises(CheckpointError, match="library 'os', which LaVie does not load"):
        TextToVideoPipeline.from_pretrained(broken)


@pytest.mark.parametrize("name", ["unet", "vae", "text_encoder"])
def test_a_missing_tensor_is_not_replaced_by_noise(broken, name):
    lose_a_tensor(broken / name)
    with pytest.raises(CheckpointError, match=f"lacks 1 of the tensors of '{name}'"):
        TextToVideoPipeline.from_pretrained(broken)


@pytest.mark.parametrize(("name", "kind"), [("unet", BaseUNet), ("text_encoder", CLIPTextModel)])
def test_a_component_is_loaded_whole_or_not_at_all(broken, pipeline, name, kind):
    loaded = load_component(kind, broken / name, torch.float16)
    assert loaded.dtype == torch.float16
    assert loaded.state_dict().keys() == getattr(pipeline, name).state_dict().keys()
    lose_a_tensor(broken / name)
    with pytest.raises(CheckpointError, match=f"{name} lacks 1 of its tensors"):
        load_component(kind, broken / name)
    with pytest.raises(CheckpointError, match="there is no such folder"):
        load_component(kind, broken / "no")


def damage_weights(folder):
    path = next((folder / "unet").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    "damage",
    [
        damage_weights,
        lambda folder: shutil.rmtree(folder / "vae"),
        lambda folder: shutil.rmtree(folder / "tokenizer"),
        lambda folder: (folder / "tokenizer" / "tokenizer.json").unlink(),
        lambda folder: (folder / "unet" / "config.json").write_text("{"),
        lambda folder: (folder / "model_index.json").write_text("[]"),
        lambda folder: (folder / "model_index.json").write_bytes(b"\xff\xfe"),
    ],
)
def test_a_broken_folder_is_refused_in_one_line(broken, damage):
    damage(broken)
    with pytest.raises(CheckpointError) as caught:
        TextToVideoPipeline.from_pretrained(broken)
    assert "\n" not in str(caught.value)


def test_a_folder_that_fails_in_half_precision_leaves_no_trace(broken):
    (broken / "vae" / "config.json").write_text('{"block_out_channels": "abc"}')
    for load in (
        lambda: TextToVideoPipeline.from_pretrained(broken, dtype=torch.float16),
        lambda: load_component(AutoencoderKL, broken / "vae", torch.float16),
    ):
        with pytest.raises(CheckpointError):
            load()
        assert torch.get_default_dtype() == torch.float32
