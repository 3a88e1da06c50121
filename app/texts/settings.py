"""Presets and recipes: where the form gets settings that nobody typed."""

from collections.abc import Sequence

from app.texts.shared import WORKING_NAMES
from lavie.types import StageName

NO_RECIPE = "There is no recipe of this studio in that file. Give an MP4 or a recipe made here."
RECIPE_WRONG_KIND = (
    "A file called like that has no recipe. Give an MP4, MKV, WebM or JSON file made here."
)
RECIPE_TOO_LARGE = "That file is too large for a recipe. Give the recipe that came with a video."
RECIPE_UNREADABLE = "That file cannot be read as a recipe. Give the JSON that came with a video."
FROM_OWN_VIDEO = (
    "This was not made from a sentence but from a video of your own, which a recipe does not hold. "
    "Give that video again."
)
MADE_IN_PARTS = (
    "This was made in several steps, through video files. Made again at once, it may differ a "
    "little."
)
RESTORED = "The settings are back in the form."
PRESET_LABEL = "Preset"
PRESET_INFO = "Settings by name. Type a new name to save yours."
SAVE_PRESET = "Save"
DELETE_PRESET = "Delete"
PRESET_SAVED = "Saved. You find it among the presets."
DROP_LABEL = "Drop a video or its recipe here to get its settings back"
PRESET_NAMES = {
    "fast": "Fast",
    "balanced": "Balanced",
    "quality": "Best quality",
    "exact": "As in the paper",
}
TOO_DEEP = "it goes too deep"
NUMBER_TOO_LARGE = "a number is too large"
NO_STAGES = "it names no stages"
STAGES_OF_NO_VIDEO = "its stages are not those of a video"
SETTINGS_ARE_MISSING = "a stage lacks its settings"


def broken_recipe(part: str) -> str:
    """Say which part of a recipe is not what it has to be."""
    return f"The recipe in that file is broken: {part:.200}. Give one that was not changed."


def other_model(made_with: str) -> str:
    """The frames will be others, the settings are the same."""
    return f"It was made with the model “{made_with}”. This one will make another video of it."


def not_restored(reason: str) -> str:
    """A setting that this model or this page cannot have; the form has the model's own instead."""
    return f"Not restored: {reason:.300}"


def not_on_the_form(stage: StageName, settings: Sequence[str]) -> str:
    """What was set elsewhere and has no control here."""
    listed = ", ".join(setting.replace("_", " ") for setting in settings)
    return f"{WORKING_NAMES[stage]} had settings that this page does not offer: {listed}."


def presets_cannot_be_saved(error: OSError) -> str:
    """Tell why the file with the presets cannot be written."""
    return f"Presets cannot be saved: {error.strerror}."


def preset_without_name(max_length: int) -> str:
    """Ask for a name."""
    return f"The preset has no name. Give it one of up to {max_length} characters."


def preset_name_too_long(length: int, max_length: int) -> str:
    """Say how long a name may be."""
    return f"The name has {length} characters. Use at most {max_length}."


def preset_name_taken(name: str) -> str:
    """Ask for another name."""
    return f"“{name}” is there for every model. Choose another name."


def too_many_presets(num_presets: int) -> str:
    """Ask to make room."""
    return f"There are {num_presets} saved presets already. Delete one first."
