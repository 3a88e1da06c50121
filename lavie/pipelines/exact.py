"""How the published code samples, as settings of the later stages."""

from typing import Any

from lavie.types import StageName

EXACT_SAMPLING: dict[str, Any] = {"scheduler": "ddim", "num_inference_steps": 50}
"""The walk from noise to latents; the fast defaults are measured against it."""

EXACT: dict[StageName, dict[str, Any]] = {
    "interpolation": EXACT_SAMPLING | {"sample_posterior": True, "keep_details": False},
    "super_resolution": EXACT_SAMPLING | {"keep_colours": False, "share_noise": False},
}
"""All that a call of a stage can be asked for: what models of our own add when they are called is
off. What their networks were trained for stays, as the guidance that fits them does."""
