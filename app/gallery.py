"""What the page shows of the videos that were made: cards to choose from, two of them in step."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from app import texts
from app.jobs.job import Job
from app.result import Result


def cards(jobs: Sequence[Job], opened: str, is_searched: bool) -> str:
    """A card for each job, as a button that knows its id; or a sentence if there is none.

    Args:
        jobs: In their order; each has a result.
        opened: The id of the job that is shown now, if any.
        is_searched: Whether there may be others that were not asked for.
    """
    if not jobs:
        hint = texts.NOTHING_FOUND if is_searched else texts.NOTHING_MADE
        return f'<p class="gallery-hint" role="status">{escape(hint)}</p>'
    items = "".join(f"<li>{_card(job, job.id == opened)}</li>" for job in jobs)
    return f'<ul class="gallery">{items}</ul>'


def about(job: Job, result: Result) -> str:
    """The prompt of a video, and what is to be known about it at a glance."""
    return (
        f'<p class="about-prompt" {poster_of("opened-video", result)}>'
        f"{as_text(job.request.prompt)}</p>"
        f'<p class="about-facts">{_facts(result)} · {_time(job)}</p>'
    )


def poster_of(element_id: str, result: Result) -> str:
    """Attributes by which ``poster.js`` has a video's poster shown until the video is there."""
    return f'data-of="{element_id}" data-poster="{file_url(result.poster)}"'


def pair(
    first: tuple[Job, Result], second: tuple[Job, Result], names: tuple[str, str] = ("", "")
) -> str:
    """Two videos beside each other; ``pair.js`` plays them in step.

    Args:
        first: On the left.
        second: On the right.
        names: What to call them, where they do not differ in their prompts.
    """
    sides = "".join(_side(*one, name) for one, name in zip((first, second), names, strict=True))
    return (
        f'<div class="pair">{sides}</div><div class="pair-controls">'
        f'<button type="button" data-toggle>{escape(texts.PLAY_OR_PAUSE)}</button>'
        f'<input type="range" min="0" max="1" step="0.001" value="0" '
        f'aria-label="{escape(texts.PLACE_IN_TIME)}"></div>'
    )


def undo_note(sentence: str) -> str:
    """Say what was just thrown away."""
    return f'<p role="status">{as_text(sentence)}</p>'


def as_text(text: str) -> str:
    """Text of others for a gr.HTML: neither markup nor one of the templates that it knows."""
    return escape(text).replace("{", "&#123;").replace("$", "&#36;")


def _card(job: Job, is_opened: bool) -> str:
    result = job.results[-1]
    star = f'<span class="card-star" role="img" aria-label="{texts.STARRED}">★</span>'
    current = ' aria-current="true"' if is_opened else ""
    return (
        f'<button type="button" class="card" data-job="{escape(job.id)}"{current}>'
        f'<span class="card-picture"><span class="card-frame"><img src="{file_url(result.poster)}" '
        f'alt="{as_text(texts.first_picture(job.request.prompt))}" loading="lazy">'
        f'<img class="card-moving" src="{file_url(result.thumbnail)}" alt="" loading="lazy">'
        f"{star if job.is_starred else ''}</span></span>"
        f'<span class="card-prompt">{as_text(job.request.prompt)}</span>'
        f'<span class="card-facts">{escape(texts.version_name(result.stages))}{_loras(result)} · '
        f"{_time(job)}</span></button>"
    )


def _side(job: Job, result: Result, name: str) -> str:
    prompt = as_text(name or job.request.prompt)
    return (
        f'<figure><video src="{file_url(result.view)}" poster="{file_url(result.poster)}" '
        f'aria-label="{prompt}" autoplay muted playsinline preload="auto"></video>'
        f"<figcaption>{prompt}<br>"
        f"{_facts(result)}</figcaption></figure>"
    )


def _facts(result: Result) -> str:
    effort = result.effort
    facts = texts.facts(
        texts.version_name(result.stages), effort.num_frames, effort.width, effort.height
    )
    return escape(facts) + _loras(result)


def _loras(result: Result) -> str:
    """The LoRAs that took part, and how strongly."""
    used = [(use["name"], use["weight"]) for use in result.metadata.get("loras", ())]
    return f" · {as_text(texts.made_with(used))}" if used else ""


def _time(job: Job) -> str:
    """When it was made; ``gallery.js`` puts it as the visitor's clock and language have it."""
    return f'<time datetime="{job.created.isoformat()}">{job.created:%Y-%m-%d %H:%M} UTC</time>'


def file_url(path: Path) -> str:
    """Where Gradio serves a file, relative to the page, which may be behind a prefix."""
    return f"gradio_api/file={quote(path.as_posix())}"
