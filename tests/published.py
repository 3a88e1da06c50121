"""A folder as the original code keeps it, with every file and name, but narrow networks."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTokenizer

from lavie import models
from lavie.convert.published import NETWORKS, PublishedNetwork
from tests.tiny import TEXT_WIDTH, make_tiny_components

NARROW: dict[str, Any] = {
    "attention_head_dim": 1,
    "block_out_channels": [32, 32, 64, 64],
    "cross_attention_dim": TEXT_WIDTH,
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "sample_size": 8,
}
OLD_VAE_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


class RunsCode:
    """Pickled, it makes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def make_state_dict(network: str = "base", seed: int = 0) -> dict[str, Tensor]:
    """Weights of a narrow network; all rotary embeddings share one tensor, as published."""
    published = NETWORKS[network]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = getattr(models, published.unet).from_config({**published.unet_config, **NARROW})
        state_dict = {
            # Fresh networks have layers of zeros, which would hide mistakes
            key: torch.randn_like(value) * 0.1 if not value.any() else value
            for key, value in unet.state_dict().items()
        }
    shared = next((value for key, value in state_dict.items() if key.endswith("freqs")), None)
    return {key: v if not key.endswith("freqs") else shared for key, v in state_dict.items()}


def write_original_folder(
    folder: Path, state_dict: dict[str, Tensor] | None = None, network: str = "base"
) -> Path:
    """Write ``pretrained_models/`` with one checkpoint, its state dict under ``ema``.

    Called again with another network, it adds that to the folder.
    """
    published = NETWORKS[network]
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"ema": state_dict or make_state_dict(network)}, folder / published.file)
    if not (folder / published.parts.folder).exists():
        write_parts(folder / published.parts.folder, published)
    return folder


def write_parts(folder: Path, network: PublishedNetwork) -> None:
    """Write the Stable Diffusion of a network, in the form and with the names of its release."""
    parts = make_tiny_components()
    config = {"_class_name": "UNet2DConditionModel", "act_fn": "silu", "in_channels": 4, **NARROW}
    for key in ("down_block_types", "up_block_types"):
        config[key] = [name.replace("3D", "2D") for name in network.unet_config[key]]
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "config.json").write_text(json.dumps(config))

    _write_tokenizer(parts["tokenizer"], folder / "tokenizer")

    encoder = parts["text_encoder"]
    encoder.config.save_pretrained(folder / "text_encoder")
    weights = {f"text_model.{k.removeprefix('text_model.')}": v for k, v in named(encoder)}
    weights["text_model.embeddings.position_ids"] = torch.arange(16)[None]
    torch.save(weights, folder / "text_encoder" / "pytorch_model.bin")

    vae = make_vae(factor=network.parts.vae_factor)
    vae.save_config(folder / "vae")
    weights = {_old_name(key): value for key, value in named(vae)}
    torch.save(weights, folder / "vae" / "diffusion_pytorch_model.bin")


def _write_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write a tokenizer in the older layout, which is the published one."""
    tokenizer.save_pretrained(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")


def make_vae(seed: int = 0, factor: int = 8) -> AutoencoderKL:
    """A VAE with 4 latent channels."""
    widths = {8: (4, 4, 8, 8), 4: (4, 8, 8)}[factor]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=widths,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=64,
        ).eval()


def named(module: torch.nn.Module) -> list[tuple[str, Tensor]]:
    return [(key, value.clone()) for key, value in module.state_dict().items()]


def _old_name(key: str) -> str:
    if "attentions" in key:
        for new, old in OLD_VAE_NAMES.items():
            key = key.replace(new, old)
    return key
