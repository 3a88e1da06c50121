"""A latent video model as training sees it: its parts, and batches as the network takes them."""

import json
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import torch
from diffusers import AutoencoderKL
from diffusers.models.model_loading_utils import load_state_dict
from diffusers.utils import SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME
from einops import rearrange, reduce
from pydantic import Field
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from lavie.config import Config, preset_that_makes
from lavie.data.joint import JointBatch
from lavie.data.world import caption_words
from lavie.errors import CheckpointError, ConfigError
from lavie.models import BaseUNet, InterpolationUNet, SuperResolutionUNet
from lavie.models.latents import encode_pixels, vae_scale_factor
from lavie.pipelines.model_folder import find_part, load_component
from lavie.training.text import make_text_encoder, make_tokenizer

Network = BaseUNet | InterpolationUNet | SuperResolutionUNet
AnyNetwork = TypeVar("AnyNetwork", BaseUNet, InterpolationUNet, SuperResolutionUNet)


class TextEncoderConfig(Config):
    """A CLIP text encoder of the world's language, trained from nothing."""

    width: Annotated[int, Field(ge=8)] = 128
    """Width of its output, the network's cross_attention_dim."""
    num_layers: Annotated[int, Field(ge=1)] = 2
    """Transformer layers."""
    num_heads: Annotated[int, Field(ge=1)] = 4
    """Attention heads of each layer."""
    max_length: Annotated[int, Field(ge=4, le=77)] = 20
    """Tokens of a text, its start and its end included."""


class VideoConfig(Config):
    """Shape of the videos a model is made for, and how it samples when nothing else is said."""

    num_frames: Annotated[int, Field(ge=1)] = 16
    """Frames of a video."""
    height: Annotated[int, Field(ge=8)] = 320
    """Pixels, a multiple of the VAE's factor."""
    width: Annotated[int, Field(ge=8)] = 512
    """Pixels, a multiple of the VAE's factor."""
    fps: Annotated[int, Field(ge=1)] = 8
    """Frames per second."""
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] = 25
    """Default denoising steps of the exported model."""
    guidance_scale: Annotated[float, Field(ge=0, le=50)] = 7.5
    """Default guidance of the exported model."""


