"""The command line: parse, call, report.

A command is two short functions: one that adds its flags and one that does the work. Everything
heavy is imported inside the work, so ``--help`` and bad flags answer at once.
"""

import argparse
import json
import logging
import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lavie.errors import Cancelled, LaVieError

if TYPE_CHECKING:
    from lavie.pipelines.cascade import Generation
    from lavie.types import CancelToken, Event, OnEvent

_OUTPUT_FOLDER = Path("outputs")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None: those of the process.

    Returns:
        0 done, 2 the user's input (one line on stderr), 1 a fault of ours.
    """
    try:
        arguments = create_parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    logging.basicConfig(
        level=logging.INFO if arguments.debug else logging.WARNING, format="%(message)s"
    )
    try:
        return arguments.run(arguments) or 0
    except LaVieError as error:
        return _report(error, str(error), 2, arguments.debug)
    except KeyboardInterrupt as error:
        return _report(error, "Stopped.", 130, arguments.debug)
    except Exception as error:
        message = f"{type(error).__name__}: {error}. This is a fault of ours; --debug shows where."
        return _report(error, message, 1, arguments.debug)


def create_parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    parser = _Parser(prog="lavie", description="LaVie: from a sentence to a video.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add_to in _COMMANDS:
        add_to(commands)
    return parser


def _report(error: BaseException, message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(" ".join(message.split()), file=sys.stderr)
    return code


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


# generate


def _add_generate(commands: Any) -> None:  # noqa: ANN401
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
    limits.check_given(settings)

    from lavie.media import check_output, enlarge_frames, write_recipe, write_video

    output = _choose_output(arguments.output)
    check_output(output, ".mp4")
    if output.exists():
        print(f"{output} will be replaced.", file=sys.stderr)

    # The work
    started = time.perf_counter()
    _silence_loading_bars()
    from lavie.convert.resolve import load_cascade

    cascade = load_cascade(arguments.model, arguments.device, _dtype(arguments.dtype))
    seconds = {"load": time.perf_counter() - started}
    generation = cascade.generate(
        arguments.prompt,
        stages=arguments.stages and arguments.stages.split(","),
        seed=seed,
        negative_prompt=arguments.negative_prompt,
        on_event=_draw_bar(),
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
    _OUTPUT_FOLDER.mkdir(exist_ok=True)
    numbers = [
        int(path.stem.removeprefix("video-"))
        for path in _OUTPUT_FOLDER.glob("video-*.mp4")
        if path.stem.removeprefix("video-").isdecimal()
    ]
    return _OUTPUT_FOLDER / f"video-{max(numbers, default=0) + 1:04d}.mp4"


def _dtype(name: str | None) -> Any:  # noqa: ANN401 - torch is not imported yet
    import torch

    return name and getattr(torch, name)


def _silence_loading_bars() -> None:
    """The libraries draw a bar for every component; ours is about the video."""
    from diffusers.utils.logging import disable_progress_bar as silence_diffusers
    from transformers.utils.logging import disable_progress_bar as silence_transformers

    silence_diffusers()
    silence_transformers()


def _draw_bar(unit: str = "step") -> "OnEvent":
    """Show steps on stderr, if somebody looks at it."""
    from tqdm import tqdm

    from lavie.types import Progress

    bar: tqdm | None = None

    def draw(event: "Event") -> None:
        nonlocal bar
        if isinstance(event, Progress):
            bar = bar or tqdm(total=event.total, desc=event.stage, unit=unit, disable=None)
            bar.update(event.step - bar.n)
            if event.step == event.total:
                bar.close()
                bar = None

    return draw


def _print_result(
    as_json: bool,
    output: Path,
    generation: "Generation",
    shape: tuple[int, ...],
    seconds: dict[str, float],
) -> None:
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


def peak_memory() -> int:
    """Bytes: the most this process has held, on the GPU if it used one, else in memory."""
    import resource

    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# convert


def _add_convert(commands: Any) -> None:  # noqa: ANN401
    parser = add_command(
        commands, "convert", _convert, "Turn a published checkpoint into a model folder."
    )
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        help="pretrained_models folder of the original, .pt file, or hub id; default: download",
    )
    add("--network", help="base or long_video; default: what the source holds")
    add("--output", type=Path, help="folder to make; default: pretrained_models/lavie-NETWORK")
    add("--dtype", choices=("fp16", "fp32"), default="fp16", help="of the weights; default: fp16")
    add("--stable-diffusion", type=Path, help="folder of Stable Diffusion 1.4, if elsewhere")
    add("--force", action="store_true", help="replace a model folder that is there")
    add("--json", action="store_true", help="end with one line of JSON")


def _convert(arguments: argparse.Namespace) -> None:
    from lavie.convert.folder import check_target
    from lavie.convert.report import MismatchError
    from lavie.convert.sources import choose_source, download_notice, network_of
    from lavie.convert.write import convert

    # The door, before anything is downloaded
    network = network_of(arguments.source, arguments.network)
    target = arguments.output or Path("pretrained_models") / f"lavie-{network.name}"
    check_target(target, overwrite=arguments.force)
    if arguments.source is None:
        print(*download_notice(network), sep="\n", file=sys.stderr)

    # The work
    _silence_loading_bars()
    source = choose_source(arguments.source, arguments.network, arguments.stable_diffusion)
    try:
        result = convert(source, target, arguments.dtype, overwrite=arguments.force)
    except MismatchError as error:
        print(*error.report.lines(), sep="\n")
        raise
    print(*result.report.lines(), sep="\n")
    if arguments.json:
        print(json.dumps(result.as_json()))
        return
    print(
        f"{target}: {result.num_bytes / 1e9:.2f} GB, {result.dtype}, in {result.seconds:.0f} s. "
        f"Use it with --model {target}"
    )


# info


def _add_info(commands: Any) -> None:  # noqa: ANN401
    parser = add_command(commands, "info", _info, "Show versions, devices and the models found.")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead")


def _info(arguments: argparse.Namespace) -> None:
    from lavie.convert.resolve import find_models
    from lavie.runtime.info import describe, system_info

    system, models = system_info(), find_models(Path("pretrained_models"), Path("models"))
    if arguments.json:
        print(json.dumps(asdict(system) | {"models": [asdict(model) for model in models]}))
        return
    print(*describe(system), sep="\n")
    print("models:" if models else "models: none found")
    for model in models:
        print(f"  {model.name}   {model.kind}, {model.num_bytes / 1e6:.0f} MB")


# evaluate


def _add_evaluate(commands: Any) -> None:  # noqa: ANN401
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
    add("--output", type=Path, default=_OUTPUT_FOLDER / "prompt-accuracy", help="folder to fill")
    add("--json", action="store_true", help="end with one line of JSON")

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
    parser.add_argument("--steps", type=int, help="batches; default: enough, about two minutes")
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
    from lavie.pipelines import limits

    # The door, before anything is loaded
    names = arguments.sets.split(",")
    limits.check_seed(arguments.seed)
    limits.check_whole_number(arguments.batch_size, "batch_size", 1, 1024)
    if arguments.steps is not None:
        limits.check_steps(arguments.steps)
    if arguments.guidance_scale is not None:
        limits.check_guidance_scale(arguments.guidance_scale)
    questions = [
        question
        for name in names
        for question in make_questions(name, arguments.num_clips, arguments.seed)
    ]

    from lavie.evaluation.judge import JUDGE_FOLDER, read_accuracy
    from lavie.evaluation.prompt_accuracy import generate_and_judge
    from lavie.evaluation.report import settings_of, table, write_report

    # The work
    pipeline, judge = _load_model_and_judge(arguments)
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
        on_event=_draw_bar("clip"),
    )
    summary = write_report(arguments.output, judged, settings)
    print(*table(summary), sep="\n")
    print(f"{arguments.output}: report.json, sheet.png")
    if arguments.json:
        print(json.dumps({key: summary[key] for key in summary if key != "clips"}))


def _evaluate_motion(arguments: argparse.Namespace) -> None:
    from lavie.evaluation.motion_instrument import motion_table, read_motions

    pipeline, judge = _load_model_and_judge(arguments)
    reading = read_motions(pipeline, judge, arguments.subject, arguments.place, arguments.seed)
    print(*motion_table(reading), sep="\n")
    if arguments.sheet is not None:
        from lavie.data.world import contact_sheet

        rows = list(zip(reading.motions, reading.frames, strict=True))
        contact_sheet(rows, 8, 1, zoom=2).save(arguments.sheet)


def _load_model_and_judge(arguments: argparse.Namespace) -> Any:  # noqa: ANN401
    """The pipeline and the judge that the flags name."""
    _silence_loading_bars()
    from lavie.convert.resolve import load_cascade
    from lavie.evaluation.judge import JUDGE_FOLDER, Judge

    judge = Judge.from_folder(arguments.judge or JUDGE_FOLDER)
    return load_cascade(arguments.model, arguments.device).base, judge


def _train_judge(arguments: argparse.Namespace) -> None:
    from lavie.evaluation.judge_training import NUM_STEPS, assess_judge, train_judge

    judge = train_judge(arguments.steps or NUM_STEPS, arguments.seed, on_event=_draw_bar())
    accuracy = assess_judge(judge, arguments.num_clips)
    judge.save_pretrained(arguments.output)
    text = json.dumps(accuracy, indent=1)
    (arguments.output / "accuracy.json").write_text(text + "\n", encoding="utf-8")
    print(text)


# world


def _add_world(commands: Any) -> None:  # noqa: ANN401
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


# train


def _add_train(commands: Any) -> None:  # noqa: ANN401
    parser = add_command(commands, "train", _train, "Train a stage, or go on training it.")
    parser.epilog = (
        "The same command again resumes. Ctrl-C writes a checkpoint first. Several processes: "
        "torchrun --nproc-per-node 2 -m lavie train ... (on two CPU cores, with OMP_NUM_THREADS=1 "
        "ACCELERATE_USE_CPU=true, faster than one process with two threads)."
    )
    add = parser.add_argument
    add("stage", choices=("vae", "image", "base"), help="what to train")
    add(
        "--preset",
        help="settings in lavie/presets; default: train-STAGE-miniature, or none with --config",
    )
    add("--config", type=Path, help="YAML file whose settings win over the preset's")
    add(
        *("--set", "-s"),
        action="append",
        default=[],
        metavar="a.b=c",
        help="one setting that wins over preset and file; may stand several times",
    )
    add("--output", type=Path, help="folder of the run; the same as --set output=FOLDER")
    add("--dry-run", action="store_true", help="print the settings, check them, train nothing")


def _train(arguments: argparse.Namespace) -> int:
    from lavie.config import dump_config, load_config
    from lavie.training.stages import load_stage

    is_main = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    logging.getLogger("lavie").setLevel(logging.INFO if is_main else logging.ERROR)
    stage_class, schema = load_stage(arguments.stage)
    preset = arguments.preset
    if preset is None and arguments.config is None:
        preset = f"train-{arguments.stage}-miniature"
    overrides = list(arguments.set)
    if arguments.output is not None:
        overrides.append(f"output={json.dumps(str(arguments.output))}")
    config = load_config(schema, preset, arguments.config, overrides)
    if arguments.dry_run:
        from lavie.training.plan import plan_run

        plan = plan_run(arguments.stage, config)
        if is_main:
            lines = [*plan.facts, *(f"MISSING {line}" for line in plan.missing)]
            print(dump_config(config), *(f"# {line}" for line in lines), sep="\n")
        return 0

    from lavie.training.loop import train

    _silence_loading_bars()
    stage = stage_class(config)
    try:
        with _cancel_on_signals() as cancel:
            folder = train(stage, _draw_bar(), cancel)
    except Cancelled as stop:
        if is_main:
            print(stop, file=sys.stderr)
        return 130
    if is_main:
        print(folder)
    return 0


@contextmanager
def _cancel_on_signals() -> Iterator["CancelToken"]:
    """A token that Ctrl-C or a polite kill sets; the second one ends the process at once."""
    from lavie.types import CancelToken

    token = CancelToken()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def cancel(number: int, frame: object) -> None:
        token.cancel()
        signal.signal(number, signal.SIG_DFL)

    for number in before:
        signal.signal(number, cancel)
    try:
        yield token
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_COMMANDS = (_add_generate, _add_convert, _add_info, _add_train, _add_evaluate, _add_world)
