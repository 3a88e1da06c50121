"""The program ``python -m lora``: train a LoRA, and keep those there are."""

import argparse
import json
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from lavie.cli.loras import add_registry_flag, find_entry, keep
from lavie.cli.shared import add_command
from lavie.errors import CheckpointError, InputError, LaVieError
from lora.limits import MAX_PICTURES
from lora.registry import Entry, Registry

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command about LoRAs; see `lavie.cli.main`."""
    from lavie.cli import main as run

    return run(argv, create_parser)


def create_parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    from lavie.cli import make_parser_of

    description = "Personal LoRAs: teach a model something new, and keep what it has learnt."
    return make_parser_of("lora", description, _COMMANDS)


def add_train(commands: Any) -> None:  # noqa: ANN401
    """The command ``train`` and its flags."""
    from lavie.cli.lora_train import add_train as add

    add(commands)


def _add_list(commands: Any) -> None:  # noqa: ANN401
    parser = _command(commands, "list", _list, "List the LoRAs that are kept.")
    parser.add_argument("--owner", help="only this one's")


def _add_rename(commands: Any) -> None:  # noqa: ANN401
    parser = _command(commands, "rename", _rename, "Call a LoRA otherwise.")
    parser.add_argument("lora", help="its id, or its name")
    parser.add_argument("name", help="what to call it")


def _add_tag(commands: Any) -> None:  # noqa: ANN401
    parser = _command(commands, "tag", _tag, "Give a LoRA words to find it by.")
    parser.add_argument("lora", help="its id, or its name")
    parser.add_argument("tags", nargs="*", help="in place of those it has; none removes all")


def _add_delete(commands: Any) -> None:  # noqa: ANN401
    description = "Delete a LoRA; for a week undelete has it back."
    parser = _command(commands, "delete", _delete, description)
    parser.add_argument("lora", help="its id, or its name")


def _add_undelete(commands: Any) -> None:  # noqa: ANN401
    parser = _command(commands, "undelete", _undelete, "Have a deleted LoRA back.")
    parser.add_argument("lora", help="its id, as delete has said it")


def _add_export(commands: Any) -> None:  # noqa: ANN401
    parser = _command(commands, "export", _export, "Write a copy of a LoRA for other programs.")
    parser.add_argument("lora", help="its id, or its name")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(),
        help="folder, or a new .safetensors file; default: this folder",
    )
    parser.add_argument(
        "--format", default="kohya", help="kohya (most programs), diffusers or peft"
    )
    parser.add_argument(
        "--model", default="", help="that it is for, if neither the miniature nor the published one"
    )


def _add_import(commands: Any) -> None:  # noqa: ANN401
    parser = _command(commands, "import", _import, "Keep a LoRA that somebody else has made.")
    parser.add_argument("file", type=Path, help="a .safetensors file, or a folder or zip of peft's")
    parser.add_argument("--name", default="", help="default: its title, or the file's name")
    parser.add_argument("--model", help="that it has to fit; default: miniature")
    parser.add_argument(
        "--trust", action="store_true", help="look at its header alone, not at whether it fits"
    )


def _add_check(commands: Any) -> None:  # noqa: ANN401
    description = "Say of pictures whether they can teach, and of LoRA files what they are."
    parser = _command(commands, "check", _check, description)
    parser.add_argument("files", nargs="+", type=Path, help="pictures, folders of them, LoRA files")


_COMMANDS = (
    add_train,
    _add_list,
    _add_rename,
    _add_tag,
    _add_delete,
    _add_undelete,
    _add_export,
    _add_import,
    _add_check,
)


def _command(commands: Any, name: str, run: Any, description: str) -> argparse.ArgumentParser:  # noqa: ANN401
    parser = add_command(commands, name, run, description)
    add_registry_flag(parser)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser


def _list(arguments: argparse.Namespace) -> None:
    registry = Registry(arguments.registry)
    registry.sweep()
    entries = registry.list(arguments.owner)
    if arguments.json:
        print(json.dumps([describe(entry) for entry in entries]))
        return
    for entry in entries:
        tags = f"  [{', '.join(entry.tags)}]" if entry.tags else ""
        word = f"  word {entry.token}" if entry.token else ""
        size = f"rank {entry.rank}, {entry.num_bytes / 1e6:.1f} MB, {entry.base_model or '?'}"
        print(f"{entry.id}  {entry.name}{word}  ({size}){tags}")
    if not entries:
        print(
            f"No LoRAs in {arguments.registry}. python -m lora train --keep keeps one there. Those "
            "of the page are apart, in the studio's data folder: take them along with its download "
            "buttons and python -m lora import FILE."
        )


def _rename(arguments: argparse.Namespace) -> None:
    registry = Registry(arguments.registry)
    _tell(arguments, registry.rename(find_entry(registry, arguments.lora).id, arguments.name))


def _tag(arguments: argparse.Namespace) -> None:
    registry = Registry(arguments.registry)
    _tell(arguments, registry.tag(find_entry(registry, arguments.lora).id, arguments.tags))


def _delete(arguments: argparse.Namespace) -> None:
    registry = Registry(arguments.registry)
    entry = registry.delete(find_entry(registry, arguments.lora).id)
    _tell(arguments, entry, f"deleted; python -m lora undelete {entry.id} has it back for a week")


def _undelete(arguments: argparse.Namespace) -> None:
    _tell(arguments, Registry(arguments.registry).undelete(arguments.lora))


def _export(arguments: argparse.Namespace) -> None:
    from lavie.media import check_output_folder

    registry, output = Registry(arguments.registry), arguments.output
    is_file = output.suffix.lower() == ".safetensors" and not output.is_dir()
    folder = output.parent if is_file else output
    check_output_folder(folder)
    if is_file and arguments.format == "peft":
        raise InputError("Peft's is a folder of two files. Give --output a folder.", "output")
    if is_file and output.exists():
        raise InputError(f"File '{output}' is there already. Choose another name.", "output")
    entry = find_entry(registry, arguments.lora)
    export = partial(registry.export, entry.id, style=arguments.format, model=arguments.model)
    with _no_empty_folders(folder):
        if is_file:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as work:
                path = export(Path(work)).rename(output)
        else:
            path = export(folder)
    print(json.dumps({"output": str(path)}) if arguments.json else path)


@contextmanager
def _no_empty_folders(folder: Path) -> Generator[None]:
    """Take away the folders that a block has made, if it fails."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    except BaseException:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise


