"""What the tab Personalised LoRA shows, as HTML and SVG."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from app.loras import cards, given_pictures, learning
from app.loras.curve import curve, smoothed
from app.loras.given_pictures import captions_of, example_sets, key_of
from app.loras.small_pictures import picture_of
from app.loras.view import LoraView, Sample
from app.loras.words import first_prompt, suggest_token
from lavie.pipelines.limits import MAX_PROMPT_LENGTH
from lora.limits import MAX_LORAS
from lora.pictures import PictureCheck
from lora.registry import Entry


def entry(**told) -> Entry:
    usual = {
        "id": "0123456789abcdef",
        "name": "Biscuit",
        "token": "bsctzq",
        "class_word": "dog",
        "kind": "thing",
        "base_model": "miniature",
        "base_hash": "",
        "created": datetime(2026, 1, 2, tzinfo=UTC),
        "owner": "",
        "tags": (),
        "rank": 8,
        "num_bytes": 1_200_000,
        "sha256": "",
        "file": Path("lora.safetensors"),
        "thumbnail": None,
    }
    return Entry(**{**usual, **told})


def check(name: str, **found) -> PictureCheck:
    return PictureCheck(Path(name), name, 64, 48, **found)


def view(**told) -> LoraView:
    usual = {
        "job_id": "a",
        "points": [(1, 0.5), (2, 0.25)],
        "num_steps": 10,
        "step": 2,
        "samples": [],
        "pictures": [],
        "name": "Biscuit",
        "token": "bsctzq",
        "class_word": "dog",
        "entry_id": "",
        "state": "running",
        "is_paused": False,
        "can_finish": False,
    }
    return LoraView(**{**usual, **told})


def svg_of(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])


def test_the_curve_is_said_in_words_and_stays_inside_its_picture():
    points = [(step, 1 / step) for step in range(1, 51)]
    svg = svg_of(curve(points, 100))
    assert svg.get("role") == "img"
    assert "at step 50 of 100. Lower is better." in svg.get("aria-label", "")
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    for path in svg.findall("path"):
        if path.get("class") == "curve-raw":
            continue  # what leaps is cut off
        numbers = [float(number) for number in re.findall(r"[\d.]+", path.get("d", ""))]
        assert all(0 <= x <= width for x in numbers[::2])
        assert all(0 <= y <= height for y in numbers[1::2])


@pytest.mark.parametrize("points", [[], [(1, 0.3)], [(1, 0.3), (2, 0.3)]])
def test_a_curve_of_little_or_nothing_can_be_drawn(points):
    assert ("<svg" in curve(points, 0)) == bool(points)


def test_the_smooth_curve_begins_where_the_loss_does():
    assert smoothed([(1, 4.0), (2, 4.0)]) == [(1, 4.0), (2, pytest.approx(4.0))]


def test_the_table_tells_of_each_picture_what_is_to_be_known_the_worst_first():
    checks = [
        check("fine.png"),
        check("soft.png", warning="'soft.png' is blurred."),
        check("tiny.png", problem="'tiny.png' has only 4x4 pixels."),
    ]
    html = given_pictures.table(checks, None)
    assert re.findall('lora-picture-name">([^<]+)', html) == ["tiny.png", "soft.png", "fine.png"]
    assert "2 of 3 pictures can be used" in html
    assert html.count("data-key=") == 2  # nothing is said about one that is left out
    assert html.count('data-action="remove"') == 3
    assert given_pictures.table([], None) == ""


def test_too_few_pictures_are_said_beside_the_table_unless_there_is_worse_to_say():
    checks = [check("fine.png")]
    assert "More would teach &lt;more&gt;." in given_pictures.table(
        checks, None, "More would teach <more>."
    )
    html = given_pictures.table(checks, "None can be used.", "More would teach more.")
    assert "None can be used." in html
    assert "More would" not in html


def test_as_much_can_be_said_of_a_picture_as_is_learnt_from():
    assert f'maxlength="{MAX_PROMPT_LENGTH}"' in given_pictures.table([check("fine.png")], None)


def test_names_of_files_are_shown_as_text():
    html = given_pictures.table([check("<b>${x}{y}.png")], "<i>")
    assert "<b>" not in html
    assert "<i>" not in html
    assert "${" not in html


@pytest.mark.parametrize("typed", ["", "{", "[]", "1", None, json.dumps({"x": "y"}), "[" * 10**5])
def test_descriptions_that_cannot_be_read_are_none(typed):
    assert captions_of(typed, [Path("a.png")]) == [""]


def test_descriptions_belong_to_their_pictures():
    paths = [Path("a.png"), Path("b.png"), Path("c.png")]
    typed = json.dumps({key_of(paths[1]): "a dog", key_of(paths[2]): 3})
    assert captions_of(typed, paths) == ["", "a dog", ""]


def test_example_sets_are_read_from_their_folders(tmp_path):
    folder = tmp_path / "mascot"
    folder.mkdir()
    for name in ("2.png", "1.png"):
        Image.new("RGB", (64, 64), "red").save(folder / name)
    told = {"name": "Mascot", "token": "zog", "class_word": "animal", "kind": "thing"}
    (folder / "set.json").write_text(json.dumps(told))
    (example,) = example_sets(tmp_path)
    assert [path.name for path in example.pictures] == ["1.png", "2.png"]
    html = given_pictures.examples([example])
    assert 'data-subject="mascot"' in html
    assert html.count("data:image/webp;base64,") == 2
    assert given_pictures.examples([]) == ""


def test_a_small_picture_of_nothing_is_none(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    assert picture_of(None) == picture_of(tmp_path / "text.png") == picture_of(tmp_path / "x") == ""


def test_samples_stand_beside_the_pictures_and_the_newest_is_shown():
    samples = [Sample(step, Path(f"/data/results/step-{step}.webp")) for step in (0, 50)]
    html = learning.samples(view(samples=samples, pictures=["data:image/webp;base64,AA"]), False)
    assert re.findall('aria-pressed="(true|false)"', html) == ["false", "true"]
    assert "lora-given" in html
    assert "Before" in html
    assert "lora-given" not in learning.samples(view(samples=samples), True)  # they are deleted


def test_a_name_is_shown_as_text_wherever_it_stands():
    bad = entry(name="<b>", token="{zog}", tags=("<i>",))
    for html in (
        cards.cards([bad], ""),
        cards.about(bad),
        cards.picker([bad], "#box", "#field", "Your LoRAs", "info", is_open=True),
        learning.title(view(name="<b>"), False),
        cards.unfinished([view(name="<b>{zog}")], ""),
    ):
        assert "<b>" not in html
        assert "<i>" not in html
        assert "{zog}" not in html


def test_trainings_without_a_lora_are_listed_but_for_the_one_on_the_screen():
    told = [
        view(job_id="a", name="Tin", state="queued", step=0),
        view(job_id="b", name="Owl", state="cancelled", step=3),
        view(job_id="c", name="Cup", state="failed", step=0),
    ]
    assert cards.unfinished(told[:1], "a") == ""
    html = cards.unfinished(told, "a")
    assert re.findall('data-subject="(.)"', html) == ["b", "c"]
    assert "Paused at step 3 of 10" in html
    assert "Failed<" in html


def test_the_opened_card_is_marked_and_an_empty_list_says_so():
    html = cards.cards([entry(), entry(id="b")], "b")
    assert html.count('aria-current="true"') == 1
    assert "Nothing here yet" in cards.cards([], "")


def test_a_choice_names_its_text_box_and_there_is_none_without_loras():
    box, sentence = "#loras-text textarea", "#prompt textarea"
    html = cards.picker([entry()], box, sentence, "Your LoRAs", "", is_open=True)
    assert 'data-box="#loras-text textarea"' in html
    assert 'aria-label="Strength of Biscuit"' in html
    assert f'data-most="{MAX_LORAS}"' in html
    assert f'max="{cards.LARGEST_OFFERED}"' in html
    assert cards.picker([], "", "", "", "", is_open=True) == ""
    assert json.loads(cards.chosen("a")) == [{"id": "a", "weight": 1}]


def test_a_lora_of_other_weights_of_the_model_has_a_note_beside_it():
    pair, told = [entry(id="a"), entry(id="b")], ("#box", "#field", "Your LoRAs", "")
    note = "Made for other weights of this model; it may look different."
    html = cards.picker(pair, *told, is_open=True, of_other_weights=["b"])
    assert [note in item for item in html.split("<li>")] == [False, False, True]
    assert note in cards.about(pair[0], is_of_other_weights=True)
    assert note not in cards.about(pair[0])


@pytest.mark.parametrize(("is_open", "words"), [(True, "zog dog"), (False, "zog")])
def test_a_small_model_is_told_no_class_that_it_was_not_taught(is_open, words):
    uses = [entry(token="zog", class_word="dog")]
    html = cards.picker(uses, "#box", "#sentence", "Your LoRAs", "", is_open=is_open)
    assert f'data-say="{words}"' in html


@pytest.mark.parametrize(
    ("name", "token"),
    [("Biscuit", "bsctzq"), ("Zoë", "zzqxz"), ("O", "ozqxz"), ("Teddy the bear", "tddyth")],
)
def test_a_trigger_word_is_rare_and_looks_like_the_name(name, token):
    assert suggest_token(name) == token


@pytest.mark.parametrize("name", ["", "狗", "123", "-"])
def test_no_trigger_word_is_thought_of_without_letters(name):
    assert suggest_token(name) == ""


@pytest.mark.parametrize(
    ("kind", "class_word", "sentence"),
    [
        ("thing", "", "a zog moving left over the ocean"),
        ("character", "dog", "a zog moving left over the ocean"),
        ("style", "", "a fox moving left over the ocean, in zog"),
    ],
)
def test_a_first_sentence_is_said_as_it_was_learnt_in_words_that_the_model_knows(
    card, kind, class_word, sentence
):
    said = first_prompt(card, entry(token="zog", class_word=class_word, kind=kind))
    assert said == sentence
    assert card.unknown_words(said) == ["zog"]


def test_a_first_sentence_for_a_model_of_open_language_names_the_class(card):
    open_card = replace(card, vocabulary=None)
    assert "zog dog" in first_prompt(open_card, entry(token="zog", class_word="dog"))
    assert ", zog style" in first_prompt(open_card, entry(token="zog", kind="style"))
    assert first_prompt(open_card, entry(token="")) == ""
