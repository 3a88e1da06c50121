"""Stages written into a model folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.errors import InputError
from lavie.pipelines.model_folder.components import load_component
from lavie.pipelines.model_folder.layout import (
    LATER_STAGES,
    SHARED_PARTS,
    STAGE_PIPELINES,
    is_component,
    read_model_index,
)

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def save_stage(pipeline: "DiffusionPipeline", model_folder: str | Path) -> Path:
    """Write a later stage into the folder of a base model, whole or not at all.

    Parts that are the same as the base's are left out, see `is_same_part`. A stage that is there
    already is replaced.

    Args:
        pipeline: Of one of `LATER_STAGES`.
        model_folder: The folder of the base model.

    Returns:
        The stage's own folder.

    Raises:
        InputError: The pipeline is not of a later stage, or its place is taken by something else.
        CheckpointError: The folder is not a base model's, or is broken.
    """
    from lavie.pipelines.new_folder import new_folder

    name = type(pipeline).__name__
    stage = next((stage for stage in LATER_STAGES if STAGE_PIPELINES[stage] == name), None)
    if stage is None:
        names = " or ".join(STAGE_PIPELINES[stage] for stage in LATER_STAGES)
        raise InputError(f"{name} is no stage that comes after the base. Give a {names}.")
    model_folder = Path(model_folder)
    base = read_model_index(model_folder, STAGE_PIPELINES["base"])
    parts = _parts_to_write(pipeline, model_folder, base)
    with new_folder(model_folder / stage, overwrite=True) as folder:
        pipeline.save_config(folder)
        for name, part in parts.items():
            part.save_pretrained(folder / name)
        forget_paths(folder)
    return model_folder / stage


def forget_paths(folder: Path) -> None:
    """Remove from a folder's JSON files where on this machine its parts were loaded from."""
    for path in folder.rglob("*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict) and {"_name_or_path", "name_or_path"} & values.keys():
            kept = {key: value for key, value in values.items() if "name_or_path" not in key}
            path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _parts_to_write(
    pipeline: "DiffusionPipeline", model_folder: Path, base: dict[str, Any]
) -> dict[str, Any]:
    """The components of a later stage that differ from the base's."""
    from lavie.pipelines.same_part import is_same_part

    parts = {name: part for name, part in pipeline.components.items() if part is not None}
    for name in SHARED_PARTS:
        if name in parts and is_component(base.get(name)):
            kind = type(parts[name])
            if kind.__name__ == base[name][1] and is_same_part(
                parts[name], load_component(kind, model_folder / name, use_safetensors=True)
            ):
                del parts[name]
    return parts
