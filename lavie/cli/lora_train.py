"""``python -m lora train``."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavie.cli.loras import add_registry_flag, keep
from lavie.cli.shared import add_command, draw_bar
from lavie.errors import Cancelled, InputError

if TYPE_CHECKING:
    from lora.settings import PersonalConfig

_FLAGS = ("name", "token", "class_word", "kind", "effort", "model", "seed")


def add_train(commands: Any) -> None:  # noqa: ANN401
    """The command and its flags."""
    description = "Teach a model a thing, a character or a style from a few pictures."
    parser = add_command(commands, "train", _train, description)
    parser.epilog = (
        "The same command again resumes. Ctrl-C writes a checkpoint first. A .txt beside a picture "
        "is its caption. Every setting of lora/settings.py can be given with --set."
    )
    add = parser.add_argument
    add("--images", nargs="+", type=Path, help="a folder of pictures, or pictures; 4 to 8 are best")
    add("--token", help="the word that will call it, best a made-up one, such as zog")
    add("--class", dest="class_word", help="what it is, such as fox or dog")
    add("--name", help="its title; default: the token")
    add(
        "--kind",
        choices=("thing", "character", "style"),
        help="default: thing; a character is learnt as one",
    )
    add("--effort", choices=("quick", "normal", "thorough"), help="default: normal")
    add("--model", help="model folder, hub id, or 'miniature', the default")
    add("--seed", type=int, help="decides all that is drawn; default: 0")
    add("--held-out", action="store_true", help="keep the last picture apart, to stop in time")
    add("--caption-model", type=Path, help="folder of a model that describes those without")
    add("--output", type=Path, help="folder of the run; default: outputs/lora-TOKEN")
    add("--config", type=Path, help="YAML file of settings, such as personal.yaml of a run")
    add("--set", "-s", action="append", default=[], metavar="a=b", help="one setting that wins")
    add("--keep", action="store_true", help="also add the LoRA to those that are kept")
    add_registry_flag(parser)
    add("--dry-run", action="store_true", help="print settings and memory; train nothing")
    add("--json", action="store_true", help="end with one line of JSON")


def _train(arguments: argparse.Namespace) -> int:
    config = _read_settings(arguments)
    from lavie.media import check_output_folder
    from lavie.runtime.loading import silence_loading_bars

    silence_loading_bars()
    if arguments.dry_run:
        return _plan(config)
    check_output_folder(config.output)

    from lavie.cli.train import cancel_on_signals
    from lora.train import train_lora

    started = time.perf_counter()
    try:
        with cancel_on_signals() as cancel:
            path = train_lora(config, draw_bar("step"), cancel)
    except Cancelled as stop:
        print(stop, file=sys.stderr)
        return 130
    _tell(arguments, config, path, time.perf_counter() - started)
    return 0


def _read_settings(arguments: argparse.Namespace) -> "PersonalConfig":
    from lavie.cli.lora import expand_pictures
    from lavie.config import load_config
    from lora.registry import file_stem
    from lora.settings import PersonalConfig

    given = {name: getattr(arguments, name) for name in _FLAGS}
    if arguments.token is None and arguments.config is None:
        raise InputError("How shall it be called in prompts? Give --token.", "token")
    if arguments.images is None and arguments.config is None:
        raise InputError("There are no pictures. Give --images FOLDER.", "images")
    if arguments.config is None:
        token = str(arguments.token)
        given["name"] = given["name"] or token
        given["output"] = str(arguments.output or Path("outputs") / f"lora-{file_stem(token)}")
    elif arguments.output is not None:
        given["output"] = str(arguments.output)
    if arguments.images is not None:
        images = expand_pictures(arguments.images)
        given["images"] = [str(path) for path in images]
        given["captions"] = _captions(images, arguments.caption_model)
    if arguments.held_out:
        given["held_out"] = True
    overrides = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    return load_config(PersonalConfig, None, arguments.config, [*overrides, *arguments.set])


def _captions(images: list[Path], model: Path | None) -> list[str]:
    """What is written beside the pictures, or what a model says of them; empty: nothing."""
    from lavie.data.captions import MAX_BYTES, parse_caption

    beside = [path.with_suffix(".txt") for path in images]
    captions = [
        parse_caption(text.read_bytes()[:MAX_BYTES], "txt") if text.is_file() else ""
        for text in beside
    ]
    missing = [place for place, caption in enumerate(captions) if not caption]
    if model is not None and missing:
        from lora.captioning import caption_pictures

        said = caption_pictures([images[place] for place in missing], model)
        for place, caption in zip(missing, said, strict=True):
            captions[place] = caption
    return captions if any(captions) else []


def _plan(config: "PersonalConfig") -> int:
    from lavie.config import dump_config
    from lora.memory import memory_lines
    from lora.pictures import check_pictures
    from lora.train import check_images, prepare

    check_images(config.images)
    prepared = prepare(config)
    print(dump_config(prepared.run))
    print(f"# prompts name it as: {prepared.language.phrase}")
    for line in memory_lines(prepared.run):
        print(f"# {line}")
    for check in check_pictures(config.images, prepared.run.video.height):
        if check.warning is not None:
            print(f"# {check.warning}")
    return 0


def _tell(
    arguments: argparse.Namespace, config: "PersonalConfig", path: Path, seconds: float
) -> None:
    from lavie.runtime.memory import peak_memory
    from lora.registry import Registry

    result: dict[str, Any] = {
        "output": str(path),
        "token": config.token,
        "seconds": round(seconds, 1),
        "peak_memory": peak_memory(),
    }
    if arguments.keep:
        result["id"] = keep(Registry(arguments.registry), path, config.name).id
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{path} ({seconds:.0f} s). Use it with --lora {result.get('id', path)}")
