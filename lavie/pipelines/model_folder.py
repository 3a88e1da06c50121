"""Model folders: where a name leads, and whether what is there can be loaded."""

import json
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lavie.errors import CheckpointError, first_line

if TYPE_CHECKING:
    import torch  # names lead to folders, and say so, before it has to be imported

MINIATURE = "miniature"
MINIATURE_FOLDER = Path(__file__).parents[2] / "assets" / "miniature"

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
        )
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
        is_component = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
        if not is_component:
            continue
        if value[0].split(".")[0] not in _LIBRARIES:
            raise CheckpointError(
                f"{path} wants '{name}' from the library '{value[0]}', which LaVie does not load. "
                f"Known libraries are {', '.join(_LIBRARIES)}."
            )
        if name not in passed and not (folder / name).is_dir():
            raise CheckpointError(f"Model folder '{folder}' has no part '{name}'.")
        if name == "tokenizer" and name not in passed:  # transformers makes do without any word
            files = [folder / name / file for file in ("tokenizer.json", "vocab.json")]
            if not any(file.is_file() for file in files):
                raise CheckpointError(f"{files[0]} does not exist. Get or convert the model again.")
    return index


def load_component(
    kind: type[Component], folder: Path, dtype: "torch.dtype | None" = None
) -> Component:
    """Load one part of a model from its own folder, every tensor of it; no code and no network.

    Args:
        kind: Its class: a network or a tokenizer, of diffusers, transformers or ours.
        folder: What its ``save_pretrained`` wrote.
        dtype: Of a network's weights, whatever the files hold; a tokenizer has none.

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
            use_safetensors=any(folder.glob("*.safetensors")),
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
