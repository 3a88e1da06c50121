"""Long videos: ``extend``, and ``generate`` with a story."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lavie.cli.shared import (
    add_command,
    add_video_flags,
    choose_output,
    choose_seed,
    draw_bar,
    load_cascade,
    print_result,
    refuse_own_input,
)
from lavie.errors import InputError

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Film, Generation
    from lavie.media import VideoFile, VideoWriter
    from lavie.types import Frames, FrameSequence

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
FILM_SETTINGS = (
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "scheduler",
    "height",
    "width",
    "num_given",
)
_LATER = ("interpolation", "super_resolution")
_MAX_STORY_BYTES = 1_000_000


def add_extend(commands: Any) -> None:  # noqa: ANN401
    """The command ``extend`` and its flags."""
    parser = add_command(
        commands, "extend", _extend, "Go on from a video, or let a picture come to life."
    )
    add = parser.add_argument
    add("file", type=Path, help="any usual video, or a picture: " + ", ".join(PICTURES))
    add_story_flags(parser)
    add("--prompt", help="what happens next, instead of a story; default: what the recipe says")
    add("--seconds", type=float, help="of --prompt; default: one window of the model")
    add("--end", type=Path, help="a picture that the film ends with: a transition")
    add("--only-new", action="store_true", help="leave out the given video")
    add("--negative-prompt", default="", help="what to stay away from")
    add(
        "--stages",
        help="comma-separated, from interpolation,super_resolution: smooth or enlarge the film",
    )
    add("--seed", type=int, help="the same seed makes the same film; default: a new one")
    add("--num-inference-steps", type=int, help="1 to 1000; default: the model's own")
    add("--guidance-scale", type=float, help="how closely to follow the prompt, 0 to 50")
    add("--scheduler", help="dpm++, ddim, ddpm or euler; default: the model's own")
    add("--height", type=int, help="pixels of the film; default: the model's own")
    add("--width", type=int, help="pixels of the film; default: the model's own")
    add_video_flags(parser)
    parser.epilog = (
        "A story is a text file with one line for each part: a prompt, and behind a bar the "
        "seconds it lasts, as 'a panda moving left over the ocean | 4'. The film has the size and "
        "pace of the model; of the given video the middle is cut out where shapes differ. Ctrl-C "
        "keeps what is done."
    )


def add_story_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of every command that films a story."""
    add = parser.add_argument
    add("--story", type=Path, help="a text file: one line for each part, 'prompt | seconds'")
    add("--num-given", type=int, help="frames that a window is given of the one before")


def read_story_file(path: Path) -> str:
    """The text of a story.

    Raises:
        InputError: There is no such file, or it is no text.
    """
    try:
        if path.stat().st_size > _MAX_STORY_BYTES:
            raise InputError(f"Story '{path.name}' is larger than 1 MB. Use a text file.", "story")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"Story '{path}' does not exist.", "story") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Story '{path.name}' is not a text in UTF-8. Give a text file.", "story"
        ) from error


def check_film_stages(asked: str | None) -> list[str]:
    """The stages that are to follow a film.

    Raises:
        InputError: One cannot.
    """
    from lavie.pipelines import limits

    stages = [stage for stage in (asked or "").split(",") if stage not in ("", "base")]
    for stage in stages:
        limits.check_choice(stage, _LATER, "stages")
    return stages


