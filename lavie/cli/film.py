"""Long videos: ``extend``, and ``generate`` with a story."""

import argparse
import math
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from lavie.cli.loras import REGISTRY, add_lora_flags, read_loras
from lavie.cli.shared import (
    add_command,
    add_video_flags,
    as_stage_flags,
    choose_output,
    choose_seed,
    draw_bar,
    load_cascade,
    own_recipe,
    print_result,
    refuse_own_input,
    stage_folders,
)
from lavie.errors import InputError
from lavie.pipelines.model_folder import MINIATURE
from lavie.runtime.profiles import AUTO
from lavie.types import CASCADE_STAGES

if TYPE_CHECKING:
    from lavie.cascade import Cascade, Film, Generation
    from lavie.pipelines.text_to_video import TextToVideoPipeline
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
_LATER = CASCADE_STAGES[1:]
_MAX_STORY_BYTES = 1_000_000
_STORY_WAY_OUT = "Give a text file with a line for each prompt, or use --prompt."


def add_extend(commands: Any) -> None:  # noqa: ANN401
    """The command ``extend`` and its flags."""
    parser = add_command(
        commands, "extend", _extend, "Go on from a video, or let a picture come to life."
    )
    add = parser.add_argument
    add("file", type=Path, help="any usual video, or a picture: " + ", ".join(PICTURES))
    add_story_flags(parser)
    add("--prompt", help="what happens next, instead of a story; default: what its recipe says")
    add(
        "--seconds",
        type=seconds_of_line,
        help="how long the prompt lasts; default: one window of the model",
    )
    add("--end", type=Path, help="a picture that the film ends with, at the end of a whole window")
    add("--only-new", action="store_true", help="leave out the given video")
    add("--negative-prompt", help="what to stay away from")
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
    add_lora_flags(parser)
    add_video_flags(parser)
    parser.epilog = (
        "A story is a text file with one line for each part: a prompt, and behind a bar the "
        "seconds it lasts, as 'a panda moving left over the ocean | 4', and behind another, if it "
        "is to have its own, 'seed 7'. The film has the size and "
        "pace of the model; of the given video the middle is cut out where shapes differ, and its "
        "sound stays. Ctrl-C keeps what is done, beside a film that is there already; given that "
        "file, without prompt and story, it goes on with what was left, with the settings it had."
    )


