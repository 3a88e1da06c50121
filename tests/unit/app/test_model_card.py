import shutil
from pathlib import Path

import pytest

from app.model_card import read_model_card
from app.words import compose, words_of
from lavie.convert.published import NETWORKS
from lavie.convert.sources import REQUIRED_PARTS
from lavie.data.world import caption_words
from lavie.errors import CheckpointError
from tests.unit.app.files import write_json

SEINE = NETWORKS["long_video"].repositories[0]


def write_original_files(folder: Path) -> None:
    """The names of the published files, without what is in them."""
    parts = (folder / "stable-diffusion-v1-4" / part for part in REQUIRED_PARTS)
    for file in [folder / "lavie_base.pt", *parts]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_defaults_and_limits_come_from_the_model_folder(card):
    assert card.ranges["width"].default == 64
    assert card.ranges["height"].step == 4
    assert card.ranges["num_inference_steps"].default == 4
    assert card.ranges["num_frames"].default == 16


def test_a_small_tokenizer_is_a_closed_vocabulary(card):
    assert card.unknown_words("A dragon, over the Ocean! Dragon?") == ["dragon"]
    assert card.unknown_words("the fox moving left") == []
    assert card.knows_nothing_of("dragons everywhere")
    assert not card.knows_nothing_of("a dragon")


def test_what_a_tokenizer_spells_with_are_no_words(write_model):
    card = read_model_card(str(write_model(["o", "o</w>", "2</w>", "pan", "a</w>", "panda</w>"])))
    assert card.vocabulary == {"a", "panda"}
    assert card.unknown_words("a pan, a panda o 2 pandas") == ["pan", "o", "2", "pandas"]


def test_a_word_with_an_apostrophe_is_one_word(card):
    assert card.unknown_words("the fox's snow, the fox’s snow") == ["fox's", "fox’s"]


def test_the_miniature_knows_the_words_of_its_captions_and_no_others():
    assert read_model_card("miniature").vocabulary == caption_words()


def test_a_large_tokenizer_speaks_open_language(write_model):
    card = read_model_card(str(write_model([f"word{i}</w>" for i in range(20_000)])))
    assert card.vocabulary is None
    assert card.unknown_words("a dragon") == []
    assert not card.knows_nothing_of("a dragon")
    assert words_of(card) is None


def test_only_known_words_are_offered(card):
    words = words_of(card)
    assert words is not None
    assert [name for _, name in words.subjects] == ["panda", "fox"]
    assert [name for _, name in words.motions] == ["left", "right"]
    assert [name for _, name in words.places] == ["ocean", "snow"]


def test_offered_words_and_examples_are_understood(card):
    words = words_of(card)
    assert words is not None
    assert all(not card.unknown_words(example) for example in words.examples())
    sentence = compose(*words.complete("panda", None, None))
    assert "panda" in sentence
    assert not card.unknown_words(sentence)


def test_a_small_model_of_another_world_offers_no_words(write_model):
    card = read_model_card(str(write_model(["bonjour</w>", "monde</w>"])))
    assert card.vocabulary == {"bonjour", "monde"}
    assert words_of(card) is None


def test_a_hub_id_opens_with_the_published_settings():
    card = read_model_card("someone/a-model")
    assert (card.ranges["height"].default, card.ranges["width"].default) == (320, 512)
    assert card.ranges["num_inference_steps"].default == 50
    assert card.vocabulary is None
    assert card.stages == ("base",)


def test_the_published_repository_has_all_stages():
    card = read_model_card("Vchitect/LaVie")
    assert card.stages == tuple(card.weights) == ("base", "interpolation", "super_resolution")
    assert card.ranges["upscaling_steps"].default == 50


def test_an_absent_folder_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="is not a folder"):
        read_model_card(str(tmp_path / "absent"))


