"""The commands that make a given video better: ``interpolate`` and ``upscale``."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.shared import (
    add_command,
    add_video_flags,
    choose_output,
    choose_seed,
    draw_bar,
    load_cascade,
    own_recipe,
    print_result,
    refuse_own_input,
    tile_size,
)
from lavie.errors import InputError

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Generation
    from lavie.media import VideoFile, VideoWriter
    from lavie.types import StageName

_PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")

_SETTINGS = ("num_inference_steps", "guidance_scale", "scheduler", "window_overlap")
_OWN_SETTINGS: "dict[StageName, tuple[str, ...]]" = {
    "interpolation": ("keep_details",),
    "super_resolution": (
        "negative_prompt",
        "noise_level",
        "tile_size",
        "keep_colours",
        "share_noise",
    ),
}

_EXACT = (
    "--exact samples as the original code does: {what}, whatever the model's own. What its network "
    "was trained for stays, and so does its guidance scale. Windows of a long video overlap all "
    "the same{windows}. "
)
_LARGE_FRAMES = (
    "Time grows with the number of pixels: in frames much larger than a model was made for, its "
    "attention looks near by only, which changes them less than can be seen. The sound ends with "
    "the last frame: interpolate makes 4F - 3 frames of F, so up to three quarters of the last "
    "frame's time are cut."
)


def add_interpolate(commands: Any) -> None:  # noqa: ANN401
    """The command ``interpolate`` and its flags."""
    parser = add_command(
        commands, "interpolate", _interpolate, "Smooth a video: three new frames between every two."
    )
    _add_flags(parser, "given frames that two windows of a long video share")
    _add_option(parser, "--keep-details", "give back what the VAE loses of the given frames")
    what = "given frames are encoded to a sample, and --keep-details is off"
    parser.epilog = _EXACT.format(what=what, windows="") + _LARGE_FRAMES


def add_upscale(commands: Any) -> None:  # noqa: ANN401
    """The command ``upscale`` and its flags."""
    parser = add_command(
        commands, "upscale", _upscale, "Enlarge a video to four times its width and height."
    )
    _add_flags(parser, "frames that two windows of a long video share")
    add = parser.add_argument
    add("--negative-prompt", help="what to stay away from; default: the model's own")
    add("--noise-level", type=int, help="more invents more, 0 to 350; default: the model's own")
    add(
        "--tile-size",
        type=tile_size,
        default="auto",
        help="side of the tiles to enlarge one by one, in pixels of the given video; default: auto",
    )
    _add_option(parser, "--keep-colours", "give the result the colours of the given video")
    _add_option(parser, "--share-noise", "begin all frames from the same noise: less flicker")
    what, windows = "--keep-colours and --share-noise are off", ", unless --window-overlap is 0"
    parser.epilog = _EXACT.format(what=what, windows=windows) + _LARGE_FRAMES


def _add_flags(parser: argparse.ArgumentParser, overlap: str) -> None:
    add = parser.add_argument
    add("file", type=Path, help="any usual video file; its sound is kept")
    add("--prompt", help="what the video shows; default: what its recipe says, else nothing")
    add("--seed", type=int, help="default: that of the video's recipe, else a new one")
    add("--num-inference-steps", type=int, help="1 to 1000; default: the model's own")
    add("--guidance-scale", type=float, help="how closely to follow the prompt, 0 to 50")
    add("--scheduler", help="dpm++, ddim, ddpm or euler; default: the model's own")
    add("--window-overlap", type=int, help=f"{overlap}; default: the model's own")
    add("--exact", action="store_true", help="as published: 50 steps of ddim, slow; see below")
    add_video_flags(parser)


def _add_option(parser: argparse.ArgumentParser, flag: str, purpose: str) -> None:
    action = argparse.BooleanOptionalAction
    parser.add_argument(flag, action=action, help=f"{purpose}; default: the model's own")


def _interpolate(arguments: argparse.Namespace) -> None:
    def run(
        cascade: "Cascade", video: "VideoFile", writer: "VideoWriter", settings: dict[str, Any]
    ) -> "Generation":
        return cascade.interpolate(video, on_frames=writer.write, **settings)

    _enhance(arguments, "interpolation", run, times_the_frames=4)


def _upscale(arguments: argparse.Namespace) -> None:
    def run(
        cascade: "Cascade", video: "VideoFile", writer: "VideoWriter", settings: dict[str, Any]
    ) -> "Generation":
        return cascade.upscale(video, on_frames=writer.write, **settings)

    _enhance(arguments, "super_resolution", run, times_the_size=4)


def _enhance(
    arguments: argparse.Namespace,
    stage: "StageName",
    run: "Callable[[Cascade, VideoFile, VideoWriter, dict[str, Any]], Generation]",
    times_the_frames: int = 1,
    times_the_size: int = 1,
) -> None:
    """What the two commands have in common: all but the stage."""
    # The door, before a model is loaded
    settings = _settings(arguments, stage)
    if arguments.file.suffix.lower() in _PICTURES:
        raise InputError(
            f"'{arguments.file.name}' is a picture, not a video. Give a video.", "file"
        )

    from lavie.media import VideoWriter, open_video, source_of, write_recipe
    from lavie.pipelines import limits
    from lavie.pipelines.story import common_prompt

    with open_video(arguments.file) as video:
        recipe = own_recipe(video)
        prompt = _default_to(arguments.prompt, common_prompt(recipe))
        settings["prompt"] = limits.check_optional_prompt(prompt)
        settings["seed"] = choose_seed(_default_to(arguments.seed, recipe.get("seed")))
        refuse_own_input(arguments.file, arguments.output)
        output = choose_output(arguments.output)

        # The work
        cascade, seconds = load_cascade(arguments)
        _say_what_is_done(video, times_the_frames, times_the_size)
        with VideoWriter(output, video.fps * times_the_frames, audio_from=arguments.file) as writer:
            generation = run(cascade, video, writer, settings | {"on_event": draw_bar()})
            source = source_of(arguments.file.name, video.metadata)
            writer.metadata = generation.metadata | source
            started = time.perf_counter()
        write_recipe(output, writer.metadata)
        seconds |= generation.seconds | {"write": time.perf_counter() - started}
    print_result(arguments.json, output, settings["seed"], writer.shape, generation.fps, seconds)


def _say_what_is_done(video: "VideoFile", times_the_frames: int, times_the_size: int) -> None:
    num_frames, height, width = video.shape[:3]
    made = times_the_frames * (num_frames - 1) + 1
    rows, columns = (side * times_the_size + side * times_the_size % 2 for side in (height, width))
    print(
        f"{video.path.name}: {num_frames} frames of {width}x{height} become {made} of "
        f"{columns}x{rows}.",
        file=sys.stderr,
        flush=True,
    )


def _settings(arguments: argparse.Namespace, stage: "StageName") -> dict[str, Any]:
    """The settings of a stage.

    Raises:
        InputError: One breaks its rule.
    """
    from lavie.pipelines import limits
    from lavie.pipelines.exact import EXACT

    names = (*_SETTINGS, *_OWN_SETTINGS[stage])
    settings = {name: getattr(arguments, name) for name in names}
    if arguments.exact:
        for name, value in EXACT[stage].items():
            if settings.get(name) not in (None, value):
                flag = f"--{name.replace('_', '-')}"
                means = "off" if value is False else value
                raise InputError(f"With --exact, {flag} is {means}. Leave it out.", name)
        settings |= EXACT[stage]
    limits.check_given(settings)
    if arguments.prompt:
        limits.check_prompt(arguments.prompt)
    return settings


def _default_to(asked: Any, known: Any) -> Any:  # noqa: ANN401
    return known if asked is None else asked
