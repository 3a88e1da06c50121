"""A recipe out of a file that somebody gives us, and back into the fields of the form.

Nothing in a recipe is trusted: it is small, of the right types and clean text before anyone sees
it, and no path in it is ever opened.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, TypeGuard, get_args

from app import texts
from app.loras.restore import field_value, find_loras
from app.model_card import ModelCard
from app.plain_text import clean_text
from app.request import FIELDS, LORAS, SCHEDULERS, STEP_FIELDS, SWITCHES, check_request
from app.strict_json import parse_json, read_text
from app.uploads import RECIPE, VIDEO, check_upload
from lavie.errors import InputError
from lavie.pipelines.limits import check_prompt, check_seed
from lavie.types import StageName

if TYPE_CHECKING:
    from lora.registry import Entry

_MAX_DEPTH = 32
_STAGES = get_args(StageName)
_BASE_FIELDS = (
    "num_inference_steps",
    "guidance_scale",
    "scheduler",
    "width",
    "height",
    "num_frames",
)
_SWITCH_OF = {stage: field for field, stage in SWITCHES.items()}


def read_recipe(path: Path) -> dict[str, Any]:
    """Read the recipe in a video that we made, or in the JSON file beside it.

    Args:
        path: Of a file that anybody may have sent; its name ends in ``.mp4``, ``.mkv``, ``.webm``
            or ``.json``.

    Returns:
        A recipe as `lavie.cascade.Generation.metadata` holds it, whose stages, settings, prompt
        and seed have the types they should, with no control characters in any text.

    Raises:
        InputError: The file is of another kind, too large, broken, or has no recipe of ours.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        check_upload(path, [RECIPE])
        found = _read_json(path)
    elif suffix in VIDEO.suffixes:
        from lavie.media import read_metadata

        check_upload(path, [VIDEO])
        found = read_metadata(path)
    else:
        raise InputError(texts.RECIPE_WRONG_KIND, "file")
    if not _looks_like_ours(found):
        raise InputError(texts.NO_RECIPE, "file")
    recipe = _clean(found)
    _check(recipe)
    return recipe


def form_values(
    recipe: Mapping[str, Any], card: ModelCard, loras: "Sequence[Entry]" = ()
) -> tuple[dict[str, object], list[str]]:
    """Turn a recipe into what the form would have to hold to make the same video.

    Args:
        recipe: As `read_recipe` gives it.
        card: The model that the form is for.
        loras: Those that whoever asks may use.

    Returns:
        Values for `app.request.FIELDS`, each valid for the model: for all of them if the video was
        made from a sentence, else for those that the recipe tells. And a sentence for everything
        that could not be restored; where it is about a field, that has the model's own value.
    """
    parts = _parts(recipe)
    first = parts[0]
    is_from_sentence = "base" in first["stages"]
    values = _defaults(card)
    values |= {"prompt": first["prompt"], "seed": str(first["seed"])}
    values["negative_prompt"] = first.get("negative_prompt", "")
    told = {"prompt", "negative_prompt", "seed", *SWITCHES}
    notes = _notes_on_model(parts, card)
    found, missing = find_loras(first, loras)
    values[LORAS] = field_value(found)
    notes += missing
    if is_from_sentence:
        own = first["settings"]["base"]
        values |= {field: own.get(field) for field in _BASE_FIELDS}
        told |= set(FIELDS)
    else:
        notes.append(texts.FROM_OWN_VIDEO)
    if len(parts) > 1:
        notes.append(texts.MADE_IN_PARTS)
    for stage, part in _later_stages(parts).items():
        if stage in card.stages:
            values[_SWITCH_OF[stage]] = True
            values[STEP_FIELDS[stage]] = part["settings"][stage].get("num_inference_steps")
            told.add(STEP_FIELDS[stage])
            notes += _notes_on_stage(stage, part, first, card)
        else:
            notes.append(texts.no_such_stage(stage))
    notes += _replace_invalid(values, card, is_from_sentence)
    return {field: values[field] for field in FIELDS if field in told}, notes


def _read_json(path: Path) -> object:
    try:
        return parse_json(read_text(path, texts.RECIPE_TOO_LARGE))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(texts.RECIPE_UNREADABLE, "file") from error


