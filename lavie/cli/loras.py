"""LoRAs as the commands that make videos take them."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from lavie.errors import InputError
from lora.registry import Entry, Registry

REGISTRY = Path("outputs") / "loras"


def add_lora_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that name LoRAs to make a video with."""
    add = parser.add_argument
    add(
        "--lora",
        action="append",
        default=[],
        metavar="FILE_OR_ID[:WEIGHT]",
        help="a LoRA, by its file or as python -m lora list names it; weight 0 to 1 as a rule, "
        "1 if left out; may stand several times",
    )
    add_registry_flag(parser)


def add_registry_flag(parser: argparse.ArgumentParser) -> None:
    """The flag that says where LoRAs are kept."""
    parser.add_argument(
        "--registry",
        type=Path,
        default=REGISTRY,
        metavar="FOLDER",
        help=f"where LoRAs are kept; default: {REGISTRY}",
    )


def read_loras(arguments: argparse.Namespace) -> list[tuple[Path, float]]:
    """The LoRAs that the flags name: files, and how much each counts.

    Raises:
        InputError: One does not exist, or its weight is none.
    """
    registry = Registry(arguments.registry)
    found: list[tuple[Path, float]] = []
    for text in arguments.lora:
        name, weight = _split(text)
        path = Path(name)
        found.append((path if path.exists() else find_entry(registry, name).file, weight))
    return found


def find_entry(registry: Registry, name: str) -> Entry:
    """A kept LoRA by its id, or by its name if only one is called that.

    Raises:
        InputError: There is none, or there are several.
    """
    entries = registry.list()
    found = [entry for entry in entries if entry.id == name]
    found = found or [entry for entry in entries if entry.name == name]
    if len(found) > 1:
        ids = ", ".join(entry.id for entry in found)
        raise InputError(f"{len(found)} LoRAs are called '{name[:80]}'. Use an id: {ids}.", "lora")
    if not found:
        raise InputError(
            f"There is no LoRA '{name[:80]}', neither a file nor a kept one. See python -m lora "
            "list.",
            "lora",
        )
    return found[0]


def keep(
    registry: Registry, file: Path, name: str = "", check: Callable[[Path], object] | None = None
) -> Entry:
    """Take a LoRA in, and say so if it is there already; see `Registry.import_file`."""
    before = {entry.id for entry in registry.list()}
    entry = registry.import_file(file, name, check=check)
    if entry.id in before:
        print(f"{file} is already kept as '{entry.name}' ({entry.id}).", file=sys.stderr)
    return entry


def _split(text: str) -> tuple[str, float]:
    """``FILE_OR_ID[:WEIGHT]``; a colon that no number follows belongs to the name."""
    name, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        return text, 1.0
    try:
        return name, float(weight)
    except ValueError:
        if Path(name).exists():
            raise InputError(f"Weight '{weight[:40]}' of --lora is no number.", "lora") from None
        return text, 1.0
