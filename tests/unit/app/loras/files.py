"""LoRAs that are small enough to be made on the spot."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_lora(path: Path, width: int = 320, **metadata: str) -> Path:
    """A LoRA of one layer, as kohya names it.

    Args:
        path: Ends in ``.safetensors``.
        width: Of the layer in the model it is for; as a rule the published one.
        metadata: With ``_`` where a name has a dot.
    """
    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    weights = {
        f"{key}.lora_down.weight": np.ones((1, width), np.float32),
        f"{key}.lora_up.weight": np.ones((width, 1), np.float32),
        f"{key}.alpha": np.array(1.0, np.float32),
    }
    save_file(weights, path, {name.replace("_", ".", 1): text for name, text in metadata.items()})
    return path


def write_header(path: Path, header: object) -> Path:
    """A file that begins as weights do, and holds whatever is said."""
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path
