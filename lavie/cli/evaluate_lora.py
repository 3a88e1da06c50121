"""The command ``evaluate lora``: is what was learnt from a few pictures recognised, and moved?"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.shared import OUTPUT_FOLDER, add_command, draw_bar
from lavie.runtime.loading import silence_loading_bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lavie.evaluation.judge import Judge
    from lora.evaluation.measuring import MeasuredLesson, Measuring, Video
    from lora.evaluation.report import MeasuredLessons

PARTS = ("things", "styles", "all_layers")


def add_evaluate_lora(kinds: Any) -> None:  # noqa: ANN401
    """The command and its flags."""
    parser = add_command(
        kinds, "lora", _evaluate_lora, "Does a model learn a new thing from a few pictures?"
    )
    add = parser.add_argument
    add("--model", default="miniature", help="model folder; default: miniature")
    add("--judge", type=Path, help="folder of train-judge; default: bundled")
    add("--device", choices=("cpu", "cuda", "mps"), help="default: GPU if any")
    add("--seed", type=int, default=0, help="of pictures, training and noise; default: 0")
    add("--parts", default=",".join(PARTS), help="comma-separated; default: %(default)s")
    add("--newcomers", help="comma-separated; default: all that the world keeps apart")
    add("--styles", help="comma-separated; default: all that the world keeps apart")
    add("--num-pictures", type=int, default=6, help="to learn each from, 1 to 100; default: 6")
    add("--grounds", help="what is behind the things, in turn; default: plain,transparent,gradient")
    add("--effort", choices=("quick", "normal", "thorough"), default="normal", help="of training")
    add(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting of the training, such as num_steps=50; may stand several times",
    )
    add("--num-videos", type=int, default=24, help="of each that was learnt; default: 24")
    add(
        "--num-unchanged",
        type=int,
        default=12,
        help="of them, also without the trigger word; default: 12",
    )
    add("--batch-size", type=int, default=4, help="videos made together; changes none of them")
    add(
        "--instrument",
        action="store_true",
        help="measure no training, but true clips of the world, or of newcomers that are named, "
        "and spoiled ones that have to fail",
    )
    add("--num-clips", type=int, default=6, help="of each thing and kind then; default: 6")
    add("--output", type=Path, default=OUTPUT_FOLDER / "lora", help="folder to fill")
    add("--json", action="store_true", help="end with one line of JSON")
    parser.epilog = (
        "LoRAs and videos are kept in the folder: the same command again goes on where it stopped, "
        "and measures those that are there anew."
    )


def _evaluate_lora(arguments: argparse.Namespace) -> None:
    _check(arguments)

    # The work
    silence_loading_bars()
    from lavie.evaluation.judge import JUDGE_FOLDER, Judge

    judge = Judge.from_folder(arguments.judge or JUDGE_FOLDER)
    if arguments.instrument:
        _measure_instrument(arguments, judge)
        return

    from lora.evaluation.report import table, write_report

    settings, measured = _measure(arguments, judge)
    summary = write_report(arguments.output, settings, measured)
    print(*table(summary), sep="\n")
    print(f"{arguments.output}: report.json, sheet.png; LoRAs in loras/, videos in videos/")
    if arguments.json:
        print(json.dumps({name: summary[name] for name in ("settings", "rows")}))


def _check(arguments: argparse.Namespace) -> None:
    """The door, before anything is loaded."""
    from lavie.data.world import NEWCOMERS
    from lavie.media import check_output_folder
    from lavie.pipelines import limits
    from lora.evaluation.lessons import Lesson, make_config
    from lora.evaluation.looks import NEW_LOOKS
    from lora.evaluation.pictures import GROUNDS, IN_PLACES, Picture

    check_output_folder(arguments.output)
    limits.check_seed(arguments.seed)
    limits.check_whole_number(arguments.num_pictures, "num_pictures", 1, 100)
    limits.check_whole_number(arguments.num_videos, "num_videos", 1, 10_000)
    limits.check_whole_number(arguments.num_clips, "num_clips", 1, 1000)
    limits.check_whole_number(arguments.num_unchanged, "num_unchanged", 0, arguments.num_videos)
    limits.check_whole_number(arguments.batch_size, "batch_size", 1, 1024)
    for name, known in (
        ("parts", PARTS),
        ("newcomers", tuple(NEWCOMERS)),
        ("styles", tuple(NEW_LOOKS)),
        ("grounds", (*GROUNDS, IN_PLACES)),
    ):
        given = getattr(arguments, name)
        chosen = (GROUNDS if name == "grounds" else known) if given is None else given.split(",")
        for each in chosen:
            limits.check_choice(each, known, name)
        setattr(arguments, name, tuple(chosen))
    arguments.overrides = [f"effort={arguments.effort}", *arguments.overrides]
    lesson = Lesson("ghost", "thing", (Picture(Path("0.png")),))
    make_config(lesson, arguments.model, arguments.output, arguments.seed, arguments.overrides)


def _measure(
    arguments: argparse.Namespace, judge: "Judge"
) -> "tuple[dict[str, Any], MeasuredLessons]":
    """Everything that was asked for, and how it was done."""
    from dataclasses import asdict

    from lavie.cascade import Cascade
    from lavie.evaluation.kept_films import KeptFilms
    from lavie.evaluation.prompt_accuracy import check_model_size
    from lora.evaluation.measuring import Measuring
    from lora.evaluation.prompts import make_prompts
    from lora.evaluation.report import MeasuredLessons

    cascade = Cascade.from_pretrained(arguments.model, arguments.device)
    size = cascade.base.check_settings()
    check_model_size(size.height, size.width)
    names = ("seed", "num_pictures", "num_videos", "num_unchanged", "grounds", "overrides")
    settings: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    settings |= {"model_hash": cascade.model_hash, "generation": asdict(size)}
    kept = KeptFilms(arguments.output / "videos", settings)
    asked = make_prompts(arguments.num_videos, arguments.seed)
    measuring = Measuring(
        cascade.base,
        judge,
        kept,
        asked,
        arguments.num_unchanged,
        arguments.batch_size,
        draw_bar("video"),
    )
    base = measuring.measure_base()
    measured: dict[str, Any] = {}
    for part in arguments.parts:
        names = arguments.styles if part == "styles" else arguments.newcomers
        measured[part] = [_measure_one(arguments, measuring, base, part, name) for name in names]
    settings |= {"model": arguments.model}
    return settings, MeasuredLessons(base, **measured)


def _measure_one(
    arguments: argparse.Namespace,
    measuring: "Measuring",
    base: "Sequence[Video]",
    part: str,
    name: str,
) -> "MeasuredLesson":
    from lora.evaluation.lessons import learn, make_config, make_lesson

    folder = arguments.output / "pictures" / name
    lesson = make_lesson(name, folder, arguments.num_pictures, arguments.seed, arguments.grounds)
    overrides = list(arguments.overrides)
    if part == "all_layers":
        overrides.append("also_temporal=true")
    target = arguments.output / "loras" / f"{part}-{name}"
    config = make_config(lesson, arguments.model, target, arguments.seed, overrides)
    learnt = learn(config, draw_bar("step"))
    return measuring.measure_lesson(lesson, learnt, base, part)


def _measure_instrument(arguments: argparse.Namespace, judge: "Judge") -> None:
    from lavie.convert.resolve import load_pipeline
    from lavie.data.world import NEWCOMERS, SUBJECTS, contact_sheet
    from lavie.evaluation.measured import write_json
    from lavie.evaluation.rows import rows_table
    from lora.evaluation.instrument import (
        TITLES,
        instrument_rows,
        measure_known_clips,
        through_autoencoder,
    )

    encode = through_autoencoder(load_pipeline(arguments.model).vae)
    is_of_all = arguments.newcomers == tuple(NEWCOMERS)
    names = (*SUBJECTS, *NEWCOMERS) if is_of_all else arguments.newcomers
    clips = measure_known_clips(
        judge, encode, arguments.num_clips, names, arguments.seed, on_event=draw_bar("clip")
    )
    rows = instrument_rows(clips)
    summary = {kind: [row.as_json() for row in rows[kind]] for kind in rows}
    write_json(arguments.output / "instrument.json", summary)
    pictures = [
        (f"{kind}: {clip.name} | {clip.reading.likeness.name or 'unclear'}", clip.frames)
        for kind, of_kind in clips.items()
        for clip in of_kind[:: arguments.num_clips][::3]
    ]
    contact_sheet(pictures, 8, 2).save(arguments.output / "instrument.png")
    print(*rows_table(summary, TITLES), sep="\n")
    print(f"{arguments.output}: instrument.json, instrument.png")
    if arguments.json:
        print(json.dumps(summary))
