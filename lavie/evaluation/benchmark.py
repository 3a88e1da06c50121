"""What each stage costs on this machine, as ratios that are measured in one run."""

from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn

from lavie.errors import InputError
from lavie.models import BaseUNet, InterpolationUNet, SuperResolutionUNet
from lavie.models.latents import vae_scale_factor
from lavie.pipelines.between import num_result_frames
from lavie.pipelines.model_folder import STAGE_PIPELINES, get_model_folder, read_model_index
from lavie.pipelines.stages import PIPELINES
from lavie.runtime.benchmark import (
    Speed,
    as_type,
    count_flops,
    measure_peak,
    measure_speed,
    with_random_weights,
    without_weights,
)
from lavie.runtime.devices import choose_device, choose_dtype, num_bytes
from lavie.runtime.loading import silence_loading_bars
from lavie.runtime.memory import peak_memory
from lavie.runtime.tiling import frames_at_once
from lavie.types import StageName

PATIENCE = 600.0
"""Seconds: what is expected to take longer must be asked for twice."""

PUBLISHED_SIZE = (16, 320, 512)
"""Frames, height and width of the base stage's video."""

_PUBLISHED_NETWORKS: dict[StageName, type[nn.Module]] = {
    "base": BaseUNet,
    "interpolation": InterpolationUNet,
    "super_resolution": SuperResolutionUNet,
}
_PUBLISHED_WIDTHS = {
    "base": (128, 256, 512, 512),
    "interpolation": (128, 256, 512, 512),
    "super_resolution": (128, 256, 512),
}
_PUBLISHED_TEXT_LENGTH = 77


@dataclass(frozen=True)
class BenchmarkRequest:
    """What to measure.

    Args:
        stage: Which stage.
        model: A model folder or ``"miniature"``; None: the published architecture with random
            weights.
        num_frames: Of the base stage's video, which decides what the later stages are given;
            likewise ``height`` and ``width``, in pixels.
        height: Pixels.
        width: Pixels.
        device: None: the GPU if there is one.
        num_repeats: Of every measurement, after one that is not counted.
        is_patient: Measure even what is expected to take longer than `PATIENCE`.
    """

    stage: StageName
    model: str | None
    num_frames: int
    height: int
    width: int
    device: str | None = None
    num_repeats: int = 3
    is_patient: bool = False


@dataclass(frozen=True)
class StageSpeed:
    """What a stage costs.

    Args:
        stage: Which stage.
        device: Where it was measured.
        dtype: In which type the network works.
        shape: What the network denoises at once, ``(B, C, F, h, w)``; B is 2 under guidance.
        step: One call of the network: a denoising step of one window.
        decode: Decoding one slice of frames.
        decoded_frames: How many frames that slice has.
        weight_bytes: Of the network and the VAE.
        peak_memory: Bytes the process held at most, the libraries themselves included.
    """

    stage: StageName
    device: str
    dtype: str
    shape: tuple[int, ...]
    step: Speed
    decode: Speed
    decoded_frames: int
    weight_bytes: int
    peak_memory: int | None

    @property
    def decode_seconds(self) -> float:
        """Seconds to decode all frames of a window."""
        return self.decode.seconds / self.decoded_frames * self.shape[2]

    def as_json(self) -> dict[str, Any]:
        """Numbers for a report."""
        return {
            "stage": self.stage,
            "device": self.device,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "seconds_per_step": self.step.seconds,
            "fastest_step": self.step.fastest,
            "flops_per_step": self.step.flops,
            "share_of_peak": self.step.share_of_peak,
            "decode_seconds": self.decode_seconds,
            "decode_share_of_peak": self.decode.share_of_peak,
            "peak_flops": self.step.peak_flops,
            "weight_bytes": self.weight_bytes,
            "peak_memory": self.peak_memory,
        }


@dataclass(frozen=True)
class _Parts:
    """What is measured of a stage; on the meta device until its cost is known.

    Args:
        unet: The network.
        vae: Decodes what it makes.
        window: Frames that a later stage is given at once; the base makes all at once.
        batch: 2 under guidance.
        text_length: Tokens.
    """

    unet: nn.Module
    vae: nn.Module
    window: int
    batch: int
    text_length: int


@torch.no_grad()
def benchmark_stage(request: BenchmarkRequest) -> StageSpeed:
    """Measure one stage; best in a process of its own, for its memory.

    Raises:
        CheckpointError: The model has no such stage, or it is broken.
        InputError: It would take too long, and the request is not patient.
    """
    device = choose_device(request.device)
    parts = _published_parts(request, device) if request.model is None else _load_parts(request)
    step_inputs, decode_inputs = _make_inputs(request, parts)
    twins = without_weights(parts.unet), without_weights(parts.vae)
    step_flops = count_flops(twins[0], step_inputs)
    decode_flops = count_flops(twins[1].decode, decode_inputs)  # type: ignore[reportArgumentType]

    dtype = next(parts.unet.parameters()).dtype
    peak = measure_peak(device, dtype)
    expected = (step_flops + decode_flops) / peak * (1 + request.num_repeats)
    if expected > PATIENCE and not request.is_patient:
        raise InputError(
            f"Measuring stage '{request.stage}' at this size takes at least {expected / 60:.0f} "
            f"minutes on {device.type}: a step has {step_flops / 1e12:.1f} TFLOP. Use smaller "
            "--num-frames, --height and --width, or add --yes.",
            "num_frames",
        )
    unet, vae = (_bring(network, device) for network in (parts.unet, parts.vae))
    step_inputs, decode_inputs = (
        {name: _fill(tensor, device) for name, tensor in inputs.items()}
        for inputs in (step_inputs, decode_inputs)
    )
    repeats = request.num_repeats
    step = measure_speed(partial(unet, **step_inputs), step_flops, peak, device, repeats)
    decode_call = partial(vae.decode, **decode_inputs)  # type: ignore[reportCallIssue]
    decode = measure_speed(decode_call, decode_flops, peak, device, repeats)
    return StageSpeed(
        stage=request.stage,
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        shape=tuple(step_inputs["sample"].shape),
        step=step,
        decode=decode,
        decoded_frames=len(decode_inputs["z"]),
        weight_bytes=num_bytes(unet) + num_bytes(vae),
        peak_memory=peak_memory(),
    )


