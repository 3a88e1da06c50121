"""The command ``train``."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.shared import add_command, draw_bar
from lavie.errors import Cancelled
from lavie.runtime.loading import silence_loading_bars
from lavie.training.stages import STAGES

if TYPE_CHECKING:
    from lavie.types import CancelToken


def add_train(commands: Any) -> None:  # noqa: ANN401
    """The command ``train`` and its flags."""
    parser = add_command(commands, "train", _train, "Train a stage, or go on training it.")
    parser.epilog = (
        "The same command again resumes. Ctrl-C writes a checkpoint first. Several processes: "
        "torchrun --nproc-per-node 2 -m lavie train ... (on two CPU cores, with OMP_NUM_THREADS=1 "
        "ACCELERATE_USE_CPU=true, faster than one process with two threads)."
    )
    add = parser.add_argument
    add("stage", choices=STAGES, help="what to train")
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
    add(
        "--dry-run",
        action="store_true",
        help="print the settings, check them, train nothing; exit code 2 if something is missing",
    )


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
        return 2 if plan.missing else 0

    from lavie.media import check_output_folder
    from lavie.training.loop import train

    check_output_folder(config.output)
    silence_loading_bars()
    stage = stage_class(config)
    try:
        with cancel_on_signals() as cancel:
            folder = train(stage, draw_bar(), cancel)
    except Cancelled as stop:
        if is_main:
            print(stop, file=sys.stderr)
        return 130
    if is_main:
        print(folder)
    return 0


@contextmanager
def cancel_on_signals() -> Iterator["CancelToken"]:
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
