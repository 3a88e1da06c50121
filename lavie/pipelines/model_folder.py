"""Model folders: where a name leads, and whether what is there can be loaded.

The root of a model folder is the base stage's, made of what diffusers' ``save_pretrained`` writes.
A later stage is such a folder in its turn, inside the base's or on its own::

    model_index.json  unet/  vae/  text_encoder/  tokenizer/  scheduler/
    interpolation/      model_index.json  unet/  scheduler/
    super_resolution/   model_index.json  unet/  scheduler/  low_res_scheduler/  ...

What a stage inside has in common with the base is left out of its sub-folder.
"""

import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lavie.errors import CheckpointError, InputError, first_line
from lavie.types import StageName

if TYPE_CHECKING:  # names lead to folders, and say so, before torch has to be imported
    import torch
    from diffusers import DiffusionPipeline

MINIATURE = "miniature"
MINIATURE_FOLDER = Path(__file__).parents[2] / "assets" / "miniature"

STAGE_PIPELINES: dict[StageName, str] = {
    "base": "TextToVideoPipeline",
    "interpolation": "InterpolationPipeline",
    "super_resolution": "SuperResolutionPipeline",
}
"""The pipeline that runs a stage, by name, in the order in which the stages run."""

LATER_STAGES: tuple[StageName, ...] = ("interpolation", "super_resolution")
"""Those that have a sub-folder in a model folder, called as they are."""

SHARED_PARTS = ("vae", "text_encoder", "tokenizer")
"""What a later stage may have in common with the base."""

Component = TypeVar("Component")

_LIBRARIES = ("diffusers", "transformers", "lavie")
_OLD_VAE_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


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


def find_stage_folder(folder: Path, pipeline: str) -> Path:
    """Give the sub-folder of a pipeline's stage, or the folder itself where it has none.

    Args:
        folder: A model folder.
        pipeline: Name of the class that wants to load it.
    """
    for stage in LATER_STAGES:
        if STAGE_PIPELINES[stage] == pipeline and _class_name(folder) != pipeline:
            inside = folder / stage
            return inside if (inside / "model_index.json").is_file() else folder
    return folder


def stages_in(folder: Path) -> tuple[StageName, ...]:
    """The stages that a model folder has, in their order; of another pipeline's folder none."""
    own = _class_name(folder)
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
        raise CheckpointError(f"Model folder '{folder}' is for {class_name}, expected {pipeline}.")
    for name, value in index.items():
        if not _is_component(value):
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
    if may_be_left_out and not is_there and _class_name(above) == STAGE_PIPELINES["base"]:
        return above / name
    return part


def find_borrowed_parts(folder: Path, index: dict[str, Any]) -> dict[str, Path]:
    """The folders of the parts that a stage takes from the base's folder above.

    Args:
        folder: The folder of a stage.
        index: What `read_model_index` gave for it.
    """
    names = [name for name in SHARED_PARTS if _is_component(index.get(name))]
    parts = {name: find_part(folder, name) for name in names}
    return {name: part for name, part in parts.items() if part != folder / name}


def save_stage(pipeline: "DiffusionPipeline", model_folder: str | Path) -> Path:
    """Write a later stage into the folder of a base model, whole or not at all.

    Parts that are the same as the base's are left out, see `is_same_part`. A stage that is there
    already is replaced.

    Args:
        pipeline: An `InterpolationPipeline` or a `SuperResolutionPipeline`.
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
        if name in parts and _is_component(base.get(name)):
            kind = type(parts[name])
            if kind.__name__ == base[name][1] and is_same_part(
                parts[name], load_component(kind, model_folder / name, use_safetensors=True)
            ):
                del parts[name]
    return parts


def _check_part(folder: Path, name: str) -> None:
    part = find_part(folder, name)
    if not part.is_dir():
        raise CheckpointError(f"Model folder '{folder}' has no part '{name}'.")
    if name == "tokenizer":  # transformers makes do without any word
        files = [part / file for file in ("tokenizer.json", "vocab.json")]
        if not any(file.is_file() for file in files):
            raise CheckpointError(f"{files[0]} does not exist. Get or convert the model again.")


def _is_component(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _class_name(folder: Path) -> str | None:
    """The pipeline that a folder says it is for, if it says so."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        return index["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load_component(
    kind: type[Component],
    folder: Path,
    dtype: "torch.dtype | None" = None,
    *,
    use_safetensors: bool = False,
) -> Component:
    """Load one part of a model from its own folder, every tensor of it; no code and no network.

    Args:
        kind: Its class: a network or a tokenizer, of diffusers, transformers or ours.
        folder: What its ``save_pretrained`` wrote.
        dtype: Of a network's weights, whatever the files hold; a tokenizer has none.
        use_safetensors: Whether to refuse weights in any other form.

    Raises:
        CheckpointError: It is missing, broken, or lacks tensors.
    """
    import torch
    from torch import nn

    loading: Any = kind  # both libraries have it, but no common type says so
    usual_dtype = torch.get_default_dtype()
    try:
        if not folder.is_dir():  # else its name could be taken for one on the hub
            raise FileNotFoundError("there is no such folder")
        if not issubclass(kind, nn.Module):
            return loading.from_pretrained(str(folder), local_files_only=True)
        component, info = loading.from_pretrained(
            str(folder),
            dtype=dtype,
            use_safetensors=use_safetensors or any(folder.glob("*.safetensors")),
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # each library has its own exceptions for a bad file
        torch.set_default_dtype(usual_dtype)  # diffusers leaves the one it was building in
        raise CheckpointError(f"{folder} cannot be loaded: {first_line(error)}") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} of its tensors, first {missing[0]}. Get it again."
        )
    return component


def check_weights(folder: Path, name: str, module: "torch.nn.Module") -> None:
    """Check that a component's safetensors hold every tensor the module has.

    diffusers and transformers only warn about an absent tensor and leave it random, which would
    show as noise in the video.

    Args:
        folder: The model folder.
        name: The component's sub-folder.
        module: The component after loading.

    Raises:
        CheckpointError: Tensors are missing.
    """
    from safetensors import safe_open

    stored = set[str]()
    for path in (folder / name).glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            stored.update(_current_name(key) for key in file.keys())  # noqa: SIM118 - not a dict
    tied = set(getattr(module, "all_tied_weights_keys", None) or {})
    missing = sorted({_current_name(key) for key in module.state_dict()} - stored - tied)
    if missing:
        raise CheckpointError(
            f"Model folder '{folder}' lacks {len(missing)} of the tensors of '{name}', "
            f"first {missing[0]}. Get or convert the model again."
        )


def _current_name(key: str) -> str:
    """Undo the renamings that the loading libraries do by themselves."""
    parts = key.removeprefix("text_model.").split(".")
    if "attentions" in parts:
        parts = [_OLD_VAE_NAMES.get(part, part) for part in parts]
    return ".".join(parts)
