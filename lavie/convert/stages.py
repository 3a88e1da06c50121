"""Which stages a model has: told by its files, without loading or downloading anything."""

from pathlib import Path

from lavie.convert.sources import is_original_folder, is_published_repository, published_stages
from lavie.errors import CheckpointError, InputError
from lavie.pipelines.model_folder import (
    LATER_STAGES,
    download_model_folder,
    find_model_folder,
    stages_in,
)
from lavie.types import StageName


def find_stages(model: str | Path) -> tuple[StageName, ...]:
    """Say which stages a model has, in their order, without loading or downloading anything.

    Args:
        model: See `lavie.convert.resolve.load_stage`. A model folder on the hub has the base stage
            at least; of others can be told once it has been downloaded.

    Raises:
        CheckpointError: There is no such model.
    """
    path = Path(model)
    if is_original_folder(path) or (is_published_repository(str(model)) and not path.exists()):
        return published_stages(model)
    folder = find_model_folder(model)
    if folder is None:
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = download_model_folder(str(model), local_files_only=True, without=LATER_STAGES)
        except LocalEntryNotFoundError:
            return ("base",)
    return stages_in(folder)


def check_has_stage(model: str | Path, stage: str) -> None:
    """Raise unless a model has a later stage, before it is loaded.

    Raises:
        InputError: There is no such later stage.
        CheckpointError: There is no such model, or it has other stages.
    """
    if stage not in LATER_STAGES:
        raise InputError(f"Stage '{stage}' is not one of {', '.join(LATER_STAGES)}.", "stages")
    found = find_stages(model)
    if stage not in found:
        has = f"stage {', '.join(found)}" if found else "no stage"
        raise CheckpointError(f"Model '{model}' has {has}, expected {stage}.")
