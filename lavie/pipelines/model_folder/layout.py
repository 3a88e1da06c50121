"""Where the stages and their parts lie in a model folder, and what is missing of them."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from lavie.errors import CheckpointError, first_line
from lavie.types import StageName

STAGE_PIPELINES: dict[StageName, str] = {
    "base": "TextToVideoPipeline",
    "long_video": "LongVideoPipeline",
    "interpolation": "InterpolationPipeline",
    "super_resolution": "SuperResolutionPipeline",
}
"""The pipeline that runs a stage, by name, in the order in which the stages run."""

LATER_STAGES: tuple[StageName, ...] = ("long_video", "interpolation", "super_resolution")
"""Those that have a sub-folder in a model folder, called as they are."""

SHARED_PARTS = ("vae", "text_encoder", "tokenizer")
"""What a later stage may have in common with the base."""

_LIBRARIES = ("diffusers", "transformers", "lavie")


def find_stage_folder(folder: Path, pipeline: str) -> Path:
    """Give the sub-folder of a pipeline's stage, or the folder itself where it has none.

    Args:
        folder: A model folder.
        pipeline: Name of the class that wants to load it.
    """
    for stage in LATER_STAGES:
        if STAGE_PIPELINES[stage] == pipeline and class_name(folder) != pipeline:
            inside = folder / stage
            return inside if (inside / "model_index.json").is_file() else folder
    return folder


def stages_in(folder: Path) -> tuple[StageName, ...]:
    """The stages that a model folder has, in their order; of another pipeline's folder none."""
    own = class_name(folder)
    return tuple(
        stage
        for stage, pipeline in STAGE_PIPELINES.items()
        if own == pipeline
        or (stage in LATER_STAGES and (folder / stage / "model_index.json").is_file())
    )


def read_model_index(folder: Path, pipeline: str, passed: Container[str] = ()) -> dict[str, Any]:
    """Read ``model_index.json`` and check that it is for ``pipeline``, complete and harmless.

    Args:
        folder: The model folder.
        pipeline: Name of the class that wants to load it.
        passed: Components that need not be in the folder.

    Raises:
        CheckpointError: The file is missing, unreadable or for something else.
    """
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        class_name = index["_class_name"]
    except FileNotFoundError:
        raise CheckpointError(
            f"'{folder}' is not a model folder: it has no model_index.json. Published files "
            "become one by python -m lavie convert."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read: {first_line(error)}") from error
    if class_name != pipeline:
        later = {STAGE_PIPELINES[stage]: stage for stage in LATER_STAGES}
        way_out = ""
        if pipeline == STAGE_PIPELINES["base"] and class_name in later:
            way_out = f" Pass it with --{later[class_name].replace('_', '-')}."
        raise CheckpointError(
            f"Model folder '{folder}' is for {class_name}, expected {pipeline}.{way_out}"
        )
    for name, value in index.items():
        if not is_component(value):
            continue
        if value[0].split(".")[0] not in _LIBRARIES:
            raise CheckpointError(
                f"{path} wants '{name}' from the library '{value[0]}', which LaVie does not load. "
                f"Known libraries are {', '.join(_LIBRARIES)}."
            )
        if name not in passed:
            _check_part(folder, name)
    return index


def find_part(folder: Path, name: str) -> Path:
    """Where a part of a model is: in its folder, or, left out of a stage's, in the base's above.

    Args:
        folder: The folder of a stage.
        name: The component.
    """
    part, above = folder / name, folder.absolute().parent
    may_be_left_out = name in SHARED_PARTS and folder.absolute().name in LATER_STAGES
    is_there = part.exists() or part.is_symlink()
    if may_be_left_out and not is_there and class_name(above) == STAGE_PIPELINES["base"]:
        return above / name
    return part


def find_borrowed_parts(folder: Path, index: dict[str, Any]) -> dict[str, Path]:
    """The folders of the parts that a stage takes from the base's folder above.

    Args:
        folder: The folder of a stage.
        index: What `read_model_index` gave for it.
    """
    names = [name for name in SHARED_PARTS if is_component(index.get(name))]
    parts = {name: find_part(folder, name) for name in names}
    return {name: part for name, part in parts.items() if part != folder / name}


def is_component(value: object) -> bool:
    """Whether an entry of ``model_index.json`` names a part of the model."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def class_name(folder: Path) -> str | None:
    """The pipeline that a folder says it is for, if it says so."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        return index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_part(folder: Path, name: str) -> None:
    part = find_part(folder, name)
    if not part.is_dir():
        raise CheckpointError(f"Model folder '{folder}' has no part '{name}'.")
    if name == "tokenizer":  # transformers makes do without any word
        files = [part / file for file in ("tokenizer.json", "vocab.json")]
        if not any(file.is_file() for file in files):
            raise CheckpointError(f"{files[0]} does not exist. Get or convert the model again.")