def test_a_broken_file_is_named(model_folder):
    (model_folder / "vae" / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read"):
        read_model_card(str(model_folder))


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is not a model folder"):
        read_model_card(str(tmp_path))


def test_a_folder_of_published_files_opens_with_the_published_sizes(tmp_path):
    write_original_files(tmp_path)
    card = read_model_card(str(tmp_path))
    assert (card.ranges["height"].default, card.ranges["width"].default) == (320, 512)
    assert card.stages == ("base",)
    (tmp_path / "lavie_interpolation.pt").touch()
    assert read_model_card(str(tmp_path)).stages == ("base", "interpolation")


def test_published_files_without_the_other_parts_are_refused_by_name(tmp_path):
    write_original_files(tmp_path)
    (tmp_path / "stable-diffusion-v1-4" / "vae" / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"vae/config\.json does not exist"):
        read_model_card(str(tmp_path))


def test_a_model_says_which_stages_it_has_and_their_steps(card, model_folder):
    assert card.stages == ("base", "long_video", "interpolation", "super_resolution")
    assert card.ranges["smoothing_steps"].default == 8
    shutil.rmtree(model_folder / "interpolation")
    card = read_model_card(str(model_folder))
    assert card.stages == ("base", "long_video", "super_resolution")
    assert card.ranges["upscaling_steps"].default == 8


def test_a_stage_for_another_pipeline_is_refused(model_folder):
    write_json(
        model_folder / "interpolation" / "model_index.json", {"_class_name": "TextToVideoPipeline"}
    )
    with pytest.raises(CheckpointError, match="expected InterpolationPipeline"):
        read_model_card(str(model_folder))


def test_a_larger_network_weighs_more_and_one_on_smaller_cells_too(model_folder):
    for stage, num_bytes in (("", 100), ("interpolation", 300), ("super_resolution", 50)):
        unet = model_folder / stage / "unet"
        unet.mkdir()
        (unet / "diffusion_pytorch_model.safetensors").write_bytes(bytes(num_bytes))
    vae = (
        model_folder / "super_resolution" / "vae" / "config.json"
    )  # the other stage shares the base's
    write_json(vae, {"block_out_channels": [8, 16]})
    weights = read_model_card(str(model_folder)).weights
    assert weights["interpolation"] / weights["base"] == 3
    assert weights["super_resolution"] / weights["base"] == 0.5 * 4


def test_a_stage_without_guidance_weighs_half():
    card = read_model_card("miniature")
    assert [card.own_settings[stage]["guidance_scale"] for stage in card.stages] == [
        *[3.0, 2.0],  # base and long video
        *[1.0, 1.0],
    ]
    assert card.weights["interpolation"] / card.weights["base"] == pytest.approx(0.5, rel=0.01)


def test_the_words_beyond_what_the_model_reads_are_told():
    card = read_model_card("miniature")
    prompt = "a panda moving left over the ocean"
    assert card.unread_words(prompt) == []
    long = f"{prompt} and {prompt} and a fox moving right in the snow"  # 18 and two marks: to "fox"
    assert card.unread_words(long) == ["moving", "right", "in", "the", "snow"]
    assert card.unread_words(f"{prompt}\n and  {prompt} and dragon fly") == ["dragon", "fly"]


def test_a_model_that_does_not_tell_how_much_it_reads_is_trusted(card):
    assert card.unread_words("panda " * 500) == []


def test_a_later_stage_may_be_another_models(model_folder, tmp_path):
    shutil.move(model_folder / "long_video", tmp_path / "films")
    index = {"_class_name": "LongVideoPipeline", "default_height": 40, "default_width": 64}
    write_json(tmp_path / "films" / "model_index.json", {**index, "default_num_inference_steps": 9})
    write_json(tmp_path / "films" / "vae" / "config.json", {"block_out_channels": [8, 16, 16]})
    shutil.copytree(model_folder / "tokenizer", tmp_path / "films" / "tokenizer")
    alone = read_model_card(str(model_folder))
    assert not alone.goes_on_from_frames
    card = read_model_card(str(model_folder), {"long_video": str(tmp_path / "films")})
    assert card.stages == ("base", "long_video", "interpolation", "super_resolution")
    assert card.own_settings["long_video"]["num_inference_steps"] == 9
    assert card.weights["long_video"] > 0
    assert card.ranges == alone.ranges


def test_the_steps_of_another_models_stage_are_its_own(model_folder, tmp_path):
    shutil.move(model_folder / "interpolation", tmp_path / "smooth")
    index = {"_class_name": "InterpolationPipeline", "default_num_inference_steps": 120}
    write_json(tmp_path / "smooth" / "model_index.json", index)
    write_json(tmp_path / "smooth" / "vae" / "config.json", {"block_out_channels": [8, 16, 16]})
    card = read_model_card(str(model_folder), {"interpolation": str(tmp_path / "smooth")})
    steps = card.ranges["smoothing_steps"]
    assert (steps.maximum, steps.default) == (120, 120)


def test_films_of_another_size_do_not_go_with_a_model(model_folder, tmp_path):
    shutil.move(model_folder / "long_video", tmp_path / "films")
    write_json(tmp_path / "films" / "vae" / "config.json", {"block_out_channels": [8, 16, 16]})
    shutil.copytree(model_folder / "tokenizer", tmp_path / "films" / "tokenizer")
    with pytest.raises(CheckpointError, match="films of 512x320, but the model makes .* 64x40"):
        read_model_card(str(model_folder), {"long_video": str(tmp_path / "films")})
    with pytest.raises(CheckpointError, match="expected LongVideoPipeline"):
        read_model_card(str(model_folder), {"long_video": str(model_folder / "interpolation")})


def test_films_of_other_words_do_not_go_with_a_model(model_folder, write_model):
    other = write_model(["bonjour</w>", "monde</w>"])
    index = {"_class_name": "LongVideoPipeline", "default_height": 40, "default_width": 64}
    write_json(other / "long_video" / "model_index.json", index)
    read_model_card(str(other), {"long_video": str(other)})
    with pytest.raises(CheckpointError, match="was taught other words than the model"):
        read_model_card(str(model_folder), {"long_video": str(other)})


def test_published_files_without_a_stage_are_refused_for_it(model_folder, tmp_path):
    published = tmp_path / "published"
    write_original_files(published)
    with pytest.raises(CheckpointError, match="has stage base, expected long_video"):
        read_model_card(str(published), {"long_video": str(published)})
    (published / "seine.pt").touch()
    read_model_card(str(published), {"long_video": str(published)})
    (published / "lavie_vsr.pt").touch()  # without its Stable Diffusion
    with pytest.raises(CheckpointError, match=r"config\.json does not exist"):
        read_model_card(str(published), {"super_resolution": str(published)})


def test_a_hub_id_without_a_stage_is_refused_for_it():
    assert "long_video" in read_model_card("Vchitect/LaVie", {"long_video": SEINE}).stages
    with pytest.raises(CheckpointError, match="expected long_video"):
        read_model_card("Vchitect/LaVie", {"long_video": "Vchitect/LaVie"})
    with pytest.raises(CheckpointError, match="expected interpolation"):
        read_model_card("Vchitect/LaVie", {"interpolation": "someone/a-model"})
