"""What the screen shows while there is no video, and how far a job is."""

import base64
import io
from dataclasses import asdict
from html import escape

from PIL import Image

from app import texts
from app.jobs import Job
from app.service import Status
from lavie.types import Frames, Preview

_PREVIEW_MILLISECONDS = 125


def empty() -> str:
    """The screen before the first video."""
    return _screen(f'<p class="screen-hint">{escape(texts.EMPTY_SCREEN)}</p>')


def message(sentence: str, is_alert: bool = False) -> str:
    """The screen with one sentence, spoken at once by screen readers if it is an alert."""
    return _screen(f'<p class="screen-hint" role="{_role(is_alert)}">{escape(sentence)}</p>')


def working(job: Job) -> str:
    """The screen of a job that waits or runs and has no video to show yet."""
    return _screen(_picture(job.preview) if job.preview else '<div class="screen-noise"></div>')


def progress(status: Status) -> str:
    """How far a job is: the stages, a bar, a sentence."""
    job = status.job
    step, total = (job.progress.step, job.progress.total) if job.progress else (0, 1)
    percent = round(100 * step / max(total, 1))
    sentence = escape(_sentence(status))
    return (
        _stages(job) + f'<div class="progress-line" role="progressbar" aria-label="{sentence}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}">'
        f'<div style="width:{percent}%"></div></div>'
        f'<p class="progress-text" data-step="{step}">{sentence}</p>'
    )


def note(sentence: str, is_alert: bool = False) -> str:
    """A sentence below a video: what became of the stages after it."""
    return f'<p class="progress-text" role="{_role(is_alert)}">{escape(sentence)}</p>'


def before_after() -> str:
    """What is on the left and on the right of a comparison."""
    return f"<span>{escape(texts.BEFORE)}</span><span>{escape(texts.AFTER)}</span>"


def _role(is_alert: bool) -> str:
    return "alert" if is_alert else "status"


def _stages(job: Job) -> str:
    """The stages of a job in their order, if it has more than one."""
    stages = job.request.stages
    if len(stages) == 1:
        return ""
    num_done = len(job.results)
    marks = ["done"] * num_done + ["now"] + ["later"] * len(stages)
    items = (
        f'<li class="{mark}">{escape(texts.STAGE_NAMES[stage])}</li>'
        for stage, mark in zip(stages, marks, strict=False)
    )
    return f'<ol class="stages">{"".join(items)}</ol>'


def _sentence(status: Status) -> str:
    job = status.job
    if job.is_cancel_requested:
        return texts.CANCELLING
    if job.state == "queued" and status.num_ahead:
        return texts.queued(status.num_ahead)
    if job.progress is None:
        return texts.MODEL_IS_LOADING
    return texts.progress(**asdict(job.progress))


def _picture(preview: Preview) -> str:
    return (
        f'<img class="screen-picture" id="preview" alt="{escape(texts.PREVIEW_ALT)}" '
        f'data-step="{preview.step}" src="{_animation(preview.frames)}">'
    )


def _animation(frames: Frames) -> str:
    """Frames as a data address of a small animated WebP: nothing to store, nothing to serve."""
    images = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=images[1:],
        duration=_PREVIEW_MILLISECONDS,
        loop=0,
        quality=70,
        method=0,
    )
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _screen(content: str) -> str:
    return f'<div class="screen">{content}</div>'
