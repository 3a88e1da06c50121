"""The command ``benchmark``: what each stage costs on this machine."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.shared import add_command, check_stages
from lavie.errors import InputError

if TYPE_CHECKING:
    from lavie.types import StageName


def add_benchmark(commands: Any) -> None:  # noqa: ANN401
    """The command ``benchmark`` and its flags."""
    parser = add_command(
        commands, "benchmark", _benchmark, "Measure speed and memory of every stage."
    )
    add = parser.add_argument
    add("--model", default="miniature", help="model folder; default: miniature")
    add(
        "--size",
        choices=("model", "full"),
        default="model",
        help="full: the published networks with random weights instead of --model",
    )
    add("--stages", help="comma-separated; default: all there are")
    add("--num-frames", type=int, help="of the base stage's video; default: as made for")
    add("--height", type=int, help="of the base stage's video; default: as made for")
    add("--width", type=int, help="of the base stage's video; default: as made for")
    add("--repeats", type=int, default=3, help="of every measurement; default: 3")
    add("--device", choices=("cpu", "cuda", "mps"), help="default: GPU if any")
    add("--yes", action="store_true", help="measure even what takes more than ten minutes")
    add(
        "--memory",
        action="store_true",
        help="instead: memory of super-resolution for 8, 61 and 244 frames, and of every profile",
    )
    add("--output", type=Path, help="write the numbers into this .json file")
    add("--json", action="store_true", help="end with one line of JSON")


def _benchmark(arguments: argparse.Namespace) -> None:
    from lavie.media import check_output
    from lavie.pipelines import limits

    # The door, before anything is measured
    if arguments.output is not None:
        check_output(arguments.output, ".json")
    limits.check_whole_number(arguments.repeats, "repeats", 1, 1000)
    stages = _choose_stages(arguments)
    num_frames, height, width = _choose_size(arguments)

    # The work
    if arguments.memory:
        from lavie.evaluation.benchmark_memory import compare_memory, memory_table
        from lavie.runtime.profiles import profile_table

        uses = compare_memory(arguments.model, height, width, device=arguments.device)
        lines = [*memory_table(uses), "", *profile_table()]
        numbers = {"memory": [asdict(use) for use in uses]}
    else:
        from lavie.evaluation.benchmark import BenchmarkRequest, benchmark_stage, table
        from lavie.runtime.benchmark import in_fresh_process

        results = [
            in_fresh_process(
                benchmark_stage,
                BenchmarkRequest(
                    stage,
                    None if arguments.size == "full" else arguments.model,
                    num_frames,
                    height,
                    width,
                    arguments.device,
                    arguments.repeats,
                    arguments.yes,
                ),
            )
            for stage in stages
        ]
        lines, numbers = table(results), {"stages": [result.as_json() for result in results]}
    print(*lines, sep="\n")
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    if arguments.json:
        print(json.dumps(numbers))


def _choose_stages(arguments: argparse.Namespace) -> "list[StageName]":
    """The stages asked for, or all that are there; a film takes what its base takes."""
    from lavie.convert.stages import find_stages
    from lavie.pipelines import limits
    from lavie.types import CASCADE_STAGES, StageName

    if arguments.memory and arguments.size == "full":
        raise InputError("--memory measures a model: leave out --size full.", "size")
    is_full = arguments.size == "full"
    stages = CASCADE_STAGES if is_full else find_stages(arguments.model)
    found: list[StageName] = [stage for stage in CASCADE_STAGES if stage in stages]
    asked = arguments.stages.split(",") if arguments.stages else found
    if arguments.memory:
        asked = ("super_resolution",)
    for stage in asked:
        limits.check_choice(stage, CASCADE_STAGES, "stages")
    way_out = "Measure a model that has it, or --size full."
    check_stages(arguments.model, asked, found, way_out)
    return [stage for stage in found if stage in asked]


def _choose_size(arguments: argparse.Namespace) -> tuple[int, int, int]:
    """Frames, height and width of the base stage's video, the model's own where not given."""
    from lavie.evaluation.benchmark import PUBLISHED_SIZE, size_made_for
    from lavie.pipelines import limits

    usual = PUBLISHED_SIZE if arguments.size == "full" else size_made_for(arguments.model)
    given = (arguments.num_frames, arguments.height, arguments.width)
    num_frames, height, width = (
        own if asked is None else asked for asked, own in zip(given, usual, strict=True)
    )
    return (
        limits.check_whole_number(num_frames, "num_frames", 2, 10_000),
        limits.check_whole_number(height, "height", 8, 4096),
        limits.check_whole_number(width, "width", 8, 4096),
    )
