import base64
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from app import screen, texts
from app.jobs import Job
from app.service import Status
from lavie.types import Preview, Progress


@pytest.fixture
def job() -> Job:
    return Job("20200101-000000-abc", None, datetime(2020, 1, 1, tzinfo=UTC), state="running")


def test_progress_tells_step_and_seconds_left(job):
    html = screen.working(Status(replace(job, progress=Progress("base", 3, 12, 8.4))))
    assert "Step 3 of 12 · about 8 s left" in html
    assert 'aria-valuenow="25"' in html


def test_a_queued_job_tells_its_place(job):
    assert "Waiting for 2 videos" in screen.working(Status(replace(job, state="queued"), 2))


def test_a_job_without_progress_says_that_the_model_loads(job):
    assert texts.MODEL_IS_LOADING in screen.working(Status(job))


def test_a_preview_is_an_animation_inside_the_page(job):
    frames = np.arange(3 * 4 * 6 * 3, dtype=np.uint8).reshape(3, 4, 6, 3)
    html = screen.working(Status(replace(job, preview=Preview("base", 1, frames))))
    data = html.split("data:image/webp;base64,")[1].split('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.n_frames == 3
        assert image.size == (6, 4)


def test_messages_are_text_never_markup():
    assert "<script>" not in screen.message("<script>alert(1)</script>")