class LatentVideoModel(nn.Module):
    """A frozen VAE, a text encoder with its tokenizer, and the network that learns.

    Args:
        vae: Image auto-encoder.
        text_encoder: CLIP.
        tokenizer: Its tokenizer.
        unet: The network.

    Raises:
        ConfigError: They don't fit together.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: Any,  # noqa: ANN401 - any of our networks
    ) -> None:
        super().__init__()
        check_parts(vae.config.latent_channels, text_encoder.config.hidden_size, unet)
        self.vae = vae.requires_grad_(False).eval()
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.unet = unet

    @classmethod
    def from_scratch(cls, vae: Path, unet: dict[str, Any], text: TextEncoderConfig) -> Self:
        """A trained VAE and everything else untrained, speaking the language of the world."""
        tokenizer = make_tokenizer(caption_words(), text.max_length)
        text_encoder = make_text_encoder(tokenizer, text.width, text.num_layers, text.num_heads)
        network = BaseUNet.from_config(unet)
        return cls(
            load_component(AutoencoderKL, vae, torch.float32), text_encoder, tokenizer, network
        )

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        unet: dict[str, Any] | None = None,
        kind: type[AnyNetwork] = BaseUNet,
    ) -> Self:
        """The parts of a model folder, ours or Stable Diffusion's.

        Args:
            folder: Holds vae, text_encoder, tokenizer and unet; a later stage's may leave out what
                it has in common with the base's above.
            unet: Architecture that takes over the folder's image weights, its temporal layers
                fresh. None keeps the folder's own network, temporal layers and all.
            kind: Class of the network.

        Raises:
            CheckpointError: A part is missing or broken.
        """
        if not folder.is_dir():
            raise CheckpointError(f"Model folder '{folder}' does not exist. {way_to(folder)}")
        vae = load_component(AutoencoderKL, find_part(folder, "vae"), torch.float32)
        text_folder = find_part(folder, "text_encoder")
        text_encoder = load_component(CLIPTextModel, text_folder, torch.float32)
        tokenizer = load_component(CLIPTokenizer, find_part(folder, "tokenizer"))
        if unet is None:
            network = load_component(kind, folder / "unet", torch.float32)
            return cls(vae, text_encoder, tokenizer, network)
        network = kind.from_config(unet)
        weights = _read_weights(folder / "unet")
        network.load_image_weights({k: v for k, v in weights.items() if not kind.is_temporal(k)})
        return cls(vae, text_encoder, tokenizer, network)

    def train(self, mode: bool = True) -> Self:
        """Training mode for all but the VAE."""
        super().train(mode)
        self.vae.eval()
        return self

    def encode_texts(
        self, captions: list[list[str]], is_dropped: Tensor, dropped_text: str = ""
    ) -> Tensor:
        """Text embeddings ``(B, S, L, D)`` of B rows of S captions.

        Args:
            captions: The texts.
            is_dropped: Boolean ``(B, S)``; true puts ``dropped_text`` there, for guidance.
            dropped_text: What stands for no text.
        """
        texts = [
            dropped_text if drop else caption
            for row, drops in zip(captions, is_dropped.tolist(), strict=True)
            for caption, drop in zip(row, drops, strict=True)
        ]
        tokens = self.tokenizer(
            texts,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        hidden = self.text_encoder(tokens.input_ids.to(self.unet.device)).last_hidden_state
        return rearrange(hidden, "(B S) L D -> B S L D", B=len(captions))

    def encode_batch(self, batch: JointBatch, focus_weight: float) -> tuple[Tensor, Tensor | None]:
        """Latents of a batch, and how much each of their cells counts.

        Returns:
            Latents ``(B, C, F, h, w)`` and weights ``(B, 1, F, h, w)``, None if all count alike.
        """
        latents = encode_pixels(self.vae, batch.pixels.to(self.unet.device), slice_size=64)
        if batch.focus is None or focus_weight == 0:
            return latents, None
        size = batch.pixels.shape[-1] // latents.shape[-1]
        focus = reduce(batch.focus, "B F (h s) (w t) -> B 1 F h w", "mean", s=size, t=size)
        return latents, 1 + focus_weight * focus.to(latents.device)


def way_to(folder: Path) -> str:
    """What to do where a model folder that a run starts from is not there, as a sentence."""
    preset = preset_that_makes(folder)
    if preset is None:
        return "Name another with --set init_from=FOLDER."
    stage = preset.split("-")[1]
    return (
        f"python -m lavie train {stage} --preset {preset} makes it; or start from the bundled "
        "weights with --set init_from=assets/miniature."
    )


def check_size(vae: AutoencoderKL, height: int, width: int) -> None:
    """Raise unless an auto-encoder takes pictures of this size.

    Raises:
        ConfigError: A side is no multiple of the VAE's factor.
    """
    factor = vae_scale_factor(vae)
    for name, size in {"height": height, "width": width}.items():
        if size % factor:
            way_out = f"Use {size - size % factor} or {size + factor - size % factor}."
            raise ConfigError(f"{name} {size} is not a multiple of the VAE's {factor}. {way_out}")


def check_parts(latent_channels: int, text_width: int | None, unet: Any) -> None:  # noqa: ANN401
    """Raise unless a network takes the latents of a VAE and the words of a text encoder.

    Args:
        latent_channels: The VAE's.
        text_width: Width of the text embedding; None if unknown.
        unet: The network.

    Raises:
        ConfigError: It doesn't.
    """
    for name, numbers in (
        ("in_channels", unet.input_channels(latent_channels)),
        ("out_channels", (latent_channels,)),
    ):
        if unet.config[name] not in numbers:
            raise ConfigError(
                f"The network's {name} {unet.config[name]} must be "
                f"{' or '.join(map(str, numbers))} for the VAE's {latent_channels} latent channels."
            )
    own_width = unet.config["cross_attention_dim"]
    if text_width not in (None, own_width):
        raise ConfigError(
            f"The network's cross_attention_dim {own_width} must be the "
            f"text encoder's width {text_width}."
        )


def read_architecture(folder: Path, part: str) -> dict[str, Any] | None:
    """The config of a part of a model folder; None if it is not there.

    Raises:
        CheckpointError: It cannot be read.
    """
    path = folder / part / "config.json"
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError(f"{path} is no JSON ({error}). Copy the folder again.") from error


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """Weights of a diffusers network folder; safetensors before pickles, which run no code here."""
    for name in (SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME):
        if (folder / name).is_file():
            return load_state_dict(str(folder / name))
    raise CheckpointError(f"{folder} holds no {SAFETENSORS_WEIGHTS_NAME} (or .bin).")