def _looks_like_ours(found: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is a recipe at all: other programs keep a prompt and a seed in there, too."""
    return isinstance(found, dict) and {"stages", "settings", "prompt", "seed"} <= found.keys()


def _clean(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - JSON is anything
    if depth > _MAX_DEPTH:
        raise InputError(texts.broken_recipe(texts.TOO_DEEP), "file")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): _clean(item, depth + 1) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):  # as 1e999 is
        raise InputError(texts.broken_recipe(texts.NUMBER_TOO_LARGE), "file")
    return value


def _check(recipe: Mapping[str, Any]) -> None:
    """Raise unless everything that is read from a recipe later has the right type."""
    stages, settings = recipe["stages"], recipe["settings"]
    if not isinstance(stages, list) or not stages:
        raise InputError(texts.broken_recipe(texts.NO_STAGES), "file")
    if any(stage not in _STAGES for stage in stages) or len(set(stages)) < len(stages):
        raise InputError(texts.broken_recipe(texts.STAGES_OF_NO_VIDEO), "file")
    if not isinstance(settings, dict) or not all(
        isinstance(settings.get(stage), dict) for stage in stages
    ):
        raise InputError(texts.broken_recipe(texts.SETTINGS_ARE_MISSING), "file")
    try:
        check_seed(recipe["seed"])
        for field in ("prompt", "negative_prompt"):
            check_prompt(recipe.get(field, ""), "negative_prompt")  # which may be empty
    except InputError as error:
        raise InputError(texts.broken_recipe(str(error).rstrip(".")), "file") from error


def _parts(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The recipes of a video that was made in several steps, through files; the first one first."""
    parts = [recipe]
    while "base" not in parts[0]["stages"]:
        source = parts[0].get("source")
        given = source.get("recipe") if isinstance(source, dict) else None
        if not _looks_like_ours(given):
            break
        try:
            _check(given)
        except InputError:
            break
        parts.insert(0, given)
    return parts


def _later_stages(
    parts: list[Mapping[str, Any]],
) -> dict[StageName, Mapping[str, Any]]:
    """The stages that ran after the first, each with the recipe that tells of it."""
    return {stage: part for part in parts for stage in part["stages"] if stage in _SWITCH_OF}


def notes_on_model(recipe: Mapping[str, Any], card: ModelCard) -> list[str]:
    """Say that a recipe was made with another model, if it was."""
    return _notes_on_model([recipe], card)


def _defaults(card: ModelCard) -> dict[str, object]:
    return {
        **{name: limits.default for name, limits in card.ranges.items()},
        "prompt": "",
        "negative_prompt": "",
        "seed": "",
        "scheduler": SCHEDULERS[0],
        "smooth": False,
        "upscale": False,
        LORAS: "",
    }


def _notes_on_model(parts: list[Mapping[str, Any]], card: ModelCard) -> list[str]:
    """Of a model, only the end of its folder's name is shown: the rest tells of another machine."""
    notes = []
    names = {str(part.get("model", "")) for part in parts} - {card.name}
    notes += [texts.other_model(_last_part(name)[:60]) for name in sorted(names)]
    fps, own_fps = parts[0].get("fps"), card.own_settings.get("base", {}).get("fps")
    if "base" in parts[0]["stages"] and own_fps is not None and fps != own_fps:
        notes.append(texts.not_on_the_form("base", ["frames_per_second"]))
    return notes


def _last_part(name: str) -> str:
    return PurePosixPath(PureWindowsPath(name).as_posix()).name or "?"


def _notes_on_stage(
    stage: StageName, part: Mapping[str, Any], first: Mapping[str, Any], card: ModelCard
) -> list[str]:
    """What a later stage was told beside its steps; here, it does what is the model's own."""
    settings = part["settings"][stage]
    own = {"scheduler": SCHEDULERS[0], "sample_posterior": False}
    own |= card.own_settings.get(stage, {})
    own.pop("num_inference_steps", None)  # they are on the form
    if stage == "interpolation" and not part["prompt"]:
        own.pop("guidance_scale", None)  # there is none then
    changed = [name for name in settings if name in own and settings[name] != own[name]]
    shared = ("prompt", "seed")
    changed += [name for name in shared if settings.get(name, part[name]) != first[name]]
    return [texts.not_on_the_form(stage, changed)] if changed else []


def _replace_invalid(values: dict[str, object], card: ModelCard, needs_prompt: bool) -> list[str]:
    """Put the model's own value where one is not allowed, and say which rule it breaks."""
    checked = values if needs_prompt else {**values, "prompt": values["prompt"] or "-"}
    outcome = check_request(checked, card.ranges)
    if not isinstance(outcome, list):
        return []
    own = _defaults(card)
    for error in outcome:
        if error.field:
            values[error.field] = own[error.field]
    return [texts.not_restored(str(error)) for error in outcome]
