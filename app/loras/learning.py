"""What the page shows of a training: samples beside the pictures, the curve, how far it is."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from app import screen
from app.gallery import as_text, file_url
from app.line import Status
from app.loras.curve import curve
from app.texts import loras as texts

if TYPE_CHECKING:
    from app.loras.view import LoraView, Sample


def curve_of(view: "LoraView") -> str:
    """The loss curve of a training."""
    return curve(view.points, view.num_steps)


def samples(view: "LoraView", is_over: bool) -> str:
    """The newest sample large, the pictures beside it, and all samples as a strip of film."""
    newest = view.samples[-1] if view.samples else None
    shown = f"<div>{_screen(newest, is_over)}</div>{_pictures(view.pictures)}"
    return f'<div class="lora-learning">{shown}</div>{_strip(view.samples)}'


def progress(status: Status, view: "LoraView") -> str:
    """How far a training is: a bar, a sentence."""
    job, at = status.job, status.job.progress
    if job.state != "running" or at is None or at.stage != "lora" or job.is_cancel_requested:
        return screen.bar(status)
    step, total = at.step, max(at.total, 1)
    percent = round(100 * step / total)
    sentence = escape(texts.training_progress(step, total, at.seconds_left))
    return (
        f'<div class="progress-line" role="progressbar" aria-label="{sentence}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
        f'<p class="progress-text" data-step="{step}">{sentence}</p>'
    )


def title(view: "LoraView", is_done: bool) -> str:
    """What is learnt, and how it is called up."""
    said = texts.LEARNT if is_done else texts.LEARNING
    return (
        f'<h3 class="lora-title">{escape(said)}: {as_text(view.name)}'
        f'<code class="lora-token">{as_text(view.token)}</code></h3>'
    )


def _screen(sample: "Sample | None", is_over: bool) -> str:
    if sample is None and is_over:
        return screen.empty(texts.NO_SAMPLES)
    if sample is None:
        return (
            '<div class="screen"><div class="leader sweeping" aria-hidden="true"></div>'
            f'<p class="screen-hint">{escape(texts.SAMPLES_SOON)}</p></div>'
        )
    name = escape(f"{texts.SAMPLES_LABEL}: {texts.sample_name(sample.step)}")
    return (
        f'<div class="screen lora-screen"><img class="screen-picture" '
        f'src="{file_url(sample.video)}" alt="{name}"></div>'
    )


def _pictures(pictures: Sequence[str]) -> str:
    if not pictures:
        return ""
    items = "".join(f'<li><img src="{escape(picture)}" alt=""></li>' for picture in pictures)
    label = escape(texts.PICTURES_LABEL)
    return (
        f'<div class="lora-given"><p>{label}</p><ul aria-label="{label}" tabindex="0">{items}</ul>'
        "</div>"
    )


def _strip(all_samples: "Sequence[Sample]") -> str:
    if not all_samples:
        return ""
    last = len(all_samples) - 1
    items = "".join(_frame(sample, i == last) for i, sample in enumerate(all_samples))
    label = escape(texts.SAMPLES_LABEL)
    return f'<ol class="stages lora-strip" tabindex="0" aria-label="{label}">{items}</ol>'


def _frame(sample: "Sample", is_shown: bool) -> str:
    address, name = file_url(sample.video), escape(texts.sample_name(sample.step))
    return (
        f'<li class="done"><button type="button" data-sample="{name}" '
        f'aria-pressed="{str(is_shown).lower()}"><span class="frame">'
        f'<img src="{address}" alt=""></span>{name}</button></li>'
    )
