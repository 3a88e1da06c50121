"""What may be asked for of a training, with every rule that a form can break."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.loras.check import LORA_FIELDS, check_training
from app.loras.request import LoraTrainingRequest
from app.loras.service import Loras
from app.uploads import MAX_PICTURE_PIXELS
from lora.efforts import num_steps_of
from tests.unit.app.loras.conftest import write_pictures


@pytest.fixture
def check(card, tmp_path):
    (tmp_path / "data").mkdir(exist_ok=True)
    return lambda values: check_training(values, card, tmp_path / "data")


def test_a_form_is_a_training_and_keeps_nothing_yet(check, training, tmp_path):
    request = check({**training, "name": " My \n zog ", "captions": ["in\tthe snow", "", ""]})
    assert isinstance(request, LoraTrainingRequest)
    assert (request.name, request.seed, request.num_pictures) == ("My zog", 3, 3)
    assert request.captions == ("in the snow", "", "")
    assert request.training.num_steps == 6
    assert [str(picture.file) for picture in request.pictures] == training["pictures"]
    assert not (tmp_path / "data" / "given").exists()


def test_the_pictures_of_a_training_are_kept_anew(service, training):
    service.pause(True)
    request = Loras(service).submit(training).request
    kept = [picture.file for picture in request.pictures]
    assert all(file.parent == service.data / "given" for file in kept)
    with Image.open(kept[0]) as image:
        assert (image.format, image.size, image.info) == ("PNG", (64, 40), {})


def test_what_is_left_out_is_decided(check, training):
    for name in ("seed", "num_steps", "prompt"):
        del training[name]
    request = check(training)
    assert "zog" in request.sample_prompt
    assert request.training.num_steps == num_steps_of("quick", True)
    thorough = check({**training, "effort": "thorough"})
    assert thorough.training.num_steps == num_steps_of("thorough", True)
    assert check(training).seed != request.seed


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("pictures", [], "There are no pictures"),
        ("pictures", None, "There are no pictures"),
        ("pictures", "x", "list of files"),
        ("pictures", [5], "list of files"),
        ("pictures", {"a": 1}, "list of files"),
        ("pictures", ["x.png"] * 101, "at most 100"),
        ("pictures", ["/etc/passwd"], "Picture 1: A file called like that"),
        ("pictures", ["/nowhere/x.png"], "Picture 1: That file cannot be read"),
        ("captions", "x", "list of texts"),
        ("captions", [5, 5, 5], "list of texts"),
        ("captions", ["x"], "1 captions for 3 pictures"),
        ("captions", ["", "", "a" * 1001], "caption of picture 3 is too long"),
        ("name", "", "no name"),
        ("name", None, "no name"),
        ("name", 5, "has to be a text"),
        ("name", "\x1b\u202e", "no name"),
        ("name", "a" * 81, "at most 80"),
        ("name", "a" * 100_000, "at most 80"),
        ("token", "", "no trigger word"),
        ("token", 5, "no trigger word"),
        ("token", "../x", "cannot be a trigger word"),
        ("token", "Zog", "cannot be a trigger word"),
        ("token", "a" * 33, "cannot be a trigger word"),
        ("token", "<b>", "cannot be a trigger word"),
        ("token", "fox", "already means something"),
        ("class_word", 5, "at most 40"),
        ("class_word", "a" * 41, "at most 40"),
        ("kind", "x", "no kind of LoRA"),
        ("kind", None, "no kind of LoRA"),
        ("kind", [], "no kind of LoRA"),
        ("effort", "x", "no amount of training"),
        ("effort", {}, "no amount of training"),
        ("keeps_pictures", "yes", "on or off"),
        ("keeps_pictures", None, "on or off"),
        ("seed", "x", "not a number"),
        ("seed", 2**32, "between"),
        ("num_steps", 0, "between 1 and"),
        ("num_steps", "1e9", "between 1 and"),
        ("prompt", 5, "must be text"),
        ("prompt", "a" * 1001, "at most 1,000"),
    ],
)
def test_each_broken_rule_has_its_sentence(check, training, tmp_path, field, value, sentence):
    (error,) = check({**training, field: value})
    assert sentence in str(error)
    assert error.field == field
    assert not (tmp_path / "data" / "given").exists()


def test_everything_that_is_wrong_is_told_at_once(check):
    errors = check({})
    assert {error.field for error in errors} == set(LORA_FIELDS) - {"class_word", "captions"}


def bad_pictures(folder):
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "small.png")
    Image.new("RGB", (64, 40), "red").save(folder / "plain.png")
    (folder / "text.png").write_text("<svg onload=alert(1)>")
    Image.new("RGB", (64, 40)).save(folder / "a.gif")
    (folder / "a.gif").rename(folder / "gif.png")
    whole = (folder / "plain.png").read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:200])
    (folder / "nul\x01.png").write_bytes(whole)
    side = int(MAX_PICTURE_PIXELS**0.5) + 8
    Image.new("1", (side, side)).save(folder / "bomb.png")
    (folder / "link.png").symlink_to("/etc/passwd")
    return sorted(folder.glob("*"))


def test_pictures_that_cannot_be_used_are_refused_before_they_are_kept(check, training, tmp_path):
    files = bad_pictures(tmp_path / "bad")
    assert len(files) == 8
    for file in files:
        (error,) = check({**training, "pictures": [*training["pictures"], str(file)]})
        assert error.field == "pictures"
        assert str(error).startswith("Picture 4: ")
        assert str(tmp_path) not in str(error)
    assert not (tmp_path / "data" / "given").exists()


def test_a_photograph_of_a_usual_camera_is_used(tmp_path, service):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(noise).resize((6000, 4000)).save(tmp_path / "DSC_0001.jpg", quality=50)
    Image.new("1", (8000, 8000)).save(tmp_path / "poster.png")
    photograph, poster = Loras(service).check_pictures(sorted(map(str, tmp_path.glob("*.*g"))))
    assert (photograph.problem, photograph.width, photograph.height) == (None, 6000, 4000)
    assert poster.problem == "That picture has more than 50 million pixels. Make it smaller."


def test_no_more_pixels_are_looked_at_than_in_all(check, training, monkeypatch):
    monkeypatch.setattr("app.loras.pictures.MAX_PIXELS_IN_ALL", 2 * 40 * 64)
    (error,) = check(training)
    assert str(error).startswith("Picture 3: The pictures before this one")


def test_a_picture_is_held_against_the_height_of_the_models_videos(tmp_path, service):
    loras, (file,) = Loras(service), write_pictures(tmp_path / "good", 1)
    own = service.card.ranges["height"]
    heights = {41: "only 64x40 pixels, and videos are 41 high", 40: None}
    for height, said in heights.items():
        ranges = {**service.card.ranges, "height": replace(own, default=height)}
        service._card = replace(service.card, ranges=ranges)
        (check,) = loras.check_pictures([file])
        assert check.problem is None
        assert said in check.warning if said else check.warning is None


def test_every_picture_is_looked_at_and_told_apart(card, tmp_path, service):
    good = write_pictures(tmp_path / "good", 2)
    bad = [str(file) for file in bad_pictures(tmp_path / "bad")]
    loras = Loras(service)
    checks = loras.check_pictures([good[0], *bad, good[1], good[0]])
    assert [check.problem is None for check in checks] == [True, *[False] * 8, True, True]
    assert checks[-1].twin_of == 0
    assert loras.check_set(checks) is None
    assert loras.check_set(loras.check_pictures(bad)) is not None
