"""Films as jobs: stopped, gone on with after a restart, made again from a part on."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.films.check import film_ranges
from app.films.page import player_value, timeline
from app.films.parts import count_done
from app.films.service import Films
from app.jobs.crew import ThreadCrew
from app.model_card import read_model_card
from app.runner import CascadeRunner
from app.service import Service
from lavie.errors import InputError
from tests.tiny import write_tiny_cascade, write_tiny_film_model

STORY = json.dumps([{"prompt": "a fox", "seconds": 0.75}, {"prompt": "a panda", "seconds": 0.5}])
NUM_PARTS = 2
LONG = 60  # seconds to wait at most


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_film_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def runner(model):
    return CascadeRunner(model)


@pytest.fixture
def running(model, runner, tmp_path):
    """A studio on the same data each time."""

    @contextmanager
    def running():
        service = Service(read_model_card(model), ThreadCrew(runner), tmp_path / "data")
        service.start()
        yield service, Films(service)
        service.stop()

    return running


def values(service, **changes):
    usual = {name: limits.default for name, limits in film_ranges(service.card).items()}
    switches = {"smooth": False, "upscale": False, "ends": False, "begin": "nothing"}
    return {**usual, **switches, "story": STORY, "negative_prompt": "", "seed": "3", **changes}


def test_a_stopped_film_goes_on_after_a_restart(running, wait_until):
    with running() as (service, films):
        job_id = films.submit(values(service, num_inference_steps=40)).id
        folder = service.data / service.get(job_id).folder
        wait_until(lambda: count_done(folder) > 0, LONG)
        service.cancel(job_id)
        job = service.wait(job_id, LONG)
        assert (job.state, job.results[0].is_partial) == ("cancelled", True)
        assert service.history()[0].id == job_id
        assert service._dispatcher._has_begun(replace(job, results=()))  # there is a part of it
        view = films.view(job)
        assert view.num_done == 1
        assert [clip["begin"] for clip in view.clips(None)] == [0.0]
    with running() as (service, films):
        assert service.get(job_id).request == job.request
        first = (folder / "part-00000.mkv").stat().st_mtime_ns
        service.retry(job_id)
        job = service.wait(job_id, LONG)
        assert (job.state, job.error) == ("done", None)
        assert [result.is_partial for result in job.results] == [False]
        assert films.view(job).num_done == NUM_PARTS
        assert (folder / "part-00000.mkv").stat().st_mtime_ns == first  # not made again


def test_a_film_is_redone_lengthened_and_smoothed(running):
    with running() as (service, films):
        job = service.wait(films.submit(values(service)).id, LONG)
        assert service.seconds_for(job.request.effort) is not None  # learnt
        again = service.wait(films.redo(job.id, 1, None, 9).id, LONG)
        first, other = (j.results[0].metadata["parts"] for j in (job, again))
        assert first[0] == other[0]
        assert other[1]["seed"] != first[1]["seed"]
        longer = values(service, begin="video", video=films.video_of(again.id))
        longer = service.wait(films.submit(longer).id, LONG)
        assert longer.results[0].effort.num_frames == 20
        smooth = service.wait(
            service.submit_next(job.id, "long_video", "interpolation", 1).id, LONG
        )
        assert smooth.results[-1].stages == ("long_video", "interpolation")
        view = films.view(smooth)
        assert (view.job_id, view.num_done) == (job.id, NUM_PARTS)
        player = player_value(smooth, view, smooth.results[-1])
        assert (len(player["clips"]), player["duration"]) == (1, 1.25)
        with pytest.raises(InputError, match="no such film"):
            films.redo(smooth.id, 0)


def test_what_a_story_takes_is_told_before(running):
    with running() as (_service, films):
        cost = films.estimate(STORY, 2, 1)
        assert (cost.num_parts, cost.film_seconds) == (NUM_PARTS, 1.25)
        assert films.estimate("a fox | 0.75", 2, 1).num_parts == 1
        assert films.estimate("a fox | 0.75", 2, 1, "video").num_parts == 2
        with pytest.raises(InputError, match="no lines"):
            films.estimate("[]", 2, 1)


def test_the_strip_says_which_line_made_which_part_and_escapes_it(running):
    with running() as (service, films):
        story = json.dumps([{"prompt": "a <b>fox</b>", "seconds": 1}])
        request = films.check(values(service, story=story))
        service.pause(True)
        html = timeline(films.view(service.add(request)), at_work=True)
    assert "<b>fox" not in html
    assert "1 · a &lt;b&gt;fox" in html
    assert html.count("data-part") == 2
    assert html.count('aria-current="step"') == 1


def test_a_model_without_the_network_films_at_once(tmp_path, wait_until):
    model = str(write_tiny_cascade(tmp_path / "model"))
    service = Service(read_model_card(model), ThreadCrew(CascadeRunner(model)), tmp_path / "data")
    service.start()
    films = Films(service)
    usual = {"num_inference_steps": 1, "story": "a fox | 2.5\na panda | 0.5"}
    request = films.check(values(service, **usual))
    wait_until(lambda: service.seconds_for(request.effort), LONG)  # from a step of a video
    known = service.seconds_for(request.effort)
    assert known == films.estimate(usual["story"], 1, 1).seconds
    job = service.wait(films.submit(values(service, **usual)).id, LONG)
    assert (job.state, job.error) == ("done", None)
    measured = service.seconds_for(request.effort)
    assert measured == films.estimate(usual["story"], 1, 1).seconds != known
    assert films.view(job).num_done == 3
    assert job.results[0].effort.num_frames == 24
    assert job.results[0].metadata["settings"]["long_video"]["way"] == "free_noise"
    assert films.estimate(usual["story"], 1, 1).num_parts == 3
    with pytest.raises(InputError, match="no part of it can be made again alone"):
        films.redo(job.id, 1)
    again = service.wait(films.redo(job.id, 0, seed=5).id, LONG)
    assert again.state == "done"
    service.stop()
