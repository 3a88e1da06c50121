"""Where the name of a model leads: to a folder on this machine, or on the hub."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lavie.errors import CheckpointError, first_line
from lavie.pipelines.model_folder.layout import (
    LATER_STAGES,
    STAGE_PIPELINES,
    find_stage_folder,
)
from lavie.types import StageName

MINIATURE = "miniature"
MINIATURE_FOLDER = Path(__file__).parents[3] / "assets" / "miniature"


def find_model_folder(model: str | Path) -> Path | None:
    """Give the local folder that a model's name leads to, or None if it may be a hub id.

    Args:
        model: A folder, ``"miniature"`` for the bundled one, or a hub id ``owner/name``.

    Raises:
        CheckpointError: It is neither an existing folder nor in the form of a hub id.
    """
    if str(model) == MINIATURE:
        return MINIATURE_FOLDER
    folder = Path(model)
    if folder.is_dir():
        return folder
    if isinstance(model, str) and is_hub_id(model):
        return None
    raise CheckpointError(
        f"Model '{model}' is not a folder. Give a model folder, a hub id like owner/name, "
        f"or '{MINIATURE}'."
    )


def get_model_folder(model: str | Path, pipeline: str, **options: Any) -> Path:  # noqa: ANN401
    """Give the folder that a pipeline is loaded from, after downloading it where that is needed.

    Args:
        model: See `find_model_folder`.
        pipeline: Name of the class that wants to load it; the weights of other later stages are
            not downloaded.
        **options: See `download_model_folder`.

    Returns:
        The folder of the pipeline's stage.

    Raises:
        CheckpointError: There is no such folder and none can be downloaded.
    """
    folder = find_model_folder(model)
    if folder is None:
        others: list[StageName] = [
            stage for stage in LATER_STAGES if STAGE_PIPELINES[stage] != pipeline
        ]
        try:
            folder = download_model_folder(str(model), without=others, **options)
        except Exception as error:  # the hub's library has many exceptions, and those below it more
            raise CheckpointError(
                f"Model '{model}' cannot be loaded: {first_line(error)}"
            ) from error
    return find_stage_folder(folder, pipeline)


def is_hub_id(name: str) -> bool:
    """Whether a name has the form ``owner/name`` and does not begin with a folder that is here."""
    owner, _, rest = name.partition("/")
    is_file = Path(name).suffix in (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
    is_pair = bool(owner and rest) and "/" not in rest and owner[0] not in ".~"
    return is_pair and not is_file and not Path(owner).is_dir()


def download_model_folder(
    model: str,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: bool | str | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
    without: Iterable[StageName] = (),
) -> Path:
    """Get a model folder from the hub, or from its cache on this machine; no code and no pickles.

    diffusers' own download refuses every library it does not know, ours too.

    Args:
        model: Hub id ``owner/name``.
        revision: Branch, tag or commit; default: the newest.
        cache_dir: The hub's cache; default: its usual place.
        token: For private models; default: the one logged in with.
        local_files_only: Whether to look into the cache alone.
        endpoint: Address of the hub; default: ``HF_ENDPOINT``, else the public one.
        without: Stages whose parts are not needed; that the model has them can still be seen.
    """
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            model,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
            endpoint=endpoint,
            allow_patterns=["*.json", "*.safetensors", "*.txt"],
            ignore_patterns=[f"{stage}/*/*" for stage in without],
        )
    )
