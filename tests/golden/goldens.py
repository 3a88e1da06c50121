"""Reading of the recorded cases."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

DATA = Path(__file__).parent / "data"
OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def read_golden(name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a case, and its metadata."""
    with safe_open(DATA / f"{name}.safetensors", framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def weights(tensors: dict[str, Tensor], prefix: str = "w.") -> dict[str, Tensor]:
    """The state dict under a prefix, exact in float32."""
    return {k.removeprefix(prefix): v.float() for k, v in tensors.items() if k.startswith(prefix)}


def current_vae_name(key: str) -> str:
    """What diffusers calls a parameter today that the published VAEs have under an older name."""
    parts = key.split(".")
    return ".".join(OLD_NAMES.get(part, part) if "attentions" in parts else part for part in parts)


def read_manifest(name: str) -> dict[str, list[int]]:
    """Shapes of a published checkpoint by key."""
    manifest = json.loads((DATA / f"{name}.json").read_text())
    return {key: entry["shape"] for key, entry in manifest.items()}


def assert_equals_recording(
    result: Tensor, tensors: dict[str, Tensor], name: str, dtype: torch.dtype
) -> None:
    """Compare with ``out.*`` in float32 and with ``out64.*`` in float64."""
    prefix, tolerance = ("out.", 2e-5) if dtype == torch.float32 else ("out64.", 1e-6)
    expected = tensors[prefix + name]
    torch.testing.assert_close(result, expected, rtol=0, atol=tolerance)
