"""The command ``generate``."""

import argparse
import time
from typing import Any

from lavie.cli.film import add_story_flags, make_film, read_story_file
from lavie.cli.loras import add_lora_flags, read_loras
from lavie.cli.shared import (
    add_command,
    add_video_flags,
    choose_output,
    choose_seed,
    draw_bar,
    load_cascade,
    print_result,
    tile_size,
)
from lavie.errors import InputError

_USUAL = {"tile_size": "auto", "enlarge": 1}
"""Of flags that have the same value for every model."""


def add_generate(commands: Any) -> None:  # noqa: ANN401
    """The command ``generate`` and its flags."""
    parser = add_command(commands, "generate", _generate, "Make a video from a sentence.")
    add = parser.add_argument
    add("--prompt", help="what to show, at most 1,000 characters")
    add_story_flags(parser)
    add("--negative-prompt", default="", help="what to stay away from")
    add(
        "--stages",
        help="comma-separated, from base,interpolation,super_resolution: smooth or enlarge what "
        "the base stage made; default: base",
    )
    add("--seed", type=int, help="the same seed gives the same video; default: a new one")
    add("--num-inference-steps", type=int, help="1 to 1000; default: the model's own")
    add("--guidance-scale", type=float, help="how closely to follow the prompt, 0 to 50")
    add("--scheduler", help="dpm++, ddim, ddpm or euler; default: the model's own")
    add("--height", type=int, help="pixels of the base stage; default: the model's own")
    add("--width", type=int, help="pixels of the base stage; default: the model's own")
    add("--num-frames", type=int, help="frames of the base stage; default: the model's own")
    add("--fps", type=int, help="frames per second of the base stage; default: the model's own")
    add("--interpolation-steps", type=int, help="1 to 1000; default: the model's own")
    add("--super-resolution-steps", type=int, help="1 to 1000; default: the model's own")
    add("--noise-level", type=int, help="of super-resolution: more invents more, 0 to 350")
    add("--tile-size", type=tile_size, help="of super-resolution; see upscale")
    add("--enlarge", type=int, help="show each pixel this many times wider, 1 to 16")
    parser.set_defaults(**_USUAL)
    add_lora_flags(parser)
    add_video_flags(parser)


_SETTINGS = (
    "num_inference_steps",
    "guidance_scale",
    "scheduler",
    "height",
    "width",
    "num_frames",
    "fps",
)

_NOT_OF_FILMS = (
    "num_frames",
    "fps",
    "interpolation_steps",
    "super_resolution_steps",
    "noise_level",
    *_USUAL,
)


def _generate(arguments: argparse.Namespace) -> None:
    from lavie.pipelines import limits

    # The door, before torch is imported
    if arguments.story is not None:
        _film(arguments)
        return
    if arguments.prompt is None:
        raise InputError("There is nothing to show. Give --prompt or --story.", "prompt")
    if arguments.num_given is not None:
        raise InputError("--num-given goes with --story. Leave it out.", "num_given")
    limits.check_prompt(arguments.prompt)
    limits.check_prompt(arguments.negative_prompt, "negative_prompt")
    seed = choose_seed(arguments.seed)
    enlarge = limits.check_whole_number(arguments.enlarge, "enlarge", 1, 16)
    settings = {name: getattr(arguments, name) for name in _SETTINGS}
    settings["stages"] = arguments.stages.split(",") if arguments.stages is not None else ("base",)
    limits.check_given(settings)
    smooth = {"num_inference_steps": arguments.interpolation_steps}
    limits.check_given(smooth)
    enlarged = {
        "num_inference_steps": arguments.super_resolution_steps,
        "noise_level": arguments.noise_level,
        "tile_size": arguments.tile_size,
    }
    limits.check_given(enlarged)
    if "super_resolution" not in settings["stages"] and arguments.tile_size == "auto":
        del enlarged["tile_size"]  # nobody has asked for it

    loras = read_loras(arguments)

    from lavie.media import enlarge_frames, write_recipe, write_video

    output = choose_output(arguments.output)

    # The work
    cascade, seconds = load_cascade(arguments)

    from lora.use import noted_loras

    generation = cascade.generate(
        arguments.prompt,
        seed=seed,
        negative_prompt=arguments.negative_prompt,
        interpolation=smooth,
        super_resolution=enlarged,
        during_base=noted_loras(cascade.base, loras, cascade.model_hash),
        on_event=draw_bar(),
        **settings,
    )
    seconds |= generation.seconds
    started = time.perf_counter()
    frames = enlarge_frames(generation.frames, enlarge, resample="nearest")
    write_video(output, frames, generation.fps, generation.metadata)
    write_recipe(output, generation.metadata)
    seconds["write"] = time.perf_counter() - started
    print_result(arguments.json, output, seed, frames.shape, generation.fps, seconds)


def _film(arguments: argparse.Namespace) -> None:
    """Make a long video, line by line of a story."""
    if arguments.prompt is not None:
        raise InputError("Give --story or --prompt, not both.", "story")
    for name in _NOT_OF_FILMS:
        if getattr(arguments, name) not in (None, _USUAL.get(name)):
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} does not go with --story. Leave it out.", name)
    make_film(arguments, read_story_file(arguments.story), None, {})
