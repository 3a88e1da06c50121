import json
import logging
import threading

import pytest

from app import texts
from app.model_card import read_model_card
from app.presets import MAX_PRESETS, PRESET_FIELDS, Presets, built_in_presets
from app.request import TextToVideoRequest, check_request
from lavie.errors import InputError

PUBLISHED = "Vchitect/LaVie"
NAMES = list(texts.PRESET_NAMES.values())


@pytest.fixture
def presets(tmp_path):
    return Presets(tmp_path / "data" / "presets.json")


def own(presets, card, owner="me"):
    return {preset.name: preset.values for preset in presets.all(card, owner) if preset.is_own}


@pytest.mark.parametrize("model", ["miniature", PUBLISHED, "tiny"])
def test_built_in_presets_are_valid_for_every_model(model, card, values):
    card = card if model == "tiny" else read_model_card(model)
    chosen = built_in_presets(card)
    assert [preset.name for preset in chosen] == NAMES
    for preset in chosen:
        assert tuple(preset.values) == PRESET_FIELDS
        words = {"prompt": "a panda", "negative_prompt": "", "seed": "7"}
        assert isinstance(
            check_request({**preset.values, **words}, card.ranges), TextToVideoRequest
        )
    assert len({tuple(preset.values.values()) for preset in chosen}) == 4


def test_the_published_model_as_in_the_paper():
    fast, balanced, quality, exact = built_in_presets(read_model_card(PUBLISHED))
    assert (exact.values["scheduler"], exact.values["num_inference_steps"]) == ("ddpm", 50)
    assert exact.values["guidance_scale"] == 7.5
    assert (exact.values["width"], exact.values["height"], exact.values["num_frames"]) == (
        512,
        320,
        16,
    )
    steps = [preset.values["num_inference_steps"] for preset in (fast, balanced, quality)]
    assert steps == [12, 25, 50]
    switches = [(p.values["smooth"], p.values["upscale"]) for p in (fast, balanced, quality, exact)]
    assert switches == [(False, False), (True, False), (True, True), (True, True)]


def test_the_miniature_takes_no_more_steps_than_help_it():
    fast, balanced, quality, _ = built_in_presets(read_model_card("miniature"))
    steps = [preset.values["num_inference_steps"] for preset in (fast, balanced, quality)]
    assert steps == [8, 16, 16]
    assert quality.values["smoothing_steps"] == quality.values["upscaling_steps"] == 1


def test_a_saved_preset_comes_back_to_its_owner_only(presets, card, values):
    asked = {**values, "num_inference_steps": "9", "guidance_scale": 2.5, "smooth": True}
    assert presets.save("  my\tfavourite\x00 ", asked, "me") == "my favourite"
    (saved,) = own(Presets(presets._file), card).values()
    assert saved["num_inference_steps"] == 9
    assert (saved["guidance_scale"], saved["smooth"]) == (2.5, True)
    assert "prompt" not in saved
    assert own(presets, card, "you") == {}
    presets.delete("my favourite", "you")
    assert own(presets, card)
    presets.delete("my favourite", "me")
    assert own(presets, card) == {}
    presets.delete("my favourite", "me")  # nothing to do


def test_a_preset_of_another_model_is_valid_for_this_one(presets, card, values):
    large = {**values, "width": 512, "num_inference_steps": 90, "upscale": True}
    presets.save("large", large, "me")
    (saved,) = own(presets, card).values()
    assert (saved["width"], saved["num_inference_steps"], saved["upscale"]) == (64, 90, True)
    assert isinstance(check_request({**values, **saved}, card.ranges), TextToVideoRequest)


def test_a_preset_can_be_saved_anew(presets, card, values):
    presets.save("mine", values, "me")
    presets.save("mine", {**values, "num_frames": 8}, "me")
    assert [saved["num_frames"] for saved in own(presets, card).values()] == [8]


@pytest.mark.parametrize("name", ["", "  ", "\x00\n", "x" * 41, None, 5, "fast", "Best Quality"])
def test_a_name_that_is_none_is_refused(presets, values, name):
    with pytest.raises(InputError) as caught:
        presets.save(name, values, "me")
    assert caught.value.field == "preset"
    assert not presets._file.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", "wide"),
        ("width", float("nan")),
        ("num_frames", 10**400),
        ("guidance_scale", None),
        ("scheduler", "heun"),
        ("smooth", "yes"),
    ],
)
def test_a_value_that_no_model_can_have_is_refused(presets, values, field, value):
    with pytest.raises(InputError) as caught:
        presets.save("mine", {**values, field: value}, "me")
    assert caught.value.field == field


def test_there_are_at_most_fifty_of_one_owner(presets, card, values):
    for number in range(MAX_PRESETS):
        presets.save(f"number {number}", values, "me")
    with pytest.raises(InputError, match="There are 50 saved presets already"):
        presets.save("one more", values, "me")
    presets.save("number 7", values, "me")
    presets.save("one more", values, "you")
    assert len(own(presets, card)) == MAX_PRESETS


BROKEN = ["", "[", "[]", '{"me": 1}', '{"me": {"mine": 1}}', "[" * 100_000, "\x00"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_breaks_nothing_and_is_set_aside(presets, card, values, content, caplog):
    presets._file.parent.mkdir()
    presets._file.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert [preset.name for preset in presets.all(card, "me")] == NAMES
    assert "presets.json" in caplog.text
    presets.save("mine", values, "me")
    assert list(own(presets, card)) == ["mine"]
    assert presets._file.with_suffix(".broken.json").read_text() == content


def test_values_that_somebody_wrote_into_the_file_are_made_valid(presets, card, values):
    presets._file.parent.mkdir()
    wrong = {field: [{}] for field in PRESET_FIELDS}
    presets._file.write_text(json.dumps({"me": {"mine": wrong}}))
    (saved,) = own(presets, card).values()
    assert isinstance(check_request({**values, **saved}, card.ranges), TextToVideoRequest)


def test_saving_at_once_loses_nothing(presets, card, values):
    names = [f"number {number}" for number in range(12)]
    threads = [threading.Thread(target=presets.save, args=(name, values, "me")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(own(presets, card)) == sorted(names)
    assert [path.name for path in presets._file.parent.iterdir()] == ["presets.json"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path, values):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Presets cannot be saved"):
        Presets(tmp_path / "file" / "presets.json").save("mine", values, "me")
