"""What the page shows of the queue: the jobs that run and wait, and what can be done with them."""

from collections.abc import Sequence
from html import escape

from app import screen, texts
from app.gallery import as_text
from app.jobs.job import Job
from app.line import Status
from app.loras.request import LoraTrainingRequest
from app.request import TextToVideoRequest, efforts_of
from app.texts import lora_rules


def queue(
    statuses: Sequence[Status],
    watched: str,
    is_paused: bool = False,
    is_steered: bool = True,
    edited: str = "",
) -> str:
    """The jobs in their order; nothing where there are none but the one that is watched anyway.

    Args:
        statuses: Of the jobs, also of those that ran when the server stopped.
        watched: The id of the one on the screen, if any.
        is_paused: Whether no further job is begun.
        is_steered: Whether whoever sees this may move jobs, and stop the queue.
        edited: The id of the one that is being changed, if any.
    """
    others = [s for s in statuses if s.job.id != watched or s.job.state == "queued"]
    if not others and not is_paused:
        return ""
    waiting = [status.job.id for status in statuses if status.job.state == "queued"]
    num_running = sum(status.job.state == "running" for status in statuses)
    is_switch = is_steered and (is_paused or bool(waiting) or num_running > 0)
    items = "".join(
        f'<li class="queue-job{" edited" if status.job.id == edited else ""}">'
        f"{_job(status, watched, waiting, is_steered, status.job.id == edited)}</li>"
        for status in statuses
    )
    return (
        f'<div class="queue"><div class="queue-head"><h3 tabindex="-1">'
        f"{escape(texts.queue_heading(len(waiting)))}</h3>"
        f"{_switch(is_paused) if is_switch else ''}</div>"
        f"{_note(is_paused, num_running)}"
        f'<ol class="queue-jobs">{items}</ol></div>'
    )


def _switch(is_paused: bool) -> str:
    action, label = ("go_on", texts.QUEUE_GO_ON) if is_paused else ("pause", texts.QUEUE_PAUSE)
    return f'<button type="button" data-action="{action}" data-job="">{escape(label)}</button>'


def _note(is_paused: bool, num_running: int) -> str:
    sentence = texts.queue_is_paused(num_running) if is_paused else ""
    return f'<p class="queue-note" role="status">{escape(sentence)}</p>'


def _job(
    status: Status, watched: str, waiting: list[str], is_steered: bool, is_edited: bool
) -> str:
    job = status.job
    is_watched = job.id == watched
    marks = [texts.ON_THE_SCREEN] * is_watched + [texts.BEING_CHANGED] * is_edited
    marked = "".join(f' <span class="queue-mark">{escape(mark)}</span>' for mark in marks)
    return (
        f'<div class="queue-text"><p class="queue-prompt">{as_text(job.request.prompt)}</p>'
        f'<p class="queue-facts">{escape(_makes(job))}{marked}</p>'
        f"{_state(status, is_watched)}</div>"
        f'<div class="queue-buttons">{_buttons(job, is_watched, waiting, is_steered)}</div>'
    )


def _makes(job: Job) -> str:
    """What comes of it in the end."""
    if isinstance(job.request, LoraTrainingRequest):
        return lora_rules.in_short(job.request.num_pictures, job.request.effort)
    *_, last = efforts_of(job.request, job.request.given)
    version = texts.version_name(job.request.stages)
    return texts.facts(version, last.num_frames, last.width, last.height)


def _state(status: Status, is_watched: bool) -> str:
    """How far it is. What is on the screen has its bar there."""
    job = status.job
    if job.state == "queued":
        place = texts.place(status.num_ahead, status.seconds_ahead, status.is_held)
        return f'<p class="queue-state">{escape(place)}</p>'
    if job.is_over or is_watched:
        sentence = texts.WAS_INTERRUPTED if job.is_over else texts.BEING_MADE
        return f'<p class="queue-state">{escape(sentence)}</p>'
    return screen.bar(status)


def _buttons(job: Job, is_watched: bool, waiting: list[str], is_steered: bool) -> str:
    is_queued = job.state == "queued"
    buttons = [] if is_watched else [_button(job, "show")]
    if is_queued and isinstance(job.request, TextToVideoRequest):
        buttons.append(_button(job, "edit"))
    if is_queued and is_steered and len(waiting) > 1:
        buttons.append(_button(job, "up", is_off=job.id == waiting[0]))
        buttons.append(_button(job, "down", is_off=job.id == waiting[-1]))
    if job.is_over:
        buttons.append(_button(job, "retry"))
    buttons.append(_button(job, _ending(job), job.is_cancel_requested))
    return "".join(buttons)


def _ending(job: Job) -> str:
    """What to do about a job that is not wanted now; a training can be gone on with."""
    if job.state != "running":
        return "remove"
    return "pause_it" if isinstance(job.request, LoraTrainingRequest) else "cancel"


def _button(job: Job, action: str, is_off: bool = False) -> str:
    """One that is off keeps the focus: it only says that nothing happens."""
    label, name = texts.QUEUE_ACTIONS[action]
    off = ' aria-disabled="true"' if is_off else ""
    return (
        f'<button type="button" class="queue-{action}" data-action="{action}" '
        f'data-job="{escape(job.id)}" aria-label="{escape(name)}: {as_text(job.request.prompt)}"'
        f"{off}>{escape(label)}</button>"
    )


def edit_note(job: Job) -> str:
    """Say which video the form is about."""
    return f'<p role="status">{as_text(texts.editing(job.request.prompt))}</p>'