def _import(arguments: argparse.Namespace) -> None:
    if not arguments.file.exists():
        raise InputError(f"File '{arguments.file}' does not exist.", "file")
    check = None if arguments.trust else partial(_check_fits, model=arguments.model)
    entry = keep(Registry(arguments.registry), arguments.file, arguments.name, check)
    _tell(arguments, entry)


def _check_fits(file: Path, model: str | None) -> None:
    from lora.header import read_header
    from lora.rewriting import check_fits

    read_header(file)
    try:
        check_fits(file, model or "miniature")
    except CheckpointError as error:
        if model is not None:
            raise
        raise CheckpointError(
            f"{error} It was held against the miniature; name another model with --model."
        ) from error


def _check(arguments: argparse.Namespace) -> int:
    from lora.header import read_header
    from lora.pictures import advise_set, check_pictures, check_set

    loras = [path for path in arguments.files if path.suffix == ".safetensors"]
    found: list[dict[str, Any]] = []
    num_bad = 0
    for path in loras:
        try:
            header = read_header(path)
        except LaVieError as error:  # the others are looked at all the same
            num_bad += 1
            found.append({"file": str(path), "said": str(error), "usable": False})
            if not arguments.json:
                print(error)
            continue
        about = {"rank": header.rank, "word": header.word, **header.metadata}
        found.append({"file": str(path), **about, "usable": True})
        if not arguments.json:
            title = header.metadata.get("modelspec.title", "no title")
            word = header.metadata.get("lavie.trigger_word") or header.word or "none known"
            print(f"{path}: a LoRA, {title}, rank {header.rank}, trigger word {word}")
    images = expand_pictures([path for path in arguments.files if path not in loras], loras)
    checks = check_pictures(images)
    for check in checks:
        said = check.problem or check.warning or f"'{check.name}' is good."
        found.append(
            {"file": str(check.path), "size": [check.width, check.height], "said": said}
            | {"usable": check.problem is None, "twin_of": check.twin_of}
        )
        if not arguments.json:
            print(said)
    if checks and (said := check_set(checks) or advise_set(checks)):
        print(said, file=sys.stderr)
    if arguments.json:
        print(json.dumps(found))
    return 2 if num_bad or any(check.problem for check in checks) else 0


def expand_pictures(paths: Sequence[Path], others: Sequence[Path] = ()) -> list[Path]:
    """Files as they are, and the pictures in folders, in the order of their names.

    Args:
        paths: Files and folders.
        others: What was named besides; with none of either there is nothing to do.

    Raises:
        InputError: One does not exist, or a folder has no pictures, or too many.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
            if not inside:
                raise InputError(f"Folder '{path}' holds no pictures. Name another.", "images")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"Picture '{path}' does not exist.", "images")
    if len(found) > MAX_PICTURES:
        raise InputError(
            f"{len(found)} pictures are too many. Choose the best {MAX_PICTURES} or fewer.",
            "images",
        )
    if not found and not others:
        raise InputError("There are no pictures. Give 4 to 8 of the same thing.", "images")
    return found


def describe(entry: Entry) -> dict[str, Any]:
    """A kept LoRA as JSON says it."""
    return {
        "id": entry.id,
        "name": entry.name,
        "token": entry.token,
        "class_word": entry.class_word,
        "kind": entry.kind,
        "model": entry.base_model,
        "rank": entry.rank,
        "tags": list(entry.tags),
        "bytes": entry.num_bytes,
        "sha256": entry.sha256,
        "created": entry.created.isoformat(),
        "file": str(entry.file),
    }


def _tell(arguments: argparse.Namespace, entry: Entry, what: str = "") -> None:
    tags = f" [{', '.join(entry.tags)}]" if entry.tags else ""
    said = f"{entry.id}  {entry.name}{tags}{': ' if what else ''}{what}"
    print(json.dumps(describe(entry)) if arguments.json else said)
