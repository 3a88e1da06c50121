"""The command line: parse, call, report.

A command is two short functions: one that adds its flags and one that does the work. Everything
heavy is imported inside the work, so ``--help`` and bad flags answer at once.
"""

import argparse
import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from lavie.cli.benchmark import add_benchmark
from lavie.cli.enhance import add_interpolate, add_upscale
from lavie.cli.evaluate import add_evaluate, add_world
from lavie.cli.film import add_extend
from lavie.cli.generate import add_generate
from lavie.cli.published import add_convert, add_info
from lavie.cli.train import add_train
from lavie.errors import LaVieError

_COMMANDS = (
    add_generate,
    add_interpolate,
    add_upscale,
    add_extend,
    add_convert,
    add_info,
    add_train,
    add_evaluate,
    add_benchmark,
    add_world,
)

_PATH_ERRORS = (errno.EEXIST, errno.ENAMETOOLONG, errno.ENOSPC, errno.ENOTDIR, errno.EROFS)
"""What is wrong with a name or a disk, and not with us."""

_NO_READER = 128 + 13  # as a shell says it of a program that SIGPIPE has ended


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(
    argv: Sequence[str] | None = None,
    make_parser: Callable[[], argparse.ArgumentParser] | None = None,
) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None: those of the process.
        make_parser: Makes the parser with all commands; None: `create_parser`.

    Returns:
        0 done, 2 the user's input or a missing package (one line on stderr), 130 stopped by
        Ctrl-C, 141 nobody reads on (as ``| head`` does), 1 a fault of ours.
    """
    try:
        code = _run(argv, make_parser or create_parser)
        sys.stdout.flush()  # else a closed pipe is first met when nobody can catch it
        return code
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())  # Python flushes once more when it ends
        return _NO_READER


def _run(argv: Sequence[str] | None, make_parser: Callable[[], argparse.ArgumentParser]) -> int:
    try:
        arguments = make_parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    logging.basicConfig(
        level=logging.INFO if arguments.debug else logging.WARNING, format="%(message)s"
    )
    try:
        return arguments.run(arguments) or 0
    except LaVieError as error:
        return _report(error, str(error), 2, arguments.debug)
    except ModuleNotFoundError as error:
        message = f"{error}. Run pip install -r requirements.txt -c constraints.txt"
        return _report(error, message, 2, arguments.debug)
    except KeyboardInterrupt as error:
        return _report(error, str(error) or "Stopped.", 130, arguments.debug)
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _PATH_ERRORS and error.filename:
            message = f"'{str(error.filename)[:100]}' cannot be used: {error.strerror}."
            return _report(error, message, 2, arguments.debug)
        message = f"{type(error).__name__}: {error}. This is a fault of ours; --debug shows where."
        return _report(error, message, 1, arguments.debug)


def create_parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    return make_parser_of("lavie", "LaVie: from a sentence to a video.", _COMMANDS)


def make_parser_of(
    name: str, description: str, commands: Sequence[Callable[[Any], None]]
) -> argparse.ArgumentParser:
    """A parser with some commands.

    Args:
        name: Of the program.
        description: One line.
        commands: Each adds one.
    """
    parser = _Parser(prog=name, description=description)
    added = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add_to in commands:
        add_to(added)
    return parser


def _report(error: BaseException, message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    line = " ".join(message.split())  # what a file says may hold what a terminal obeys
    print("".join(each if each.isprintable() else "?" for each in line), file=sys.stderr)
    return code
