"""Films for programs, on a tiny model that goes on from frames."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from lavie.media import read_video
from tests.integration.studio import Studio, serving
from tests.tiny import write_tiny_film_model

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

STORY = "a fox | 0.75\na panda | 0.5"


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    model = write_tiny_film_model(tmp_path_factory.mktemp("model"))
    with serving(tmp_path_factory.mktemp("studio"), "--model", str(model)) as studio:
        yield studio


@pytest.fixture(scope="module")
def ask(client):
    return lambda name, **arguments: client.predict(api_name=f"/{name}", **arguments)


@pytest.fixture(scope="module")
def finish(client, ask):
    def finish(name, **arguments) -> dict:
        job_id = ask(name, **arguments)["id"]
        job = client.submit(job_id, api_name="/follow").result(timeout=300)
        assert (job["state"], job["error"]) == ("done", None)
        return job

    return finish


@pytest.fixture(scope="module")
def film(finish) -> dict:
    return finish("film", story=STORY, seed=3)


@pytest.fixture
def frames(ask):
    return lambda job: read_video(Path(ask("files", job_id=job["id"], format="mp4"))).frames


def test_a_story_becomes_a_film(film):
    assert film["stages"] == ["long_video"]
    assert film["prompt"] == "a fox | a panda"
    assert [part["num_frames"] for part in film["settings"]["parts"]] == [6, 4]
    assert [result["num_frames"] for result in film["results"]] == [10]


def test_a_film_is_made_again_from_a_part_on(film, finish, frames):
    again = finish("redo", job_id=film["id"], part=1, story="a fox | 0.75\na car | 0.5", seed=9)
    assert again["prompt"] == "a fox | a car"
    parts, before = (job["settings"]["parts"] for job in (again, film))
    assert parts[0] == before[0]
    assert parts[1]["seed"] != before[1]["seed"]
    assert np.abs(frames(again)[:5].astype(int) - frames(film)[:5]).mean() < 8  # encoded anew


def test_a_film_goes_on_from_a_film(film, finish):
    longer = finish("film", story="a car | 0.5", go_on_from=film["id"])
    assert longer["results"][0]["num_frames"] == 14


def test_a_picture_comes_to_life(finish, tmp_path):
    Image.new("RGB", (48, 32), "red").save(tmp_path / "red.png")
    start = handle_file(str(tmp_path / "red.png"))
    job = finish("film_from", start=start, story="a fox | 0.5")
    assert job["results"][0]["num_frames"] == 4  # half a second, the picture among them


def test_a_picture_becomes_another_one_with_settings_of_ones_own(finish, frames, tmp_path):
    for colour in ("red", "blue"):
        Image.new("RGB", (48, 32), colour).save(tmp_path / f"{colour}.png")
    red, blue = (handle_file(str(tmp_path / f"{colour}.png")) for colour in ("red", "blue"))
    settings = {"num_inference_steps": 2, "smooth": True, "negative_prompt": "a pig"}
    job = finish("film_from", start=red, story="a fox | 0.5", end=blue, settings=settings, seed="3")
    assert job["stages"] == ["long_video", "interpolation"]
    assert job["settings"]["num_inference_steps"] == 2
    assert job["settings"]["negative_prompt"] == "a pig"
    turned = finish("film_from", start=blue, story="a fox | 0.5", end=red, seed="3")
    assert not np.array_equal(frames(job)[-1], frames(turned)[-1])


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("film", {"story": ""}, "The story has no lines"),
        ("film", {"story": "a fox\n" * 10_000}, "The story has 10,000 lines"),
        ("film", {"story": "a fox | 9999"}, "Line 1 of the story"),
        ("film", {"story": {"a": 1}}, "is no story"),
        ("film", {"story": STORY, "overlap": 6}, "Overlap 6 is not between 1 and 5"),
        ("film", {"story": STORY, "go_on_from": "none"}, "There is no job none"),
        ("redo", {"job_id": "none", "part": 0}, "There is no job none"),
        ("film_from", {"settings": {"colour": 1}}, "settings are not what a film takes. Give some"),
        ("film_from", {"settings": {"overlap": 9}}, "Overlap 9 is not between 1 and 5"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(ask, tmp_path, name, arguments, sentence):
    if name == "film_from":
        Image.new("RGB", (48, 32)).save(tmp_path / "a.png")
        arguments = {"start": handle_file(str(tmp_path / "a.png")), "story": STORY, **arguments}
    with pytest.raises(AppError, match=sentence):
        ask(name, **arguments)


def test_a_part_that_is_not_there_is_refused(ask, film):
    for part in (9, -1, "first"):
        with pytest.raises(AppError, match="no such part"):
            ask("redo", job_id=film["id"], part=part)


def test_a_text_called_a_picture_is_refused(ask, tmp_path):
    (tmp_path / "a.png").write_text("a text")
    with pytest.raises(AppError, match="not what its name says"):
        ask("film_from", start=handle_file(str(tmp_path / "a.png")), story=STORY)
