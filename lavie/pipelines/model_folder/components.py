"""One part of a model, loaded from its own folder, every tensor of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lavie.errors import CheckpointError, first_line

if TYPE_CHECKING:  # names lead to folders, and say so, before torch has to be imported
    import torch

Component = TypeVar("Component")

_OLD_VAE_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


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
