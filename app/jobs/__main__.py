"""A worker in a process of its own: ``python -m app.jobs``.

The server starts one for itself. On other machines it is started by hand, with the address of the
Redis that all share and a data folder that all see::

    python -m app.jobs --wire redis://server:6379 --data /shared/studio --model miniature
"""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import get_args
from uuid import uuid4

from app.freed_memory import keep_giving_back
from app.jobs.wire import Wire
from app.jobs.worker import REMOTE, Runner, Worker
from app.runner import CascadeRunner
from lavie.cli.shared import add_stage_flags, stage_folders
from lavie.errors import LaVieError
from lavie.runtime.allocator import keep_freed_memory
from lavie.runtime.profiles import AUTO, ProfileName


def create_parser() -> argparse.ArgumentParser:
    """The flags of a worker."""
    parser = argparse.ArgumentParser(
        prog="python -m app.jobs", description="A worker.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--wire", required=True, help="address of the Redis that it shares with the server")
    add("--data", type=Path, required=True, help="the server's data folder, as seen from here")
    add("--model", default="miniature", help="model folder, hub id, or miniature (default)")
    add_stage_flags(parser)
    add("--safety", metavar="MODULE:FUNCTION", help="checker that every video has to pass")
    add("--profile", choices=get_args(ProfileName), default=AUTO, help="what to do about memory")
    add("--name", help=argparse.SUPPRESS)
    add("--attached", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Work until stopped."""
    parser = create_parser()
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        told = arguments.safety, arguments.profile, stage_folders(arguments)
        work(
            CascadeRunner(arguments.model, *told),
            arguments.wire,
            arguments.data.resolve(),
            arguments.name,
            arguments.attached,
        )
    except LaVieError as error:
        parser.error(str(error))


def work(
    runner: Runner, address: str, data: Path, name: str | None = None, is_attached: bool = False
) -> None:
    """Be a worker.

    Args:
        runner: Owns the model.
        address: Of the `Wire`.
        data: The data folder.
        name: Of the worker; None: a new one.
        is_attached: Whether it belongs to the process that started it, and ends with it, which it
            hears as the end of its standard input. Otherwise a signal ends it after its job.
    """
    keep_freed_memory()  # while it is at work
    keep_giving_back()  # now and then, for when it is not
    worker = Worker(name or f"{REMOTE}{uuid4().hex[:12]}", Wire(address, data), runner, data)
    if is_attached:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the server
        threading.Thread(target=_die_with_parent, daemon=True).start()
    else:

        def stop(number: int, frame: FrameType | None) -> None:
            signal.signal(number, signal.SIG_DFL)  # who asks twice means it
            worker.stop()

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
    worker.run()


def _die_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)  # what it was at is marked by the server, or by the one that comes after


if __name__ == "__main__":
    main()
