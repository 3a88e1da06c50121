"""What several commands need."""

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.errors import InputError
from lavie.pipelines.model_folder import LATER_STAGES
from lavie.runtime.loading import pause_garbage_collection, silence_loading_bars
from lavie.runtime.profiles import AUTO, PROFILES

if TYPE_CHECKING:
    from lavie.cascade import Cascade
    from lavie.media import VideoFile
    from lavie.types import Event, OnEvent, StageName

OUTPUT_FOLDER = Path("outputs")

_SECONDS_BEFORE_A_LINE = 3
_SECONDS_BETWEEN_LINES = 30


def add_command(
    commands: Any,  # noqa: ANN401 - argparse keeps the class of its sub-parsers private
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    description: str,
) -> argparse.ArgumentParser:
    """Add a command that all get the same way.

    Args:
        commands: What `main` hands out.
        name: As typed.
        run: Does the work with the parsed arguments; None or 0 means done.
        description: One line.

    Returns:
        The command's own parser, for its flags.
    """
    parser = commands.add_parser(name, help=description, description=description)
    parser.add_argument("--debug", action="store_true", help="log more, and show tracebacks")
    parser.set_defaults(run=run)
    return parser


def add_video_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of every command that makes a video: by what, where, and to which file."""
    add = parser.add_argument
    add(
        "--model",
        default="miniature",
        help="model folder, pretrained_models folder of the original, hub id, or 'miniature'",
    )
    add_stage_flags(parser)
    add("--device", choices=("cpu", "cuda", "mps"), help="default: the GPU if there is one")
    add("--dtype", choices=("float32", "float16", "bfloat16"), help="default: float16 on CUDA")
    add(
        "--low-memory",
        action=argparse.BooleanOptionalAction,
        help="whether the stages take turns on the device; default: as the profile says",
    )
    add(
        "--profile",
        choices=(AUTO, *(profile.name for profile in PROFILES)),
        default=AUTO,
        help="what is done about memory, by class of GPU; default: auto, by how much is free",
    )
    add(
        "--output",
        type=Path,
        help="an .mp4 file, replaced if it exists; default: the next free name in outputs/",
    )
    add("--json", action="store_true", help="end with one line of JSON")


def add_stage_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that name models for the later stages, such as what their training has made."""
    for stage in LATER_STAGES:
        help_text = "another model for this stage: the folder its training made; default: --model's"
        parser.add_argument(stage_flag(stage), metavar="FOLDER", help=help_text)


def stage_flag(stage: "StageName") -> str:
    """The flag that names a model for a later stage."""
    return f"--{stage.replace('_', '-')}"


def stage_folders(arguments: argparse.Namespace) -> "dict[StageName, str]":
    """The models that the flags name for later stages."""
    asked: dict[StageName, str | None] = {
        stage: getattr(arguments, stage) for stage in LATER_STAGES
    }
    return {stage: folder for stage, folder in asked.items() if folder is not None}


def as_stage_flags(folders: "Mapping[StageName, str]") -> list[str]:
    """What `stage_folders` gave, as flags of another command."""
    return [word for stage, folder in folders.items() for word in (stage_flag(stage), folder)]


def tile_size(text: str) -> Any:  # noqa: ANN401 - as argparse wants it
    """A value of ``--tile-size``: ``auto`` or pixels."""
    try:
        return text if text == "auto" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not 'auto' or a number of pixels") from None


def choose_seed(asked: int | None) -> int:
    """The seed asked for, or a new one.

    Raises:
        InputError: It is none.
    """
    from lavie.pipelines import limits

    return secrets.randbelow(2**32) if asked is None else limits.check_seed(asked)


def choose_output(asked: Path | None) -> Path:
    """The file asked for, or the next free ``outputs/video-0001.mp4``.

    Raises:
        InputError: It could not be written.
    """
    from lavie.media import check_output, check_output_folder

    output = asked
    if output is None:
        check_output_folder(OUTPUT_FOLDER)
        OUTPUT_FOLDER.mkdir(exist_ok=True)
        numbers = [
            int(path.stem.removeprefix("video-"))
            for path in OUTPUT_FOLDER.glob("video-*.mp4")
            if path.stem.removeprefix("video-").isdecimal()
        ]
        output = OUTPUT_FOLDER / f"video-{max(numbers, default=0) + 1:04d}.mp4"
    check_output(output, ".mp4")
    if output.exists():
        print(f"{output} is replaced when the new one is done.", file=sys.stderr)
    return output


