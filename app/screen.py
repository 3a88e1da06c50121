"""What the screen shows while there is no video: a hint, a preview with progress, or a failure."""

import base64
import io
from html import escape

from PIL import Image

from app import texts
from app.service import Status
from lavie.types import Frames, Preview, Progress

_PREVIEW_MILLISECONDS = 125


def empty() -> str:
    """The screen before the first video."""
    return _screen(f'<p class="screen-hint">{escape(texts.EMPTY_SCREEN)}</p>')


def message(sentence: str, is_alert: bool = False) -> str:
    """The screen with one sentence, spoken at once by screen readers if it is an alert."""
    role = "alert" if is_alert else "status"
    return _screen(f'<p class="screen-hint" role="{role}">{escape(sentence)}</p>')


def working(status: Status) -> str:
    """The screen of a job that waits or runs: preview, sentence, bar."""
    job = status.job
    picture = _picture(job.preview) if job.preview else '<div class="screen-noise"></div>'
    return _screen(picture) + _progress(_sentence(status), job.progress)


def _sentence(status: Status) -> str:
    job = status.job
    if job.is_cancel_requested:
        return texts.CANCELLING
    if job.state == "queued" and status.num_ahead:
        return texts.queued(status.num_ahead)
    if job.progress is None:
        return texts.MODEL_IS_LOADING
    return texts.progress(job.progress.step, job.progress.total, job.progress.seconds_left)


def _progress(sentence: str, progress: Progress | None) -> str:
    step, total = (progress.step, progress.total) if progress else (0, 1)
    percent = round(100 * step / max(total, 1))
    return (
        f'<div class="progress-line" role="progressbar" aria-label="{escape(sentence)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}">'
        f'<div style="width:{percent}%"></div></div>'
        f'<p class="progress-text" data-step="{step}">{escape(sentence)}</p>'
    )


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