def size_made_for(model: str) -> tuple[int, int, int]:
    """Frames, height and width of what a model's base stage makes, as its folder says.

    Raises:
        CheckpointError: There is no such model.
    """
    name = STAGE_PIPELINES["base"]
    index = read_model_index(get_model_folder(model, name), name)
    return index["default_num_frames"], index["default_height"], index["default_width"]


def table(results: list[StageSpeed]) -> list[str]:
    """Stages in rows, as lines of text."""
    titles = ("stage", "network's input", "s/step", "TFLOP/step", "of peak", "decode s", "of peak")
    lines = ["".join(f"{title:>18}" for title in (*titles, "peak memory"))]
    for result in results:
        memory = "-" if result.peak_memory is None else f"{result.peak_memory / 1e9:.2f} GB"
        cells = (
            result.stage,
            "x".join(map(str, result.shape)),
            f"{result.step.seconds:.3f}",
            f"{result.step.flops / 1e12:.3f}",
            f"{result.step.share_of_peak:.1%}",
            f"{result.decode_seconds:.2f}",
            f"{result.decode.share_of_peak:.1%}",
            memory,
        )
        lines.append("".join(f"{cell:>18}" for cell in cells))
    peaks = ", ".join(f"{result.step.peak_flops / 1e9:.0f}" for result in results)
    first = results[0]
    return [*lines, f"peak: matrix products, {peaks} GFLOP/s, {first.dtype} on {first.device}"]


def _load_parts(request: BenchmarkRequest) -> _Parts:
    silence_loading_bars()
    dtype = choose_dtype(choose_device(request.device))
    pipeline: Any = PIPELINES[request.stage].from_pretrained(str(request.model), dtype=dtype)
    encoder = pipeline.text_encoder
    return _Parts(
        unet=pipeline.unet,
        vae=pipeline.vae.float() if request.stage == "super_resolution" else pipeline.vae,
        window=pipeline.config.default_num_frames,
        batch=2 if pipeline.config.default_guidance_scale > 1 else 1,
        text_length=min(
            pipeline.tokenizer.model_max_length, encoder.config.max_position_embeddings
        ),
    )


def _published_parts(request: BenchmarkRequest, device: torch.device) -> _Parts:
    """The published architecture without weights. A super-resolution VAE works in float32."""
    stage, dtype = request.stage, choose_dtype(device)
    widths = _PUBLISHED_WIDTHS[stage]
    with torch.device("meta"):
        unet = as_type(_PUBLISHED_NETWORKS[stage](), dtype)
        vae = AutoencoderKL(
            block_out_channels=widths,
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            layers_per_block=2,
        )
        vae = as_type(vae, torch.float32 if stage == "super_resolution" else dtype)
    window = signature(PIPELINES[stage]).parameters["default_num_frames"].default
    return _Parts(unet, vae, window, 2, _PUBLISHED_TEXT_LENGTH)


def _make_inputs(request: BenchmarkRequest, parts: _Parts) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the network and the VAE are called with, of the meta device."""
    unet: Any = parts.unet
    vae: Any = parts.vae
    frames, height, width = request.num_frames, request.height, request.width
    factor = vae_scale_factor(vae)
    channels = unet.config["in_channels"]
    is_larger = request.stage == "super_resolution"
    if request.stage != "base":
        frames = min(frames, parts.window)
    if is_larger:
        channels = unet.config["out_channels"]
    elif request.stage == "interpolation":
        frames = num_result_frames(frames)
    h, w = (height, width) if is_larger else (-(-height // factor), -(-width // factor))
    B, text_width = parts.batch, unet.config["cross_attention_dim"]
    empty = partial(torch.empty, device="meta", dtype=next(unet.parameters()).dtype)
    step: dict[str, Any] = {
        "sample": empty(B, channels, frames, h, w),
        "timestep": empty(B),
        "encoder_hidden_states": empty(B, parts.text_length, text_width),
    }
    if is_larger:
        step["low_res"] = empty(B, 3, frames, h, w)
        step["class_labels"] = torch.empty(B, device="meta", dtype=torch.long)
    at_once = min(frames, frames_at_once(h * factor, w * factor))
    latents = (at_once, vae.config["latent_channels"], h, w)
    return step, {"z": empty(*latents, dtype=next(vae.parameters()).dtype)}


def _bring(network: nn.Module, device: torch.device) -> nn.Module:
    if next(network.parameters()).is_meta:
        return with_random_weights(network, device)
    return network.to(device).eval()


def _fill(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    if not tensor.is_floating_point():
        return torch.zeros_like(tensor, device=device)
    return torch.randn_like(tensor, device=device)
