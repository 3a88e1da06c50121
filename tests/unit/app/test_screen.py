import base64
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from app import screen, texts
from app.jobs.job import Animation, Job
from app.jobs.worker import animate
from app.line import Status
from app.request import TextToVideoRequest, check_request
from lavie.types import Progress
from tests.unit.app.files import make_result


@pytest.fixture
def job(card, values) -> Job:
    request = check_request({**values, "smooth": True, "upscale": True}, card.ranges)
    assert isinstance(request, TextToVideoRequest)
    created = datetime(2020, 1, 1, tzinfo=UTC)
    return Job("20200101-000000-abc", request, created, state="running")


def test_progress_names_the_stage_its_step_and_the_time_left(job):
    html = screen.progress(Status(replace(job, progress=Progress("interpolation", 3, 8, 5.2))))
    assert "Smoothing: step 3 of 8 · about 5 s left" in html
    assert 'aria-valuenow="38"' in html


def test_long_times_are_said_in_minutes(job):
    html = screen.progress(Status(replace(job, progress=Progress("base", 3, 8, 500.0))))
    assert "about 8 min left" in html


def test_the_stages_are_listed_with_what_is_done(job, tmp_path):
    html = screen.progress(Status(replace(job, results=(make_result(tmp_path),))))
    assert [part.split('"')[0] for part in html.split('<li class="')[1:]] == [
        "done",
        "now",
        "later",
    ]


def test_a_job_of_one_stage_lists_none(job):
    only = replace(job.request, smooth=False, upscale=False)
    assert "<li" not in screen.progress(Status(replace(job, request=only)))


def test_a_queued_job_tells_its_place(job):
    waiting = replace(job, state="queued")
    assert "3rd in the queue<" in screen.progress(Status(waiting, 2))
    told = screen.progress(Status(waiting, 2, 9.2))
    assert "3rd in the queue, begins in about 9 s" in told
    told = screen.progress(Status(waiting, 0, 0.0, is_held=True))
    assert "1st in the queue, which is stopped" in told


def test_a_job_that_waits_or_has_just_begun_says_so_and_nothing_of_the_model(job, tmp_path):
    waiting = screen.progress(Status(replace(job, state="queued")))
    assert "1st in the queue<" in waiting
    begun = screen.progress(Status(job))
    assert "Making the video: the first step…" in begun
    smoothing = screen.progress(Status(replace(job, results=(make_result(tmp_path),))))
    assert "Smoothing: the first step…" in smoothing
    for html in (waiting, begun, smoothing):
        assert texts.MODEL_IS_LOADING not in html


def test_a_preview_is_an_animation_inside_the_page(job):
    frames = np.arange(3 * 4 * 6 * 3, dtype=np.uint8).reshape(3, 4, 6, 3)
    html = screen.working(replace(job, preview=Animation(1, animate(frames))))
    data = html.split("data:image/webp;base64,")[1].split('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.n_frames == 3
        assert image.size == (6, 4)


def test_messages_are_text_never_markup():
    for show in (screen.message, screen.note):
        assert "<script>" not in show("<script>alert(1)</script>")


def test_a_finished_stage_shows_its_poster_and_the_one_at_work_its_preview(job, tmp_path):
    result = make_result(tmp_path)
    progress, preview = Progress("interpolation", 3, 8, 5.2), Animation(3, "UklGRg==")
    at_work = replace(job, results=(result,), progress=progress, preview=preview)
    done, now, later = screen.progress(Status(at_work)).split("<li ")[1:]
    assert result.poster.name in done
    assert "data:image/webp;base64,UklGRg==" in now
    assert "--fraction:0.38" in now
    assert "<img" not in later


def test_the_leader_counts_the_steps_down(job):
    assert "leader-count" not in screen.working(job)
    assert ">5</span>" in screen.working(replace(job, progress=Progress("base", 3, 8, 5.2)))
