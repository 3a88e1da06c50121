"""What the page shows of models: lists with buttons that say what to do, with what."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from app import texts
from app.gallery import as_text
from app.jobs.wire import Setup
from app.model_card import ModelCard
from app.model_work import Work
from app.models import InstalledModel, Offer
from lavie.runtime.profiles import AUTO, PROFILES, ProfileName, estimate_peak
from lavie.types import StageName

USE, DELETE, DOWNLOAD, FORGET = "use", "delete", "download", "forget"
"""What the buttons say."""

_STAGES: tuple[StageName, ...] = ("base", "interpolation", "super_resolution")


def in_use(
    card: ModelCard, setups: Sequence[Setup], to_come: ProfileName | None, status: str
) -> str:
    """What makes the videos now.

    Args:
        card: Of the model.
        setups: How the workers have it.
        to_come: The profile that was chosen for the next videos, if any was.
        status: What to say where no worker tells anything.
    """
    facts = [
        (texts.MODEL_FACT, card.name),
        (texts.STAGES_FACT, texts.models_stages(card.stages)),
    ]
    for setup in dict.fromkeys(setups):
        reason = texts.profile_in_use(
            setup.profile, setup.asked == AUTO, setup.free_bytes, setup.ran_short
        )
        facts += [(texts.DEVICE_FACT, setup.device), (texts.PROFILE_FACT, reason)]
    if not setups:
        facts.append((texts.DEVICE_FACT, status))
    elif to_come is not None and any(setup.asked != to_come for setup in setups):
        facts.append((texts.PROFILE_FACT, texts.profile_to_come(to_come)))
    return f'<div class="model">{_facts(facts)}</div>'


def profile_table() -> str:
    """What each profile takes at most in each stage."""
    titles = "".join(f'<th scope="col">{escape(t)}</th>' for t in texts.PROFILE_TABLE_TITLES)
    rows = "".join(
        f'<tr><th scope="row">{profile.name}</th><td>{_from(profile.free_bytes)}</td>'
        + "".join(f"<td>{texts.size(estimate_peak(profile, stage))}</td>" for stage in _STAGES)
        + "</tr>"
        for profile in PROFILES
    )
    return (
        f'<div class="profile-table" tabindex="0" role="region" '
        f'aria-label="{escape(texts.PROFILE_TABLE_HEADING)}"><table><thead><tr>{titles}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div><p>{escape(texts.PROFILE_TABLE_NOTE)}</p>"
    )


def _from(free_bytes: int) -> str:
    return texts.size(free_bytes) if free_bytes else texts.PROFILE_FROM_ANY


def installed(models: Sequence[InstalledModel], card: ModelCard, can_restart: bool) -> str:
    """The models on this machine.

    Args:
        models: These.
        card: Of the one in use.
        can_restart: Whether another can be used by pressing a button.
    """
    hint = "" if can_restart else f"<p>{escape(texts.START_WITH_IT)}</p>"
    return hint + _list(_installed(model, card, can_restart) for model in models)


def is_in_use(model: InstalledModel, card: ModelCard) -> bool:
    """Whether a model is the one that a card is of, or one that it takes a stage from."""
    used = (card.name, *card.taken_from.values())
    return model.name in used or model.path in [Path(name).resolve() for name in used]


def _installed(model: InstalledModel, card: ModelCard, can_restart: bool) -> str:
    where = [texts.WHERE_NAMES[model.where]]
    if not model.is_bundled:
        where.append(str(model.path) if model.path else texts.HUB_CACHE)
    facts = [
        (texts.STAGES_FACT, texts.models_stages(model.stages)),
        (texts.SIZE_FACT, texts.size(model.num_bytes)),
        (texts.LICENCE_FACT, model.licence),
        (texts.WHERE_FACT, ": ".join(where)),
    ]
    is_used = is_in_use(model, card)
    buttons = ""
    if "base" not in model.stages:
        buttons += f"<p>{as_text(texts.later_stage_alone(model.stages, model.name))}</p>"
        if can_restart and not is_used and len(model.stages) == 1:
            buttons += _button(USE, model.name, texts.USE_STAGE)
    elif can_restart and not is_used:
        buttons += _button(USE, model.name, texts.USE_MODEL)
    if model.can_be_deleted and not is_used:
        buttons += _button(DELETE, model.name, texts.DELETE_MODEL)
    badge = f' <span class="model-badge">{escape(texts.IN_USE)}</span>' if is_used else ""
    name = model.path.name if model.path and not model.is_bundled else model.name
    return f"<h3>{as_text(name)}{badge}</h3>{_facts(facts)}{_buttons(buttons)}"


def offers(offered: Sequence[Offer], is_offline: bool) -> str:
    """The models that can be downloaded."""
    hint = f'<p role="status">{escape(texts.OFFLINE)}</p>' if is_offline else ""
    return hint + _list(_offer(offer, is_offline) for offer in offered)


def _offer(offer: Offer, is_offline: bool) -> str:
    facts = [
        (texts.SIZE_FACT, texts.here_already(offer.num_bytes_here, offer.num_bytes)),
        (texts.LICENCE_FACT, "; ".join(licence for licence, _ in offer.licences)),
        (texts.FROM_FACT, offer.repository),
    ]
    if offer.installed:
        buttons = f"<p>{escape(texts.DOWNLOADED)}</p>"
    elif is_offline:
        buttons = ""
    else:
        is_begun = offer.num_bytes_here > 0
        label = texts.GO_ON_DOWNLOADING if is_begun else texts.DOWNLOAD_MODEL
        buttons = _button(DOWNLOAD, offer.network, label, offer.title)
    return f"<h3>{escape(offer.title)}</h3>{_facts(facts)}{_buttons(buttons)}"


def folders(paths: Sequence[Path]) -> str:
    """The folders that were added."""
    if not paths:
        return f"<p>{escape(texts.NO_FOLDERS)}</p>"
    return _list(
        f'<p class="model-path">{as_text(str(path))}</p>'
        + _buttons(_button(FORGET, str(path), texts.REMOVE_FOLDER))
        for path in paths
    )


def question(sentence: str, licences: Sequence[tuple[str, str]] = ()) -> str:
    """What has to be answered first; with the licences, and what they mean."""
    items = "".join(
        f"<dt>{escape(licence)}</dt><dd>{escape(meaning)}</dd>" for licence, meaning in licences
    )
    listed = f'<dl class="model-facts model-licences">{items}</dl>' if items else ""
    return f'<p class="model-question" role="alert">{as_text(sentence)}</p>{listed}'


def refusal(sentence: str) -> str:
    """What is wrong with what was typed."""
    return f'<p class="refusal" role="alert">{as_text(sentence)}</p>'


def work(done: Work) -> str:
    """How far a download or conversion is, or how it ended."""
    title = f"<h3>{as_text(done.title)}</h3>"
    if done.outcome is not None:
        role = "alert" if done.is_failure else "status"
        return f'{title}<p class="progress-text" role="{role}">{as_text(done.outcome)}</p>'
    progress = done.progress
    percent = round(100 * progress.step / max(progress.total, 1)) if progress else 0
    sentence = texts.LOOKING_FOR_MODELS
    if done.is_stopping:
        sentence = texts.CANCELLING
    elif progress:
        sentence = texts.model_work(
            progress.stage, progress.step, progress.total, progress.seconds_left
        )
    note = f"<p>{escape(done.note)}</p>" if done.note else ""
    return (
        f'{title}{note}<div class="progress-line" role="progressbar" '
        f'aria-label="{as_text(done.title)}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
        f'<p class="progress-text">{escape(sentence)}</p>'
    )


def restart(name: str) -> str:
    """Say that the server begins anew; ``restart.js`` waits for it."""
    return (
        f'<div data-restart role="status"><p>{as_text(texts.starting_with(name))}</p>'
        f'<p data-late hidden role="alert">{escape(texts.LATE_RESTART)}</p></div>'
    )


def _list(items: Iterable[str]) -> str:
    return f'<ul class="models">{"".join(f"<li class=model>{item}</li>" for item in items)}</ul>'


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{as_text(fact)}</dd>" for name, fact in facts)
    return f'<dl class="model-facts">{items}</dl>'


def _buttons(buttons: str) -> str:
    return f'<div class="model-buttons">{buttons}</div>' if buttons else ""


def _button(action: str, subject: str, label: str, about: str = "") -> str:
    return (
        f'<button type="button" data-action="{action}" data-subject="{as_text(subject)}" '
        f'aria-label="{as_text(f"{label}: {about or subject}")}">{escape(label)}</button>'
    )
