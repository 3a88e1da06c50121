"""The commands around the procedural world: ``evaluate`` and ``world``."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.evaluate_long import add_evaluate_long
from lavie.cli.evaluate_lora import add_evaluate_lora
from lavie.cli.shared import (
    OUTPUT_FOLDER,
    add_command,
    add_stage_flags,
    check_stages,
    draw_bar,
    stage_folders,
)
from lavie.runtime.loading import silence_loading_bars

if TYPE_CHECKING:
    from lavie.types import StageName

_PARTS: dict[str, tuple["StageName", ...]] = {
    "interpolation": ("interpolation",),
    "super_resolution": ("super_resolution",),
    "prompts": ("interpolation", "super_resolution"),
}
"""What `evaluate cascade` measures, and the stages that takes."""


def add_evaluate(commands: Any) -> None:  # noqa: ANN401
    """The command ``evaluate`` and its flags."""
    about = "Measure a model of the procedural world."
    kinds = commands.add_parser("evaluate", help=about, description=about).add_subparsers(
        title="what", required=True, metavar="WHAT"
    )
    parser = add_command(
        kinds, "prompt-accuracy", _evaluate_prompts, "Do clips show what was asked for?"
    )
    add = parser.add_argument
    _add_model_and_judge(parser)
    add("--num-clips", type=int, default=200, help="clips of each caption set; default: 200")
    add(
        "--sets",
        default="seen,held_out,still_only",
        help="comma-separated, from seen,held_out,still_only,stills; default: all but stills",
    )
    add(
        "--stills",
        action="store_const",
        const="stills",
        dest="sets",
        help="one-frame pictures instead of clips, for the image stage; as --sets stills",
    )
    add("--steps", type=int, help="1 to 1000; default: the model's own")
    add("--guidance-scale", type=float, help="0 to 50; default: the model's own")
    add("--batch-size", type=int, default=4, help="clips made together; changes none of them")
    add("--output", type=Path, default=OUTPUT_FOLDER / "prompt-accuracy", help="folder to fill")
    add("--json", action="store_true", help="end with one line of JSON")

    parser = add_command(
        kinds,
        "cascade",
        _evaluate_cascade,
        "How good are the later stages on clips that are known in full?",
    )
    add = parser.add_argument
    _add_model_and_judge(parser)
    add_stage_flags(parser)
    add("--num-clips", type=int, help="clips of each part; default: 16, 8 and 24")
    add("--parts", default=",".join(_PARTS), help="comma-separated; default: %(default)s")
    add("--steps", type=int, help="of the later stages, 1 to 1000; default: the model's own")
    add("--output", type=Path, default=OUTPUT_FOLDER / "cascade", help="folder to fill")
    add("--json", action="store_true", help="end with one line of JSON")

    add_evaluate_long(kinds)
    add_evaluate_lora(kinds)

    parser = add_command(
        kinds,
        "motion-instrument",
        _evaluate_motion,
        "Has the network learned motion? One call on pure noise for every motion word.",
    )
    _add_model_and_judge(parser)
    parser.add_argument("--subject", default="panda", help="a word of the world")
    parser.add_argument("--place", default="snow", help="a word of the world")
    parser.add_argument("--sheet", type=Path, help="draw what is foreseen into this .png file")

    parser = add_command(kinds, "train-judge", _train_judge, "Make the judge from nothing.")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, help="batches; default: enough, about five minutes")
    parser.add_argument("--seed", type=int, default=0, help="default: 0, the bundled one's")
    parser.add_argument(
        "--num-clips", type=int, default=120, help="clips of each kind to examine it with"
    )


def _add_model_and_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="miniature", help="model folder; default: miniature")
    parser.add_argument("--judge", type=Path, help="folder of train-judge; default: bundled")
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"), help="default: GPU if any")
    parser.add_argument("--seed", type=int, default=0, help="of the noise; default: 0")


def _evaluate_prompts(arguments: argparse.Namespace) -> None:
    from lavie.evaluation.questions import make_questions
    from lavie.media import check_output_folder
    from lavie.pipelines import limits

    # The door, before anything is loaded
    check_output_folder(arguments.output)
    limits.check_seed(arguments.seed)
    limits.check_whole_number(arguments.batch_size, "batch_size", 1, 1024)
    limits.check_given(
        {"num_inference_steps": arguments.steps, "guidance_scale": arguments.guidance_scale}
    )
    questions = [
        question
        for name in arguments.sets.split(",")
        for question in make_questions(name, arguments.num_clips, arguments.seed)
    ]

    from lavie.evaluation.judge import JUDGE_FOLDER, read_accuracy
    from lavie.evaluation.prompt_accuracy import generate_and_judge
    from lavie.evaluation.report import settings_of, table, write_report

    # The work
    cascade, judge = _load_cascade_and_judge(arguments)
    pipeline = cascade.base
    settings = settings_of(
        pipeline, arguments.model, arguments.steps, arguments.guidance_scale, arguments.seed
    )
    settings["judge_accuracy"] = read_accuracy(arguments.judge or JUDGE_FOLDER)
    judged = generate_and_judge(
        pipeline,
        judge,
        questions,
        arguments.steps,
        arguments.guidance_scale,
        arguments.batch_size,
        on_event=draw_bar("clip"),
    )
    summary = write_report(arguments.output, judged, settings)
    print(*table(summary), sep="\n")
    print(f"{arguments.output}: report.json, sheet.png")
    if arguments.json:
        print(json.dumps({key: summary[key] for key in summary if key != "clips"}))


def _evaluate_cascade(arguments: argparse.Namespace) -> None:
    from lavie.convert.stages import find_stages
    from lavie.media import check_output_folder
    from lavie.pipelines import limits

    # The door, before anything is loaded
    check_output_folder(arguments.output)
    limits.check_seed(arguments.seed)
    limits.check_given({"num_inference_steps": arguments.steps})
    if arguments.num_clips is not None:
        limits.check_whole_number(arguments.num_clips, "num_clips", 1, 10_000)
    parts = arguments.parts.split(",")
    for part in parts:
        limits.check_choice(part, tuple(_PARTS), "parts")
    stages: list[StageName] = sorted({stage for part in parts for stage in _PARTS[part]})
    way_out = "Evaluate a model that has it, or other --parts."
    arguments.folders = stage_folders(arguments)
    check_stages(
        arguments.model, stages, (*find_stages(arguments.model), *arguments.folders), way_out
    )

    from lavie.evaluation.cascade_prompts import judge_every_stage
    from lavie.evaluation.cascade_report import table, write_report
    from lavie.evaluation.interpolation_quality import measure_interpolation
    from lavie.evaluation.questions import make_questions
    from lavie.evaluation.super_resolution_quality import measure_super_resolution

    # The work
    cascade, judge = _load_cascade_and_judge(arguments)
    pipelines: dict[str, Any] = {stage: cascade.pipeline(stage) for stage in stages}
    measured: dict[str, Any] = {}
    count, seed = arguments.num_clips, arguments.seed
    options = {"num_inference_steps": arguments.steps, "on_event": draw_bar("clip")}
    if "interpolation" in parts:
        measured["interpolation"] = measure_interpolation(
            pipelines["interpolation"], judge, count or 16, seed, **options
        )
    if "super_resolution" in parts:
        measured["super_resolution"] = measure_super_resolution(
            pipelines["super_resolution"], count or 8, seed, **options
        )
    if "prompts" in parts:
        questions = make_questions("held_out", count or 24, seed)
        measured["prompts"] = judge_every_stage(
            cascade.base, **pipelines, judge=judge, questions=questions, **options
        )
    settings = {"model": arguments.model, "seed": seed} | {
        stage: asdict(pipeline.check_denoising(arguments.steps))
        for stage, pipeline in pipelines.items()
    }
    summary = write_report(arguments.output, settings, **measured)
    print(*table(summary), sep="\n")
    print(f"{arguments.output}: report.json and sheets")
    if arguments.json:
        print(json.dumps(summary))


def _evaluate_motion(arguments: argparse.Namespace) -> None:
    from lavie.media import check_output

    if arguments.sheet is not None:
        check_output(arguments.sheet, ".png")

    from lavie.evaluation.motion_instrument import motion_table, read_motions

    cascade, judge = _load_cascade_and_judge(arguments)
    reading = read_motions(cascade.base, judge, arguments.subject, arguments.place, arguments.seed)
    print(*motion_table(reading), sep="\n")
    if arguments.sheet is not None:
        from lavie.data.world import contact_sheet

        rows = list(zip(reading.motions, reading.frames, strict=True))
        contact_sheet(rows, 8, 1, zoom=2).save(arguments.sheet)


def _load_cascade_and_judge(arguments: argparse.Namespace) -> Any:  # noqa: ANN401
    """The model and the judge that the flags name."""
    silence_loading_bars()
    from lavie.cascade import Cascade
    from lavie.evaluation.judge import JUDGE_FOLDER, Judge

    judge = Judge.from_folder(arguments.judge or JUDGE_FOLDER)
    return Cascade.from_pretrained(
        arguments.model, arguments.device, stages=getattr(arguments, "folders", None)
    ), judge


def _train_judge(arguments: argparse.Namespace) -> None:
    from lavie.media import check_output_folder
    from lavie.pipelines import limits

    check_output_folder(arguments.output)
    limits.check_seed(arguments.seed)
    limits.check_whole_number(arguments.num_clips, "num_clips", 1, 10_000)
    if arguments.steps is not None:
        limits.check_whole_number(arguments.steps, "steps", 1, 1_000_000)

    from lavie.evaluation.judge_training import NUM_STEPS, assess_judge, train_judge

    judge = train_judge(arguments.steps or NUM_STEPS, arguments.seed, on_event=draw_bar())
    accuracy = assess_judge(judge, arguments.num_clips)
    judge.save_pretrained(arguments.output)
    text = json.dumps(accuracy, indent=1)
    (arguments.output / "accuracy.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def add_world(commands: Any) -> None:  # noqa: ANN401
    """The command ``world`` and its flags."""
    parser = add_command(
        commands, "world", _draw_world, "Draw clips of the world the miniature is trained on."
    )
    add = parser.add_argument
    add("--sheet", type=Path, required=True, help="the .png file to write")
    add("--split", choices=("train", "validation", "test"), default="train", help="which clips")
    add("--seed", type=int, default=0, help="of the first clip")


def _draw_world(arguments: argparse.Namespace) -> None:
    from lavie.data.world import world_sheet
    from lavie.media import check_output

    check_output(arguments.sheet, ".png")
    world_sheet(arguments.sheet, arguments.split, seed=arguments.seed)
    print(arguments.sheet)
