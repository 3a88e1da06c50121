"""The command ``evaluate long``: what is left of a story after many windows."""

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from lavie.cascade import Cascade
    from lavie.evaluation.judge import Judge
    from lavie.evaluation.kept_films import KeptFilms

PARTS = ("films", "pictures", "transitions", "free_noise")


def add_evaluate_long(kinds: Any) -> None:  # noqa: ANN401
    """The command and its flags."""
    parser = add_command(
        kinds, "long", _evaluate_long, "Do long videos stay what they were, and follow a story?"
    )
    add = parser.add_argument
    add("--model", default="miniature", help="model folder; default: miniature")
    add("--judge", type=Path, help="folder of train-judge; default: bundled")
    add_stage_flags(parser)
    add("--device", choices=("cpu", "cuda", "mps"), help="default: GPU if any")
    add("--seed", type=int, default=0, help="of stories and noise; default: 0")
    add("--num-stories", type=int, default=64, help="films of each part; default: 64")
    add("--recursions", type=int, default=10, help="windows after the first; default: 10")
    add("--parts", default=",".join(PARTS), help="comma-separated; default: %(default)s")
    add("--num-given", type=int, help="frames that a window is given; default: the model's own")
    add("--steps", type=int, help="1 to 1000; default: the model's own")
    add("--guidance-scale", type=float, help="0 to 50; default: the model's own")
    add(
        "--instrument",
        action="store_true",
        help="measure no model, but true films of the world, and spoiled ones that have to fail",
    )
    add("--output", type=Path, default=OUTPUT_FOLDER / "long", help="folder to fill")
    add("--json", action="store_true", help="end with one line of JSON")
    parser.epilog = (
        "Films are kept in the folder: the same command again goes on where it stopped, and "
        "measures those that are there anew."
    )


def _evaluate_long(arguments: argparse.Namespace) -> None:
    from lavie.media import check_output_folder
    from lavie.pipelines import limits

    # The door, before anything is loaded
    check_output_folder(arguments.output)
    limits.check_seed(arguments.seed)
    limits.check_whole_number(arguments.num_stories, "num_stories", 1, 10_000)
    limits.check_whole_number(arguments.recursions, "recursions", 1, 100)
    limits.check_given(
        {"num_inference_steps": arguments.steps, "guidance_scale": arguments.guidance_scale}
    )
    arguments.parts = arguments.parts.split(",")
    for part in arguments.parts:
        limits.check_choice(part, PARTS, "parts")

    from lavie.evaluation.judge import JUDGE_FOLDER, Judge

    judge_folder = arguments.judge or JUDGE_FOLDER
    if arguments.instrument:
        _measure_instrument(arguments, Judge.from_folder(judge_folder))
        return

    from lavie.convert.stages import find_stages

    folders = stage_folders(arguments)
    found = (*find_stages(arguments.model), *folders)
    needed = [] if arguments.parts == ["free_noise"] else ["long_video"]
    way_out = "Evaluate a model that has it, or --parts free_noise."
    check_stages(arguments.model, needed, found, way_out)

    from lavie.evaluation.kept_films import KeptFilms
    from lavie.evaluation.long_report import MeasuredFilms, table, write_report

    # The work
    silence_loading_bars()
    from lavie.cascade import Cascade

    judge = Judge.from_folder(judge_folder)
    cascade = Cascade.from_pretrained(arguments.model, arguments.device, stages=folders)
    settings = _settings(arguments, cascade)
    kept = KeptFilms(arguments.output / "films", settings)
    measured = MeasuredFilms(**_measure(arguments, cascade, judge, kept))
    settings |= {"model": arguments.model, "num_stories": arguments.num_stories}
    settings |= {"recursions": arguments.recursions, "judge": str(judge_folder)}
    summary = write_report(arguments.output, settings, measured)
    print(*table(summary), sep="\n")
    print(f"{arguments.output}: report.json, sheet.png, and films in films/")
    if arguments.json:
        print(json.dumps({name: summary[name] for name in ("settings", "rows")}))


def _settings(arguments: argparse.Namespace, cascade: "Cascade") -> dict[str, Any]:
    """All that decides what a film looks like."""
    from lavie.evaluation.prompt_accuracy import check_model_size

    how = arguments.steps, arguments.guidance_scale
    base = cascade.base.check_settings(None, None, None, *how)
    check_model_size(base.height, base.width)
    hashes, settings = {"base": cascade.model_hash}, {"base": asdict(base)}
    if cascade.goes_on_from_frames:
        film = _film_maker(arguments, cascade)(["a fox"] * 2)
        check_model_size(*film.size)
        hashes |= film.recipe["model_hashes"]
        settings |= film.recipe["settings"]
    return {"model_hashes": hashes, "seed": arguments.seed, "settings": settings}


def _film_maker(arguments: argparse.Namespace, cascade: "Cascade") -> Any:  # noqa: ANN401
    return partial(
        cascade.film,
        num_inference_steps=arguments.steps,
        guidance_scale=arguments.guidance_scale,
        num_given=arguments.num_given,
    )


def _measure(
    arguments: argparse.Namespace, cascade: "Cascade", judge: "Judge", kept: "KeptFilms"
) -> dict[str, Any]:
    """Everything that was asked for, by part."""
    from lavie.evaluation.free_noise_films import measure_free_noise
    from lavie.evaluation.long_films import measure_stories
    from lavie.evaluation.still_films import (
        make_picture_stories,
        make_transition_stories,
        measure_stills,
    )
    from lavie.evaluation.stories import make_stories

    count, seed, bar = arguments.num_stories, arguments.seed, draw_bar("story")
    make_film = _film_maker(arguments, cascade)
    measured: dict[str, Any] = {}
    stories = make_stories(count, seed)
    for part in arguments.parts:
        if part == "free_noise":
            how = arguments.steps, arguments.guidance_scale
            measured[part] = measure_free_noise(cascade.base, judge, stories, *how, kept, bar)
        elif part == "films":
            measured[part] = measure_stories(
                make_film, judge, stories, arguments.recursions, kept, bar
            )
        else:
            make = make_picture_stories if part == "pictures" else make_transition_stories
            measured[part] = measure_stills(make_film, judge, make(count, seed), part, kept, bar)
    return measured


def _measure_instrument(arguments: argparse.Namespace, judge: "Judge") -> None:
    from lavie.evaluation.long_instrument import instrument_table, measure_known_films
    from lavie.evaluation.measured import write_json

    films = measure_known_films(
        judge,
        arguments.num_stories,
        arguments.recursions,
        arguments.seed,
        on_event=draw_bar("film"),
    )
    summary, lines = instrument_table(films)
    write_json(arguments.output / "instrument.json", summary)
    print(*lines, sep="\n")
    if arguments.json:
        print(json.dumps(summary))
