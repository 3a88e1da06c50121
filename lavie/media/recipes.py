"""Recipes: beside a video, and inside the recipe of what was made from it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lavie.media.outputs import replace_when_complete

_MOST_EARLIER = 4  # recipes, each inside the next


def write_recipe(video_path: Path, metadata: dict[str, Any]) -> Path:
    """Write a video's recipe beside it, readable for people.

    Args:
        video_path: ``clip.mp4`` gets ``clip.recipe.json``.
        metadata: As in `write_video`.

    Returns:
        Where it was written.
    """
    path = video_path.with_suffix(".recipe.json")
    with replace_when_complete(path) as temporary:
        text = json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False)
        # File names can hold bytes that are no text; the escapes are what JSON has for them
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    return path


def source_of(file: str, recipe: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a recipe says of the file that a video was made from.

    Of files that were made from files it tells the last few: a film that is made longer again and
    again would else have a recipe that is too deep to be read.

    Args:
        file: Its name.
        recipe: The one in it, if any.

    Returns:
        ``source``: the name, and the recipe.
    """
    earlier = {"recipe": _cut(recipe, _MOST_EARLIER)} if recipe else {}
    return {"source": {"file": file} | earlier}


def _cut(recipe: Mapping[str, Any], num_earlier: int) -> dict[str, Any]:
    source = recipe.get("source")
    earlier = source.get("recipe") if isinstance(source, Mapping) else None
    if not isinstance(source, Mapping) or not isinstance(earlier, Mapping):
        return dict(recipe)
    left = {"recipe": _cut(earlier, num_earlier - 1)} if num_earlier else {}
    own = {name: value for name, value in source.items() if name != "recipe"}
    return {**recipe, "source": own | left}