def make_film(
    arguments: argparse.Namespace,
    story: str | list[dict[str, Any]],
    start: "FrameSequence | None",
    source: dict[str, Any],
    end: "Frames | None" = None,
) -> None:
    """Film a story into a file, with what it goes on from and the stages that are to follow.

    Args:
        arguments: Of the command.
        story: As `read_story` takes it.
        start: See `Film`.
        source: What the recipe says of the files that were given.
        end: See `Film`.
    """
    # The door
    from lavie.media import LOSSLESS, VideoWriter, open_video, write_recipe
    from lavie.pipelines import limits
    from lavie.pipelines.story import read_story

    read_story(story)
    stages = check_film_stages(arguments.stages)
    settings = {name: getattr(arguments, name) for name in FILM_SETTINGS}
    limits.check_given(settings)
    settings["seed"] = choose_seed(arguments.seed)
    output = choose_output(arguments.output)

    # The work: the film into a file that loses nothing, and from there to where it is asked for
    cascade, seconds = load_cascade(arguments)
    for stage in stages:
        cascade.loaded.check(stage)
    film = cascade.film(story, start, end, on_event=draw_bar(), **settings)
    smooth = "interpolation" in stages
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".film-") as folder:
        whole = Path(folder) / f"film{LOSSLESS.suffix}"
        started = time.perf_counter()
        stop = _film_into(whole, film, with_start=not getattr(arguments, "only_new", False))
        seconds["long_video"] = time.perf_counter() - started
        if stop is not None:
            print("Stopped: what was done is kept.", file=sys.stderr)
            stages, smooth = [], False
        fps = film.fps * (4 if smooth else 1)
        with open_video(whole) as frames, VideoWriter(output, fps) as writer:
            made = _follow(cascade, film, frames, stages, writer)
            writer.metadata = made.metadata | source
    write_recipe(output, writer.metadata)
    print_result(
        arguments.json, output, settings["seed"], writer.shape, fps, seconds | made.seconds
    )
    if stop is not None:
        raise stop


def _film_into(path: Path, film: "Film", with_start: bool) -> KeyboardInterrupt | None:
    """Write a film part by part; Ctrl-C ends it, and is given back, once there is a part."""
    from lavie.media import LOSSLESS, VideoWriter

    with VideoWriter(path, film.fps, format=LOSSLESS) as writer:
        if with_start:
            writer.write(film.beginning())
        num_given = writer.shape[0]
        try:
            for segment in film.segments():
                writer.write(segment.frames)
        except KeyboardInterrupt as stop:
            if writer.shape[0] == num_given:
                raise
            return stop
    return None


def _follow(
    cascade: "Cascade",
    film: "Film",
    frames: "VideoFile",
    stages: Sequence[str],
    writer: "VideoWriter",
) -> "Generation":
    """Write a film, or what later stages make of it."""
    from lavie.cascade import Generation

    seed, bar = film.recipe["seed"], draw_bar()
    made = Generation(cast("Frames", frames), film.fps, seed, film.recipe)
    if "interpolation" in stages:
        made = cascade.interpolate(made, on_event=bar)
    if "super_resolution" in stages:
        return cascade.upscale(made, on_frames=writer.write, on_event=bar)
    writer.write(made.frames)
    return made


def _extend(arguments: argparse.Namespace) -> None:
    from lavie.data.decode import read_picture
    from lavie.media import open_video

    if arguments.story is not None and arguments.prompt is not None:
        raise InputError("Give --story or --prompt, not both.", "story")
    if arguments.seconds is not None and arguments.prompt is None:
        raise InputError("--seconds is of --prompt. Give that, or seconds in the story.", "seconds")
    story = read_story_file(arguments.story) if arguments.story is not None else None
    end = None if arguments.end is None else _read(read_picture, arguments.end, "end")
    source: dict[str, Any] = {"file": arguments.file.name}
    if arguments.file.suffix.lower() in PICTURES:
        picture = _read(read_picture, arguments.file, "file")
        make_film(arguments, story or _one_line(arguments), picture, {"source": source}, end)
        return
    with open_video(arguments.file) as video:
        recipe = video.metadata or {}
        source["recipe"] = video.metadata
        own = recipe.get("prompt") if {"stages", "model_hash"} <= recipe.keys() else None
        told = story or _one_line(arguments, own)
        refuse_own_input(arguments.file, arguments.output)
        make_film(arguments, told, video, {"source": source}, end)


def _one_line(arguments: argparse.Namespace, own: str | None = None) -> list[dict[str, Any]]:
    """A story of the one prompt that was given, or that the video was made from."""
    prompt = arguments.prompt if arguments.prompt is not None else own
    if prompt is None:
        raise InputError(
            f"What is to happen next in '{arguments.file.name}'? Give --prompt or --story.",
            "prompt",
        )
    return [{"prompt": prompt, "seconds": arguments.seconds}]


def _read(read: "Callable[[Path], Frames]", path: Path, field: str) -> "Frames":
    if not path.is_file():
        raise InputError(f"Picture '{path}' does not exist.", field)
    try:
        return read(path)
    except InputError as error:
        raise InputError(f"Picture '{path.name}' cannot be used: {error}.", field) from error
