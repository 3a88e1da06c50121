"""The commands around published models: ``convert`` and ``info``."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lavie.cli.shared import add_command
from lavie.runtime.loading import silence_loading_bars


def add_convert(commands: Any) -> None:  # noqa: ANN401
    """The command ``convert`` and its flags."""
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
    from lavie.convert.build import MismatchError
    from lavie.convert.sources import choose_source, download_notice, network_of
    from lavie.convert.write import convert
    from lavie.pipelines.new_folder import check_target

    # The door, before anything is downloaded
    network = network_of(arguments.source, arguments.network)
    target = arguments.output or Path("pretrained_models") / f"lavie-{network.name}"
    check_target(target, overwrite=arguments.force)
    if arguments.source is None:
        print(*download_notice(network), sep="\n", file=sys.stderr)

    # The work
    silence_loading_bars()
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


def add_info(commands: Any) -> None:  # noqa: ANN401
    """The command ``info`` and its flags."""
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