def add_story_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of every command that films a story."""
    add = parser.add_argument
    add("--story", type=Path, help="a text file: one line for each part, 'prompt | seconds'")
    add("--num-given", type=int, help="frames that a window is given of the one before")


def seconds_of_line(text: str) -> float:
    """A value of ``--seconds``: a time that a line of a story may last."""
    from lavie.pipelines.story import MAX_SECONDS

    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_SECONDS:  # not a number fails too
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a number above 0 and up to {MAX_SECONDS:g}. Use 4, say"
        )
    return seconds


def read_story_file(path: Path) -> str:
    """The text of a story.

    Raises:
        InputError: There is no such file, or it is no text, or called as if it were none.
    """
    from lavie.data.decode import CLIP_SUFFIXES, PICTURE_SUFFIXES, suffix_of

    name = str(path)[:100]
    try:
        size = path.stat().st_size
        if suffix_of(path.name) in PICTURE_SUFFIXES | CLIP_SUFFIXES:
            problem = "has the name of a picture or a video"
        elif size > _MAX_STORY_BYTES:
            problem = "is larger than 1 MB"
        else:
            return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = "does not exist"
    except UnicodeDecodeError:
        problem = "is not a text in UTF-8"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    raise InputError(f"Story '{name}' {problem}. {_STORY_WAY_OUT}", "story")


def check_film_stages(asked: str | None) -> list[str]:
    """The stages that are to follow a film, in their order.

    Raises:
        InputError: One cannot.
    """
    from lavie.pipelines import limits

    names = [name for name in (asked or "").split(",") if name not in ("", "base")]
    for name in names:
        limits.check_choice(name, _LATER, "stages")
    return [stage for stage in _LATER if stage in names]


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
    from lavie.media import LOSSLESS
    from lavie.pipelines import limits
    from lavie.pipelines.story import read_story

    read_story(story)
    stages = check_film_stages(arguments.stages)
    settings = {name: getattr(arguments, name) for name in FILM_SETTINGS}
    settings["negative_prompt"] = settings["negative_prompt"] or ""
    limits.check_given(settings)
    settings["seed"] = choose_seed(arguments.seed)
    loras = read_loras(arguments)
    output = choose_output(arguments.output)

    # The work: the film into a file that loses nothing, and from there to where it is asked for
    cascade, seconds = load_cascade(arguments)
    for stage in stages:
        cascade.loaded.check(stage)
    film = cascade.film(story, start, end, on_event=draw_bar(), **settings)
    if start is not None:
        _say_what_becomes_of(start, film, arguments.file.name)
    with_start = not getattr(arguments, "only_new", False)
    heard = arguments.file if film.begins_with == "video" and with_start else None
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".film-") as folder:
        whole = Path(folder) / f"film{LOSSLESS.suffix}"
        started = time.perf_counter()
        made, num_done, stop = _film_into(whole, cascade, film, loras, with_start)
        seconds["long_video"] = time.perf_counter() - started
        later = [] if stop is not None else stages
        kept = output if stop is None else _beside_what_is_there(output)
        try:
            made, shape = _follow(cascade, made, whole, later, kept, source, heard)
        except (KeyboardInterrupt, Exception) as error:
            if not later:
                raise
            stop, kept = error, _beside_what_is_there(output)
            made, shape = _follow(cascade, made, whole, [], kept, source, heard)
    seconds |= made.seconds
    print_result(arguments.json, kept, settings["seed"], shape, made.fps, seconds)
    if stop is not None:
        sentence = f"{num_done} of {len(film.parts)} parts are done and kept in {kept}."
        if stages:
            sentence += f" Not done: {', '.join(stages)}."
        if kept != output:
            sentence += f" {output} stays as it was."
        if "unfilmed" in made.metadata:
            sentence += f" Go on with: {_way_on(arguments, kept, stages)}"
        _say_and_raise(stop, sentence)


def _say_and_raise(stop: KeyboardInterrupt | Exception, sentence: str) -> NoReturn:
    """End as what stopped a film ends the command, and say what is kept."""
    if isinstance(stop, KeyboardInterrupt):
        raise KeyboardInterrupt(f"Stopped: {sentence}") from stop
    print(sentence, file=sys.stderr)
    raise stop


def _way_on(arguments: argparse.Namespace, kept: Path, stages: Sequence[str]) -> str:
    """The command that goes on with a film that was stopped; what is in its recipe is not said."""
    words = ["python", "-m", "lavie", "extend", str(kept)]
    if arguments.model != MINIATURE:
        words += ["--model", arguments.model]
    words += as_stage_flags(stage_folders(arguments))
    for lora in arguments.lora:
        words += ["--lora", lora]
    if arguments.lora and arguments.registry != REGISTRY:
        words += ["--registry", str(arguments.registry)]
    if stages:
        words += ["--stages", ",".join(stages)]
    for name in ("end", "device", "dtype", "profile"):
        value = getattr(arguments, name, None)
        if value not in (None, AUTO):
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def _beside_what_is_there(output: Path) -> Path:
    """Where a part of a film is kept: under a free name, if a film has the one asked for."""
    free, number = output, 0
    while free.exists():
        number += 1
        free = output.with_stem(f"{output.stem}-stopped" + (f"-{number}" if number > 1 else ""))
    return free


def _say_what_becomes_of(start: "FrameSequence", film: "Film", name: str) -> None:
    """Tell what a film goes on from, where it is another size than the film's."""
    height, width = start.shape[-3:-1]
    if (height, width) != tuple(film.size):
        rows, columns = film.size
        print(
            f"{name}: {width}x{height} becomes {columns}x{rows}, the size of the film.",
            file=sys.stderr,
            flush=True,
        )


def _film_into(
    path: Path,
    cascade: "Cascade",
    film: "Film",
    loras: Sequence[tuple[Path, float]],
    with_start: bool,
) -> "tuple[Generation, int, KeyboardInterrupt | Exception | None]":
    """Write a film part by part.

    Returns:
        It, without its frames; how many parts were done; and what stopped it, as Ctrl-C. What stops
        it before the first part is done is raised: there is nothing to keep.
    """
    from lavie.cascade import Generation
    from lavie.cascade.running import no_frames
    from lavie.media import LOSSLESS, VideoWriter
    from lavie.pipelines.story import rest_of, story_json
    from lora.use import noted_loras

    pipelines = [cascade.base]
    if cascade.goes_on_from_frames:
        pipelines.append(cast("TextToVideoPipeline", cascade.loaded.get("long_video")))
    num_done, stop = 0, None
    with (
        noted_loras(pipelines, loras, cascade.model_hash) as said,
        VideoWriter(path, film.fps, format=LOSSLESS) as writer,
    ):
        if with_start:
            writer.write(film.beginning())
        try:
            for segment in film.segments():
                writer.write(segment.frames)
                num_done += 1
        except (KeyboardInterrupt, Exception) as error:  # whatever it is, what is done is kept
            if not num_done:
                if not isinstance(error, KeyboardInterrupt):
                    raise
                told = f"Stopped: 0 of {len(film.parts)} parts are done, so nothing is kept."
                raise KeyboardInterrupt(told) from error
            stop = error
    recipe = film.recipe | said
    if left := rest_of(film.parts, num_done, film.fps):
        recipe["unfilmed"] = story_json(left)
    seed = recipe["seed"]
    return Generation(no_frames(*film.size), film.fps, seed, recipe), num_done, stop


