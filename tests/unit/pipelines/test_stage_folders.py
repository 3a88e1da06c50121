"""A later stage in the folder of a base model: written, found, loaded, refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from lavie.convert.resolve import load_stage
from lavie.convert.stages import find_stages
from lavie.errors import CheckpointError, InputError
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.model_folder import download_model_folder, save_stage
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from tests.fake_hub import serve_hub
from tests.tiny import make_tiny_interpolation, make_tiny_pipeline, make_tiny_super_resolution


@pytest.fixture(scope="module")
def both_stages(model_folder, tmp_path_factory):
    """A base with an interpolation that shares its parts, and an upscaler that has its own."""
    folder = shutil.copytree(model_folder, tmp_path_factory.mktemp("stages") / "model")
    save_stage(make_tiny_interpolation(seed=0), folder)
    save_stage(make_tiny_super_resolution(seed=1), folder)
    return folder


@pytest.fixture
def model(both_stages, tmp_path):
    return shutil.copytree(both_stages, tmp_path / "model")


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def change_index(folder, **values):
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_parts_that_equal_the_base_are_left_out(both_stages):
    assert names(both_stages / "interpolation") == {"model_index.json", "unet", "scheduler"}
    own = {"model_index.json", "unet", "vae", "text_encoder", "scheduler", "low_res_scheduler"}
    assert names(both_stages / "super_resolution") == own


def test_a_part_with_equal_weights_and_other_settings_is_kept(model):
    pipeline = make_tiny_interpolation(seed=0)
    pipeline.vae.register_to_config(scaling_factor=0.5)
    save_stage(pipeline, model)
    assert "vae" in names(model / "interpolation")
    assert InterpolationPipeline.from_pretrained(model).vae.config["scaling_factor"] == 0.5


def test_a_tokenizer_of_another_length_is_kept(model):
    pipeline = make_tiny_interpolation(seed=0)
    pipeline.tokenizer.model_max_length = 8
    save_stage(pipeline, model)
    assert "tokenizer" in names(model / "interpolation")
    assert InterpolationPipeline.from_pretrained(model).tokenizer.model_max_length == 8


def test_a_used_tokenizer_is_still_the_same(model):
    pipeline = make_tiny_interpolation(seed=0)
    pipeline.encode_prompt(["a fox"])
    save_stage(pipeline, model)
    assert "tokenizer" not in names(model / "interpolation")


def test_half_precision_parts_equal_those_they_were_rounded_from(model):
    save_stage(make_tiny_interpolation(seed=0).to(torch.float16), model)
    assert names(model / "interpolation") == {"model_index.json", "unet", "scheduler"}


@pytest.mark.parametrize(
    ("kind", "make", "seed"),
    [
        (InterpolationPipeline, make_tiny_interpolation, 0),
        (SuperResolutionPipeline, make_tiny_super_resolution, 1),
    ],
)
def test_saving_and_loading_a_stage_is_identity(both_stages, kind, make, seed):
    loaded, made = kind.from_pretrained(both_stages), make(seed)
    for name in ("unet", "vae", "text_encoder"):
        ours, theirs = getattr(made, name).state_dict(), getattr(loaded, name).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert loaded.tokenizer("a fox").input_ids == made.tokenizer("a fox").input_ids
    assert loaded.scheduler.config["prediction_type"] == "v_prediction"


def test_the_base_is_loaded_as_before(both_stages):
    assert isinstance(TextToVideoPipeline.from_pretrained(both_stages).unet.config, dict)


def test_the_sub_folder_can_be_named_itself(both_stages, monkeypatch):
    InterpolationPipeline.from_pretrained(both_stages / "interpolation")
    monkeypatch.chdir(both_stages / "interpolation")
    InterpolationPipeline.from_pretrained(".")


def test_a_stage_with_all_its_parts_stands_alone(tmp_path):
    make_tiny_interpolation().save_pretrained(tmp_path)
    assert find_stages(tmp_path) == ("interpolation",)
    assert load_stage(tmp_path, "interpolation").unet.config["in_channels"] == 16
    with pytest.raises(CheckpointError, match="is for InterpolationPipeline"):
        load_stage(tmp_path, "base")


def test_borrowed_parts_follow_the_type_that_is_asked_for(both_stages):
    pipeline = InterpolationPipeline.from_pretrained(both_stages, dtype=torch.bfloat16)
    assert {pipeline.unet.dtype, pipeline.vae.dtype, pipeline.text_encoder.dtype} == {
        torch.bfloat16
    }
    types = {"vae": torch.float16, "default": torch.bfloat16}
    pipeline = InterpolationPipeline.from_pretrained(both_stages, dtype=types)
    assert (pipeline.vae.dtype, pipeline.text_encoder.dtype) == (torch.float16, torch.bfloat16)


def test_components_that_are_passed_need_not_be_anywhere(model):
    passed = make_tiny_interpolation(seed=0)
    shutil.rmtree(model / "vae")
    shutil.rmtree(model / "interpolation" / "unet")
    parts = {"vae": passed.vae, "unet": passed.unet}
    loaded = InterpolationPipeline.from_pretrained(model, **parts)
    assert loaded.vae is passed.vae
    assert loaded.unet is passed.unet


def test_stages_are_found_without_loading_them(both_stages, model_folder, model):
    assert find_stages(both_stages) == ("base", "interpolation", "super_resolution")
    assert find_stages(model_folder) == ("base",)
    shutil.rmtree(model / "interpolation" / "unet")  # loading it will say so
    assert "interpolation" in find_stages(model)


def test_a_stage_shares_what_the_base_has_loaded(both_stages):
    base = load_stage(both_stages, "base")
    interpolation = load_stage(both_stages, "interpolation", shared=base.components)
    assert interpolation.vae is base.vae
    assert interpolation.text_encoder is base.text_encoder
    assert interpolation.unet is not base.unet
    upscaler = load_stage(both_stages, "super_resolution", shared=base.components)
    assert upscaler.vae is not base.vae
    assert upscaler.tokenizer is base.tokenizer


def test_a_stage_that_is_not_there_is_named(model_folder):
    with pytest.raises(CheckpointError, match="has no stage 'interpolation'"):
        load_stage(model_folder, "interpolation")
    with pytest.raises(CheckpointError, match="is for TextToVideoPipeline"):
        InterpolationPipeline.from_pretrained(model_folder)


def lose_a_tensor(folder):
    path = next(folder.glob("*.safetensors"))
    tensors = load_file(path)
    del tensors[sorted(tensors)[3]]
    save_file(tensors, path, metadata={"format": "pt"})


def pickle_weights(folder):
    path = next(folder.glob("*.safetensors"))
    torch.save(load_file(path), folder / "diffusion_pytorch_model.bin")
    path.unlink()


DAMAGES = [
    (lambda model: (model / "interpolation/model_index.json").write_text("["), "cannot be read"),
    (
        lambda model: change_index(model / "interpolation", _class_name="Other"),
        "is for Other, expected InterpolationPipeline",
    ),
    (
        lambda model: change_index(model / "interpolation", vae=["os", "system"]),
        "library 'os', which LaVie does not load",
    ),
    (lambda model: shutil.rmtree(model / "interpolation/unet"), "has no part 'unet'"),
    (lambda model: lose_a_tensor(model / "interpolation/unet"), "lacks 1 of the tensors of 'unet'"),
    (lambda model: lose_a_tensor(model / "vae"), "lacks 1 of its tensors"),
    (lambda model: pickle_weights(model / "vae"), "safetensors"),
    (lambda model: shutil.rmtree(model / "vae"), "has no part 'vae'"),
    (lambda model: (model / "interpolation/vae").touch(), "has no part 'vae'"),
    (lambda model: (model / "interpolation/vae").symlink_to("nowhere"), "has no part 'vae'"),
    (lambda model: (model / "interpolation/vae").mkdir(), "cannot be loaded"),
    (lambda model: (model / "tokenizer/tokenizer.json").unlink(), "does not exist"),
    (lambda model: (model / "model_index.json").unlink(), "has no part"),
    (lambda model: change_index(model, _class_name="Other"), "has no part"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGES)
def test_a_broken_stage_is_refused_in_one_line(model, damage, says):
    damage(model)
    with pytest.raises(CheckpointError, match=says) as caught:
        InterpolationPipeline.from_pretrained(model)
    assert "\n" not in str(caught.value)


def test_a_linked_stage_takes_its_parts_from_where_the_link_is(model, tmp_path):
    elsewhere = shutil.move(model / "interpolation", tmp_path / "elsewhere")
    (model / "interpolation").symlink_to(elsewhere)
    InterpolationPipeline.from_pretrained(model)
    save_stage(make_tiny_interpolation(seed=2), model)  # the link goes, what it led to stays
    assert not (model / "interpolation").is_symlink()
    assert names(tmp_path / "elsewhere") == {"model_index.json", "unet", "scheduler"}


def test_a_stage_is_replaced_whole(model):
    save_stage(make_tiny_interpolation(seed=2), model)
    before = names(model)
    assert {"vae", "text_encoder"} < names(model / "interpolation")
    save_stage(make_tiny_interpolation(seed=0), model)
    assert names(model / "interpolation") == {"model_index.json", "unet", "scheduler"}
    assert names(model) == before


def test_a_failure_while_saving_leaves_the_stage_as_it_was(model, monkeypatch):
    pipeline = make_tiny_interpolation(seed=2)

    def fail(folder):
        raise OSError("No space left on device")

    monkeypatch.setattr(pipeline.unet, "save_pretrained", fail)
    before = names(model)
    with pytest.raises(OSError, match="No space left"):
        save_stage(pipeline, model)
    assert names(model) == before
    InterpolationPipeline.from_pretrained(model)


def test_only_later_stages_go_into_a_base_models_folder(model, tmp_path):
    with pytest.raises(InputError, match="TextToVideoPipeline is no stage that comes after"):
        save_stage(make_tiny_pipeline(), model)
    with pytest.raises(CheckpointError, match="is not a model folder"):
        save_stage(make_tiny_interpolation(), tmp_path)


def test_other_files_in_the_place_of_a_stage_are_kept(model):
    shutil.rmtree(model / "interpolation")
    (model / "interpolation").mkdir()
    (model / "interpolation" / "thesis.txt").touch()
    with pytest.raises(InputError, match="not a model folder"):
        save_stage(make_tiny_interpolation(), model)


def test_no_path_of_this_machine_is_written(model):
    loaded = SuperResolutionPipeline.from_pretrained(model)
    assert save_stage(loaded, str(model)) == model / "super_resolution"
    for path in (model / "super_resolution").rglob("*.json"):
        assert str(model) not in path.read_text(), path


def test_stages_that_are_not_asked_for_are_not_downloaded(model, tmp_path):
    cache = {"cache_dir": tmp_path / "cache"}
    with serve_hub({"owner/name": model}) as hub:
        folder = download_model_folder(
            "owner/name", endpoint=hub.endpoint, without=["super_resolution"], **cache
        )
    assert find_stages(folder) == ("base", "interpolation", "super_resolution")
    assert not (folder / "super_resolution" / "unet").exists()
    cached = {"local_files_only": True, **cache}
    InterpolationPipeline.from_pretrained("owner/name", **cached)
    with pytest.raises(CheckpointError, match="incomplete"):
        SuperResolutionPipeline.from_pretrained("owner/name", **cached)


def test_of_a_model_on_the_hub_the_base_is_known_before_its_download():
    assert find_stages("owner/name-that-nobody-has") == ("base",)
