"""What several commands need."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lavie.types import Event, OnEvent

OUTPUT_FOLDER = Path("outputs")


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


def draw_bar(unit: str = "step") -> "OnEvent":
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
