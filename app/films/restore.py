"""A film's recipe back into the fields of its form."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.films.check import NUMBER_FIELDS, film_ranges, read_known_story, windows_of
from app.loras.restore import field_value, find_loras
from app.model_card import ModelCard
from app.request import STEP_FIELDS, SWITCHES
from app.restore import notes_on_model
from app.texts import films as texts
from app.texts import no_such_stage, not_on_the_form, not_restored
from lavie.errors import InputError

if TYPE_CHECKING:
    from lora.registry import Entry


def is_film(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe that was read is that of a film."""
    return recipe["stages"][0] == "long_video"


def film_values(
    recipe: Mapping[str, Any], card: ModelCard, loras: "Sequence[Entry]" = ()
) -> tuple[dict[str, object], list[str]]:
    """Turn a recipe into what the form would have to hold to make the same film.

    Args:
        recipe: As `app.restore.read_recipe` gives it.
        card: The model that the form is for.
        loras: Those that whoever asks may use.

    Returns:
        Values for most of `FILM_FIELDS`, each valid for the model, and a sentence for everything
        that could not be restored.
    """
    notes = notes_on_model(recipe, card)
    found, missing = find_loras(recipe, loras)
    notes += missing
    own = recipe["settings"]["long_video"]
    values: dict[str, object] = {
        "negative_prompt": recipe.get("negative_prompt", ""),
        "begin": "nothing",
        "ends": False,
        "loras": field_value(found),
        **dict.fromkeys(SWITCHES, False),
    }
    try:
        read_known_story(recipe.get("story"), card.with_words(entry.token for entry, _ in found))
        values["story"] = form_story(recipe["story"])
    except InputError as error:
        notes.append(not_restored(str(error)))
    # a film made at once has no overlap
    told = {**own, "seed": recipe["seed"], "overlap": own.get("num_given") or None}
    for switch, stage in SWITCHES.items():
        if stage not in recipe["stages"]:
            continue
        if stage not in card.stages:
            notes.append(no_such_stage(stage))
            continue
        values[switch] = True
        told[STEP_FIELDS[stage]] = recipe["settings"][stage].get("num_inference_steps")
    ranges = film_ranges(card)
    for name in NUMBER_FIELDS:
        if told.get(name) is None:
            continue
        try:
            values[name] = ranges[name].check(told[name], name)
        except InputError as error:
            notes.append(not_restored(str(error)))
    if "seed" in values:
        values["seed"] = str(values["seed"])
    if own.get("begins_with") != "text" or own.get("ends_with"):
        notes.append(texts.NOT_ON_THE_FORM)
    changed = [name for name, usual in _made_by(card).items() if own.get(name, usual) != usual]
    if changed:
        notes.append(not_on_the_form("long_video", changed))
    return values, notes


def _made_by(card: ModelCard) -> dict[str, object]:
    """How a model's films are made where the form has nothing to say."""
    windows = windows_of(card)
    stage = "long_video" if card.goes_on_from_frames else "base"
    return {
        "way": "recursion" if card.goes_on_from_frames else "free_noise",
        "scheduler": card.own_settings.get(stage, {}).get("scheduler"),
        "width": windows.width,
        "height": windows.height,
    }


def form_story(story: Any) -> str:  # noqa: ANN401 - lines of any of the forms that were checked
    """A story that was checked as the editor holds it: seeds as text, as browsers round numbers."""
    rows = []
    for line in story:
        told = line if isinstance(line, Mapping) else vars(line)
        row = {"prompt": told["prompt"], "seconds": told.get("seconds")}
        if told.get("seed") is not None:
            row["seed"] = str(told["seed"])
        rows.append(row)
    return json.dumps(rows, ensure_ascii=False)
