"""The commands around published models: ``convert`` and ``info``."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.shared import add_command, draw_bar
from lavie.runtime.loading import silence_loading_bars

if TYPE_CHECKING:
    from lavie.convert.published import PublishedNetwork
    from lavie.convert.write import Converted


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
    add(
        "--network",
        help="base, interpolation, super_resolution, long_video, or cascade: the first three in "
        "one folder; default: what the source holds, or base",
    )
    add(
        "--output",
        type=Path,
        help="folder to make; default: pretrained_models/lavie-NETWORK, "
        "or pretrained_models/lavie for several",
    )
    add("--dtype", choices=("fp16", "fp32"), default="fp16", help="of the weights; default: fp16")
    add("--stable-diffusion", type=Path, help="folder of Stable Diffusion 1.4, if elsewhere")
    add("--upscaler", type=Path, help="folder of stable-diffusion-x4-upscaler, if elsewhere")
    add("--force", action="store_true", help="replace a model folder that is there")
    add("--json", action="store_true", help="end with one line of JSON")


def _convert(arguments: argparse.Namespace) -> None:
    from lavie.convert.build import MismatchError
    from lavie.convert.published import UPSCALER
    from lavie.convert.sources import networks_of
    from lavie.pipelines.new_folder import check_target

    # The door, before anything is downloaded
    networks = networks_of(arguments.source, arguments.network)
    name = "lavie" if len(networks) > 1 else f"lavie-{networks[0].name}"
    target = arguments.output or Path("pretrained_models") / name
    check_target(target, overwrite=arguments.force)

    # The work
    silence_loading_bars()
    parts = [
        arguments.upscaler if network.parts == UPSCALER else arguments.stable_diffusion
        for network in networks
    ]
    try:
        result = _make_folder(arguments, networks, parts, target)
    except MismatchError as error:
        print(*error.report.lines(), sep="\n")
        raise
    for network_name, report in result.reports.items():
        print(*([f"{network_name}:"] if len(networks) > 1 else []), *report.lines(), sep="\n")
    if arguments.json:
        print(json.dumps(result.as_json()))
        return
    print(
        f"{target}: {result.num_bytes / 1e9:.2f} GB, {result.dtype}, in {result.seconds:.0f} s. "
        f"Use it with --model {target}"
    )


def _make_folder(
    arguments: argparse.Namespace,
    networks: "list[PublishedNetwork]",
    parts: list[Path | None],
    target: Path,
) -> "Converted":
    """Of what is here, or of what is downloaded first."""
    from lavie.convert.install import install
    from lavie.convert.sources import download_notice, find_source, is_download
    from lavie.convert.write import convert

    dtype, force, where = arguments.dtype, arguments.force, arguments.source
    if is_download(where):
        print(*download_notice(*networks), sep="\n", file=sys.stderr)
        return install(
            arguments.network,
            target,
            draw_bar(),
            repository=where,
            parts=parts,
            dtype=dtype,
            overwrite=force,
        )
    sources = [
        find_source(Path(where), network, folder)
        for network, folder in zip(networks, parts, strict=True)
    ]
    return convert(sources, target, dtype, overwrite=force, on_event=draw_bar("network"))


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
        stages = " + ".join(model.stages) or "no stage"
        print(f"  {model.name}   {model.kind}: {stages}, {model.num_bytes / 1e6:.0f} MB")
