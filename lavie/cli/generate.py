"""The command ``generate``."""

import argparse
import json
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.shared import OUTPUT_FOLDER, add_command, draw_bar
from lavie.runtime.loading import pause_garbage_collection, silence_loading_bars

if TYPE_CHECKING:
    from lavie.cascade import Generation


def add_generate(commands: Any) -> None:  # noqa: ANN401
    """The command ``generate`` and its flags."""
    parser = add_command(commands, "generate", _generate, "Make a video from a sentence.")
    add = parser.add_argument
    add("--prompt", required=True, help="what to show, at most 1,000 characters")
    add("--negative-prompt", default="", help="what to stay away from")
    add(
        "--model",
        default="miniature",
        help="model folder, pretrained_models folder of the original, hub id, or 'miniature'",
    )
    add("--stages", help="comma-separated, from base,interpolation,super_resolution; default: all")
    add("--seed", type=int, help="the same seed gives the same video; default: a new one")
    add("--num-inference-steps", type=int, help="1 to 1000; default: the model's own")
    add("--guidance-scale", type=float, help="how closely to follow the prompt, 0 to 50")
    add("--scheduler", help="dpm++, ddim, ddpm or euler; default: the model's own")
    add("--height", type=int, help="pixels; default: the model's own")
    add("--width", type=int, help="pixels; default: the model's own")
    add("--num-frames", type=int, help="frames of the base stage; default: the model's own")
    add("--fps", type=int, help="frames per second; default: the model's own")
    add("--device", choices=("cpu", "cuda", "mps"), help="default: the GPU if there is one")
    add("--dtype", choices=("float32", "float16", "bfloat16"), help="default: float16 on CUDA")
    add(
        "--output",
        type=Path,
        help="an .mp4 file, replaced if it exists; default: the next free name in outputs/",
    )
    add("--enlarge", type=int, default=1, help="show each pixel this many times wider, 1 to 16")
    add("--json", action="store_true", help="end with one line of JSON")


_SETTINGS = (
    "num_inference_steps",
    "guidance_scale",
    "scheduler",
    "height",
    "width",
    "num_frames",
    "fps",
)


def _generate(arguments: argparse.Namespace) -> None:
    from lavie.pipelines import limits

    # The door, before torch is imported
    limits.check_prompt(arguments.prompt)
    limits.check_prompt(arguments.negative_prompt, "negative_prompt")
    seed = secrets.randbelow(2**32) if arguments.seed is None else limits.check_seed(arguments.seed)
    enlarge = limits.check_whole_number(arguments.enlarge, "enlarge", 1, 16)
    settings = {name: getattr(arguments, name) for name in _SETTINGS}
    settings["stages"] = arguments.stages and arguments.stages.split(",")
    limits.check_given(settings)

    from lavie.media import (
        check_output,
        check_output_folder,
        enlarge_frames,
        write_recipe,
        write_video,
    )

    if arguments.output is None:
        check_output_folder(OUTPUT_FOLDER)
    output = _choose_output(arguments.output)
    check_output(output, ".mp4")
    if output.exists():
        print(f"{output} will be replaced.", file=sys.stderr)

    # The work
    started = time.perf_counter()
    with pause_garbage_collection():
        silence_loading_bars()
        from lavie.cascade import Cascade

        cascade = Cascade.from_pretrained(
            arguments.model, arguments.device, _dtype(arguments.dtype)
        )
    seconds = {"load": time.perf_counter() - started}
    generation = cascade.generate(
        arguments.prompt,
        seed=seed,
        negative_prompt=arguments.negative_prompt,
        on_event=draw_bar(),
        **settings,
    )
    seconds |= generation.seconds
    started = time.perf_counter()
    frames = enlarge_frames(generation.frames, enlarge, resample="nearest")
    write_video(output, frames, generation.fps, generation.metadata)
    write_recipe(output, generation.metadata)
    seconds["write"] = time.perf_counter() - started
    _print_result(arguments.json, output, generation, frames.shape, seconds)


def _choose_output(output: Path | None) -> Path:
    """The path asked for, or the next free ``outputs/video-0001.mp4``."""
    if output is not None:
        return output
    OUTPUT_FOLDER.mkdir(exist_ok=True)
    numbers = [
        int(path.stem.removeprefix("video-"))
        for path in OUTPUT_FOLDER.glob("video-*.mp4")
        if path.stem.removeprefix("video-").isdecimal()
    ]
    return OUTPUT_FOLDER / f"video-{max(numbers, default=0) + 1:04d}.mp4"


def _dtype(name: str | None) -> Any:  # noqa: ANN401 - torch is not imported yet
    import torch

    return name and getattr(torch, name)


def _print_result(
    as_json: bool,
    output: Path,
    generation: "Generation",
    shape: tuple[int, ...],
    seconds: dict[str, float],
) -> None:
    from lavie.runtime.memory import peak_memory

    num_frames, height, width = shape[:3]
    result = {
        "output": str(output),
        "seed": generation.seed,
        "frames": num_frames,
        "size": [width, height],
        "fps": generation.fps,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_memory": peak_memory(),
    }
    if as_json:
        print(json.dumps(result))
        return
    spent = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    print(f"{output}: {num_frames} frames, {width}x{height}, seed {generation.seed} ({spent})")
