"""What the page shows of LoRAs that are there: cards, the opened one, the choice of several."""

from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING

from app.gallery import as_text
from app.loras.choice import picks_text
from app.loras.small_pictures import picture_of
from app.texts import loras as texts
from app.texts.shared import size
from lora.limits import MAX_LORAS

if TYPE_CHECKING:
    from app.loras.view import LoraView
    from lora.registry import Entry

LARGEST_OFFERED = 1.5
"""Weight at the end of the slider; a recipe may ask for as much as `lora.limits` allows."""

_USUAL_WEIGHT = 1


def cards(entries: "Sequence[Entry]", opened: str) -> str:
    """A card for each LoRA, as a button that knows its id.

    Args:
        entries: In their order.
        opened: The id of the one that is shown now, if any.
    """
    if not entries:
        return f'<p class="gallery-hint" role="status">{escape(texts.LIST_EMPTY)}</p>'
    items = "".join(f"<li>{_card(entry, entry.id == opened)}</li>" for entry in entries)
    return f'<ul class="gallery lora-gallery">{items}</ul>'


def unfinished(views: "Sequence[LoraView]", watched: str) -> str:
    """The trainings of which no LoRA has come yet, each as a button that knows its job.

    Args:
        views: In their order.
        watched: The id of the job that is shown anyway, if any.
    """
    others = [view for view in views if view.job_id != watched]
    items = "".join(f"<li>{_training(view)}</li>" for view in others)
    return f'<ul class="lora-trainings">{items}</ul>' if items else ""


def about(entry: "Entry", is_of_other_weights: bool = False) -> str:
    """A LoRA in a few words, above what can be done with it.

    Args:
        entry: The LoRA.
        is_of_other_weights: Whether it was made on other weights of the model.
    """
    facts = texts.about(entry.kind, entry.rank, size(entry.num_bytes))
    return (
        f'<div class="lora-about">{_picture(entry)}<div><h3>{as_text(entry.name)}'
        f'<code class="lora-token">{as_text(entry.token)}</code></h3>'
        f'<p class="about-facts">{escape(facts)}</p>{_note(is_of_other_weights)}</div></div>'
    )


def picker(
    entries: "Sequence[Entry]",
    box: str,
    sentence: str,
    label: str,
    info: str,
    is_open: bool,
    of_other_weights: Collection[str] = (),
) -> str:
    """Which LoRAs to use, and how strongly: ``lora-picker.js`` puts it into a text box.

    Args:
        entries: Those that there are.
        box: CSS selector of the text box that holds what was chosen.
        sentence: CSS selector of the field that is to hold the trigger words.
        label: What the choice is called.
        info: What is said below that.
        is_open: Whether the model speaks open language, which knows what the new things are.
        of_other_weights: Ids of those that were made on other weights of the model.
    """
    if not entries:
        return ""
    items = "".join(
        f"<li>{_choice(entry, is_open, entry.id in of_other_weights)}</li>" for entry in entries
    )
    return (
        f'<fieldset class="loras" data-most="{MAX_LORAS}" data-box="{escape(box)}" '
        f'data-sentence="{escape(sentence)}">'
        f"<legend>{escape(label)}</legend><p>{escape(info)}</p><ul>{items}</ul>"
        f'<p class="loras-limit" role="status" data-sentence="{escape(texts.AT_MOST)}"></p>'
        "</fieldset>"
    )


def chosen(lora_id: str) -> str:
    """The choice of one alone, as its text box holds it."""
    return picks_text([(lora_id, _USUAL_WEIGHT)])


def _choice(entry: "Entry", is_open: bool, is_of_other_weights: bool) -> str:
    words = (entry.token, entry.class_word if is_open else "")  # as in `Language.phrase`
    said = as_text(" ".join(filter(None, words)))
    say = texts.SAY_IT.format(words=said), texts.SAY_IT_INFO.format(words=said)
    say_it = (
        f'<button type="button" data-say="{said}" title="{say[1]}" aria-label="{say[1]}">{say[0]}'
        "</button>"
    )
    return (
        f'<label class="lora-chip"><input type="checkbox" value="{escape(entry.id)}">'
        f"{_picture(entry)}<span>{as_text(entry.name)}</span></label>"
        f'<div class="lora-weight" hidden><input type="range" min="0" max="{LARGEST_OFFERED}" '
        f'step="0.05" data-step="0.05" value="{_USUAL_WEIGHT}" '
        f'aria-label="{as_text(texts.WEIGHT_LABEL.format(name=entry.name))}"><output></output>'
        f"{say_it if said else ''}{_note(is_of_other_weights)}</div>"
    )


def _note(is_of_other_weights: bool) -> str:
    return f'<p class="lora-reason">{escape(texts.OTHER_WEIGHTS)}</p>' * is_of_other_weights


def _training(view: "LoraView") -> str:
    picture = f'<img src="{view.pictures[0]}" alt="">' if view.pictures else ""
    how = texts.unfinished(view.state, view.step, view.num_steps)
    return (
        '<button type="button" data-action="training" '
        f'data-subject="{escape(view.job_id)}"><span class="lora-thumbnail">{picture}</span>'
        f"<span><strong>{as_text(view.name)}</strong> {escape(how)}</span></button>"
    )


def _card(entry: "Entry", is_opened: bool) -> str:
    current = ' aria-current="true"' if is_opened else ""
    tags = f" · {as_text(texts.tags(entry.tags))}" if entry.tags else ""
    return (
        f'<button type="button" class="card" data-action="open" data-subject="{escape(entry.id)}"'
        f'{current}><span class="card-picture"><span class="card-frame">{_picture(entry)}</span>'
        f'</span><span class="card-prompt">{as_text(entry.name)}</span>'
        f'<span class="card-facts">{as_text(entry.token)}{tags}</span></button>'
    )


def _picture(entry: "Entry") -> str:
    address = picture_of(entry.thumbnail)
    letter = as_text(entry.name[:1].upper())
    if not address:
        return f'<span class="lora-letter" aria-hidden="true">{letter}</span>'
    return f'<img src="{address}" alt="">'
