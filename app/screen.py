"""What the screen shows while there is no video, and how far a job is."""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape

from app import texts
from app.filmstrip import Frame, FrameState, filmstrip
from app.gallery import as_text, file_url, poster_of
from app.jobs.job import Animation, Job
from app.line import Status


def empty(sentence: str = texts.EMPTY_SCREEN) -> str:
    """The screen before the first video."""
    hint = f'<p class="screen-hint">{escape(sentence)}</p>'
    return _screen(f'<div class="leader" aria-hidden="true"></div>{hint}')


def message(sentence: str, is_alert: bool = False) -> str:
    """The screen with one sentence, spoken at once by screen readers if it is an alert."""
    return _screen(f'<p class="screen-hint" role="{_role(is_alert)}">{escape(sentence)}</p>')


def working(job: Job) -> str:
    """The screen of a job that waits or runs and has no video to show yet."""
    if job.preview:
        return _screen(_picture(job.preview))
    num_left = job.progress.total - job.progress.step if job.progress else None
    count = "" if num_left is None else f'<span class="leader-count">{num_left}</span>'
    return _screen(f'<div class="leader sweeping" aria-hidden="true">{count}</div>')


def progress(status: Status) -> str:
    """How far a job is: the stages, a bar, a sentence."""
    return _stages(status.job) + bar(status)


def bar(status: Status) -> str:
    """How far the stage at hand is: a bar, a sentence."""
    job = status.job
    step, total = (job.progress.step, job.progress.total) if job.progress else (0, 1)
    percent = round(100 * step / max(total, 1))
    sentence = escape(_sentence(status))
    return (
        f'<div class="progress-line" role="progressbar" aria-label="{sentence}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}">'
        f'<div style="width:{percent}%"></div></div>'
        f'<p class="progress-text" data-step="{step}">{sentence}</p>'
    )


def keys() -> str:
    """Which keys press which buttons, and room for what is wrong with the form.

    ``page.js`` reads the one, in the words of other keyboards, and writes the other.
    """
    hints = (
        f'<span data-button="{button}">{"+".join(f"<kbd>{key}</kbd>" for key in keys)} '
        f"{escape(purpose)}</span>"
        for button, (keys, purpose) in texts.KEYS.items()
    )
    return f"<p id='mistakes' role='alert'></p><p>{' '.join(hints)}</p>"


def note(sentence: str, is_alert: bool = False) -> str:
    """A sentence below a video: what became of the stages after it."""
    return f'<p class="progress-text" role="{_role(is_alert)}">{escape(sentence)}</p>'


def restored(notes: Sequence[str]) -> str:
    """Say that the form has its settings back, and what of them it could not have."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in notes)
    return f'<div role="status"><p>{escape(texts.RESTORED)}</p><ul>{items}</ul></div>'


def versions(job: Job) -> list[tuple[str, str]]:
    """What there is of a job's video, to choose from."""
    return [(texts.version_name(result.stages), result.version) for result in job.versions]


def prompt(job: Job) -> str:
    """What a video was asked to show, below it."""
    text = job.request.prompt
    poster = poster_of("video", job.results[-1]) if job.results else ""
    return f'<p class="about-prompt" {poster}>{as_text(text)}</p>' if text or poster else ""


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
    return filmstrip([_frame(job, place) for place in range(len(stages))])


def _frame(job: Job, place: int) -> Frame:
    """A stage of a job as a frame of film: with its poster when it is done."""
    name = texts.STAGE_NAMES[job.request.stages[place]]
    if place < len(job.results):
        return Frame(name, "done", file_url(job.results[place].poster), 1.0)
    state: FrameState = "now" if place == len(job.results) else "later"
    if state == "later" or job.progress is None:
        return Frame(name, state)
    picture = f"data:image/webp;base64,{job.preview.webp}" if job.preview else None
    return Frame(name, state, picture, job.progress.step / max(job.progress.total, 1))


def _sentence(status: Status) -> str:
    job = status.job
    if job.is_cancel_requested:
        return texts.CANCELLING
    if job.state == "queued":
        return texts.place(status.num_ahead, status.seconds_ahead, status.is_held)
    if job.progress is None:
        if job.request.kind == "lora":
            return texts.beginning("prepare")
        *_, last = stages = job.request.stages
        return texts.beginning(next(iter(stages[len(job.results) :]), last))
    return texts.progress(**asdict(job.progress))


def _picture(preview: Animation) -> str:
    return (
        f'<img class="screen-picture" id="preview" alt="{escape(texts.PREVIEW_ALT)}" '
        f'data-step="{preview.step}" src="data:image/webp;base64,{preview.webp}">'
    )


def _screen(content: str) -> str:
    return f'<div class="screen">{content}</div>'
