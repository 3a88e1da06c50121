"""Settings by name: four for every model, and those that a user saves."""

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app import texts
from app.model_card import ModelCard
from app.plain_text import clean_text
from app.request import SCHEDULERS, STEP_FIELDS, SWITCHES, Range
from lavie.errors import InputError
from lavie.pipelines.limits import check_scheduler

logger = logging.getLogger(__name__)

MAX_PRESETS = 50
"""Of one owner."""

_MAX_OWNERS = 10_000
_MAX_NAME_LENGTH = 40
_NUMBERS = (*STEP_FIELDS.values(), "guidance_scale", "width", "height", "num_frames")
_ANY_NUMBER = Range(0, 100_000, default=None, step=0)

PRESET_FIELDS = (*_NUMBERS, "scheduler", *SWITCHES)
"""What a preset decides: all of the form but the words and the seed."""

_PAPER_STEPS = 50
_GOOD_STEPS = 25  # of dpm++, which then looks like 50 of the samplers of the paper
_FEW_STEPS = 8

_Saved = dict[str, dict[str, dict[str, object]]]
"""The values of each preset of each owner."""


@dataclass(frozen=True)
class Preset:
    """Settings by name.

    Args:
        name: What a user chooses.
        values: A value for each of `PRESET_FIELDS`, valid for the model at hand.
        is_own: Whether a user saved it, and so may delete it.
    """

    name: str
    values: Mapping[str, object]
    is_own: bool = False


def built_in_presets(card: ModelCard) -> tuple[Preset, ...]:
    """The four that every model has.

    Fast: a quarter of the steps, the first version only. Balanced: as many steps as dpm++ needs,
    smoothed. Best quality: the model's own steps, all stages. As in the paper: 50 steps of DDPM,
    and 50 of each later stage, which there too has the model's own sampler (only the command line
    has the published one, by ``--exact``). Size, frames and guidance are the model's own.
    """
    own = {field: _own_steps(card, field) for field in STEP_FIELDS.values()}
    stages = {switch: stage in card.stages for switch, stage in SWITCHES.items()}
    choices: dict[str, dict[str, object]] = {
        "fast": {name: min(steps, max(steps // 4, _FEW_STEPS)) for name, steps in own.items()},
        "balanced": {
            **{name: min(steps, _GOOD_STEPS) for name, steps in own.items()},
            "smooth": stages["smooth"],
        },
        "quality": {**own, **stages},
        "exact": {**dict.fromkeys(own, _PAPER_STEPS), **stages, "scheduler": "ddpm"},
    }
    return tuple(
        Preset(texts.PRESET_NAMES[name], valid_settings(values, card))
        for name, values in choices.items()
    )


class Presets:
    """The presets that users have saved, in one JSON file.

    Args:
        file: It need not exist; its folder neither.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def all(self, card: ModelCard, owner: str) -> list[Preset]:
        """The built-in presets, then those of an owner, by name.

        What a saved one says and this model cannot do has the model's own value. A file that cannot
        be read is logged; then there are the built-in ones.
        """
        try:
            saved = self._read().get(owner, {})
        except (OSError, ValueError) as error:
            logger.warning("%s with the saved presets is not read: %s.", self._file.name, error)
            saved = {}
        own = [
            Preset(name, valid_settings(saved[name], card), is_own=True) for name in sorted(saved)
        ]
        return [*built_in_presets(card), *own]

    def save(self, name: str, values: Mapping[str, object], owner: str) -> str:
        """Keep the settings of a form; a preset of the same name and owner is replaced.

        Args:
            name: 1 to 40 characters; none of the built-in names.
            values: As typed, or checked; those of `PRESET_FIELDS` are kept.
            owner: Who may see it.

        Returns:
            The name as it was kept: without control characters and needless spaces.

        Raises:
            InputError: The name or a value breaks its rule, or there are too many presets.
        """
        name = _check_name(name)
        checked = {
            field: _check(field, values[field]) for field in PRESET_FIELDS if field in values
        }
        with self._lock:
            saved = self._read_or_set_aside()
            own = saved.setdefault(owner, {})
            if name not in own and len(own) >= MAX_PRESETS:
                raise InputError(texts.too_many_presets(len(own)), "preset")
            if len(saved) > _MAX_OWNERS:
                raise InputError(texts.too_many_presets(len(saved)), "preset")
            own[name] = checked
            self._write(saved)
        return name

    def delete(self, name: str, owner: str) -> dict[str, object]:
        """Forget a saved preset; nothing happens if there is none of that name and owner.

        Returns:
            What it held, for `save` to bring it back; empty if there was none.
        """
        with self._lock:
            saved = self._read_or_set_aside()
            if name not in saved.get(owner, {}):
                return {}
            values = saved[owner].pop(name)
            self._write({owner: own for owner, own in saved.items() if own})
            return values

    def _read(self) -> _Saved:
        """Read the file; raises OSError or ValueError if it is not as it was written."""
        if not self._file.exists():
            return {}
        try:
            saved = json.loads(self._file.read_text(encoding="utf-8"))
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
        levels = [saved]
        for _ in range(3):
            if not all(isinstance(level, dict) for level in levels):
                raise ValueError("it does not hold presets")
            levels = [value for level in levels for value in level.values()]
        return saved

    def _read_or_set_aside(self) -> _Saved:
        """As `_read`, but a broken file gets another name before it would be written over."""
        try:
            return self._read()
        except ValueError as error:
            aside = self._file.with_suffix(".broken.json")
            self._file.replace(aside)
            logger.warning("%s is broken (%s), now %s.", self._file.name, error, aside.name)
            return {}

    def _write(self, saved: _Saved) -> None:
        from lavie.media import replace_when_complete  # torch takes seconds

        content = json.dumps(saved, ensure_ascii=False, indent=1)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with replace_when_complete(self._file) as temporary:
                temporary.write_text(content, encoding="utf-8")
        except OSError as error:
            raise InputError(texts.presets_cannot_be_saved(error), "preset") from error


def _own_steps(card: ModelCard, field: str) -> int:
    return int(card.ranges[field].default or card.ranges[field].minimum)


def valid_settings(values: Mapping[str, object], card: ModelCard) -> dict[str, object]:
    """A value for each of `PRESET_FIELDS`: the one given if a model can have it, else its own."""
    valid: dict[str, object] = {}
    for field in _NUMBERS:
        limits = card.ranges[field]
        try:
            valid[field] = limits.check(values.get(field, limits.default), field)
        except InputError:
            valid[field] = limits.default
    scheduler = values.get("scheduler")
    valid["scheduler"] = scheduler if scheduler in SCHEDULERS else SCHEDULERS[0]
    for switch, stage in SWITCHES.items():
        valid[switch] = values.get(switch) is True and stage in card.stages
    return valid


def _check(field: str, value: object) -> object:
    if field in _NUMBERS:
        number = _ANY_NUMBER.check(value, field)
        return int(number) if number == int(number) else number
    if field == "scheduler":
        return check_scheduler(value)
    if not isinstance(value, bool):
        raise InputError(texts.not_on_or_off(field, value), field)
    return value


def _check_name(name: object) -> str:
    text = " ".join(clean_text(name).split()) if isinstance(name, str) else ""
    if not text:
        raise InputError(texts.preset_without_name(_MAX_NAME_LENGTH), "preset")
    if len(text) > _MAX_NAME_LENGTH:
        raise InputError(texts.preset_name_too_long(len(text), _MAX_NAME_LENGTH), "preset")
    if text.casefold() in {known.casefold() for known in texts.PRESET_NAMES.values()}:
        raise InputError(texts.preset_name_taken(text), "preset")
    return text