def _follow(
    cascade: "Cascade",
    given: "Generation",
    path: Path,
    stages: Sequence[str],
    output: Path,
    source: dict[str, Any],
    heard: Path | None,
) -> "tuple[Generation, tuple[int, ...]]":
    """Write a video whose frames lie in a file, or what later stages make of it, and its shape.

    What is heard is the sound of the video that it begins with.
    """
    from lavie.media import LOSSLESS, MP4, VideoWriter, open_video, write_recipe
    from lavie.pipelines.between import FACTOR

    is_last = len(stages) < 2
    target = output if is_last else path.with_stem(stages[0])
    fps = given.fps * (FACTOR if stages[:1] == ["interpolation"] else 1)
    kind = MP4 if is_last else LOSSLESS
    sound = heard if is_last else None
    with open_video(path) as frames, VideoWriter(target, fps, None, sound, kind) as writer:
        made = replace(given, frames=cast("Frames", frames))
        if stages:
            run = cascade.interpolate if stages[0] == "interpolation" else cascade.upscale
            made = run(made, on_frames=writer.write, on_event=draw_bar())
        else:
            writer.write(made.frames)
        writer.metadata = made.metadata | source
    if not is_last:
        return _follow(cascade, made, target, stages[1:], output, source, heard)
    write_recipe(output, writer.metadata)
    return made, writer.shape


def _extend(arguments: argparse.Namespace) -> None:
    from lavie.data.decode import read_picture
    from lavie.media import open_video, source_of
    from lavie.pipelines import limits
    from lavie.pipelines.story import prompts_of

    if arguments.story is not None and arguments.prompt is not None:
        raise InputError("Give --story or --prompt, not both.", "story")
    if arguments.story is not None and arguments.seconds is not None:
        raise InputError(
            "--seconds says how long one prompt lasts. Leave it out, and say seconds in the story.",
            "seconds",
        )
    story = read_story_file(arguments.story) if arguments.story is not None else None
    end = None if arguments.end is None else _read(read_picture, arguments.end, "end")
    if arguments.file.suffix.lower() in PICTURES:
        picture = _read(read_picture, arguments.file, "file")
        source = source_of(arguments.file.name)
        make_film(arguments, story or _one_line(arguments), picture, source, end)
        return
    with open_video(arguments.file) as video:
        height, width = video.shape[1:3]
        limits.check_picture_shape(width, height, "file", f"Video '{arguments.file.name}'")
        recipe = own_recipe(video)
        shown = prompts_of(recipe)
        told = story or _unfilmed(arguments, recipe)
        if told and story is None:
            _go_on_as_before(arguments, recipe)
        told = told or _one_line(arguments, shown[-1] if shown else None)
        refuse_own_input(arguments.file, arguments.output)
        source = source_of(arguments.file.name, video.metadata)
        make_film(arguments, told, video, source, end)


def _unfilmed(arguments: argparse.Namespace, recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """What is left of the story of a film that was stopped, unless something else is asked for."""
    left = recipe.get("unfilmed")
    if arguments.prompt is not None or arguments.seconds is not None or not isinstance(left, list):
        return []
    if left:
        lines = "line" if len(left) == 1 else f"{len(left)} lines"
        print(f"Goes on with the {lines} left of its story.", file=sys.stderr)
    return left


def _go_on_as_before(arguments: argparse.Namespace, recipe: Mapping[str, Any]) -> None:
    """Take from a film's recipe how it was made, where nothing else is asked for."""
    settings = recipe.get("settings")
    own = settings.get("long_video") if isinstance(settings, Mapping) else None
    own = own if isinstance(own, Mapping) else {}
    told = {name: own.get(name) for name in FILM_SETTINGS}
    told["negative_prompt"] = recipe.get("negative_prompt")
    taken = {
        name: value
        for name, value in told.items()
        if getattr(arguments, name) is None and value not in (None, "")
    }
    for name, value in taken.items():
        setattr(arguments, name, value)
    said = ", ".join(f"{name} {value!r:.60}" for name, value in taken.items())
    notes = [f"As it was begun: {said}."] if said else []
    if recipe.get("loras") and not arguments.lora:
        notes.append("It was begun with LoRAs. Give --lora to go on with them.")
    if own.get("ends_with") and arguments.end is None:
        notes.append("It was to end with a picture. Give --end to have it do so.")
    if recipe.get("model") not in (None, arguments.model):
        notes.append(f"It was begun by {recipe['model']!r:.100}. Give --model to go on with that.")
    for note in notes:
        print(note, file=sys.stderr)


def _one_line(arguments: argparse.Namespace, own: str | None = None) -> list[dict[str, Any]]:
    """A story of the one prompt that was given, or of the last that the video was made from."""
    prompt = arguments.prompt if arguments.prompt is not None else own
    if prompt is None:
        raise InputError(
            f"What is to happen next in '{arguments.file.name}'? Give --prompt or --story.",
            "prompt",
        )
    return [{"prompt": prompt, "seconds": arguments.seconds}]


def _read(read: "Callable[[Path], Frames]", path: Path, field: str) -> "Frames":
    from lavie.pipelines import limits

    if not path.is_file():
        raise InputError(f"Picture '{path}' does not exist.", field)
    try:
        picture = read(path)
    except InputError as error:
        raise InputError(f"Picture '{path.name}' cannot be used: {error}.", field) from error
    height, width = picture.shape[:2]
    limits.check_picture_shape(width, height, field, f"Picture '{path.name}'")
    return picture