def refuse_own_input(file: Path, output: Path | None) -> None:
    """Raise if a video would be written over the one it is made from.

    Raises:
        InputError: It would.
    """
    if output is not None and output.exists() and output.samefile(file):
        raise InputError(f"Output '{output}' is the given video. Choose another name.", "output")


def own_recipe(video: "VideoFile") -> dict[str, Any]:
    """The recipe in a file, if it is one of ours: other programs keep a prompt there, too."""
    recipe = video.metadata or {}
    return recipe if {"stages", "model_hash"} <= recipe.keys() else {}


def check_stages(model: str, asked: Iterable[str], found: Sequence[str], way_out: str) -> None:
    """Raise unless a model has stages, before it is loaded.

    Args:
        model: As the flag names it.
        asked: The stages.
        found: Those it has.
        way_out: What to do if one is not among them, as a sentence.

    Raises:
        InputError: One is not.
    """
    for stage in asked:
        if stage not in found:
            raise InputError(
                f"Model '{model}' has no stage '{stage}', only {', '.join(found)}. {way_out}",
                "model",
            )


def load_cascade(arguments: argparse.Namespace) -> "tuple[Cascade, dict[str, float]]":
    """The model that the flags name, and the seconds that took."""
    started = time.perf_counter()
    with pause_garbage_collection():
        silence_loading_bars()
        import torch

        from lavie.cascade import Cascade
        from lavie.runtime.allocator import keep_freed_memory

        keep_freed_memory()
        dtype = arguments.dtype and getattr(torch, arguments.dtype)
        cascade = Cascade.from_pretrained(
            arguments.model,
            arguments.device,
            dtype,
            arguments.low_memory,
            arguments.profile,
            stage_folders(arguments),
        )
    return cascade, {"load": time.perf_counter() - started}


def print_result(
    as_json: bool,
    output: Path,
    seed: int,
    shape: tuple[int, ...],
    fps: float,
    seconds: dict[str, float],
) -> None:
    """Say what was made, for people or as JSON.

    Args:
        as_json: One line of JSON instead of a sentence.
        output: The file.
        seed: Of the video.
        shape: ``(F, H, W, 3)``.
        fps: Frames per second.
        seconds: By what they were spent on.
    """
    from lavie.runtime.memory import peak_memory

    num_frames, height, width = shape[:3]
    result = {
        "output": str(output),
        "seed": seed,
        "frames": num_frames,
        "size": [width, height],
        "fps": fps,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_memory": peak_memory(),
    }
    if as_json:
        print(json.dumps(result))
        return
    spent = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    print(f"{output}: {num_frames} frames, {width}x{height}, seed {seed} ({spent})")


def draw_bar(unit: str = "part") -> "OnEvent":
    """Show on stderr how far each stage is, and about how long it still takes.

    A bar where somebody looks at it; elsewhere a line now and then, if it takes long.

    Args:
        unit: What the parts of the work are called.
    """
    from tqdm import tqdm

    from lavie.types import Progress

    bar: tqdm | None = None
    next_line = 0.0

    def draw(event: "Event") -> None:
        nonlocal bar, next_line
        if not isinstance(event, Progress):
            return
        now = time.monotonic()
        if bar is None:
            counted = "B" if event.stage == "download" else unit
            bar = tqdm(
                total=event.total,
                desc=event.stage,
                unit=counted,
                unit_scale=counted == "B",
                disable=None,
            )
            next_line = now + _SECONDS_BEFORE_A_LINE
        left = event.seconds_left
        if not bar.disable and left is not None:
            bar.set_postfix_str(f"about {say_duration(left)} left", refresh=False)
        bar.update(event.step - bar.n)
        if event.step == event.total:
            bar.close()
            bar = None
        elif bar.disable and now >= next_line:
            rest = "" if left is None else f", about {say_duration(left)} left"
            print(f"{event.stage}: {event.step} of {event.total}{rest}", file=sys.stderr)
            next_line = now + _SECONDS_BETWEEN_LINES

    return draw


def say_duration(seconds: float) -> str:
    """A time as it is said, not as it is measured."""
    return f"{max(round(seconds), 1)} s" if seconds < 99.5 else f"{round(seconds / 60)} min"
