"""Another start of this server in place of itself, with other flags: same process, same port."""

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

logger = logging.getLogger(__name__)

_SECONDS_TO_ANSWER = 0.5
"""Whoever asked for it is to hear so first."""


class Restart:
    """What ends the page so that the server can begin anew.

    Args:
        command: Started this server, without the interpreter; None: as it was.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(sys.orig_argv[1:] if command is None else command)
        self._page: gr.Blocks | None = None
        self._flags: Mapping[str, str | None] | None = None

    def watch(self, page: "gr.Blocks") -> None:
        """Say which page is to be closed."""
        self._page = page

    def ask(self, flags: Mapping[str, str | None]) -> None:
        """Close the page in a moment and begin anew.

        Args:
            flags: In place of those that there were, each with its value; None: without it.
        """
        page = self._page
        if page is None:
            return
        self._flags = {**flags, "--port": str(page.server_port)}
        threading.Timer(_SECONDS_TO_ANSWER, page.close).start()

    def go(self) -> None:
        """Become the next server, if that was asked for; everything of this one is closed."""
        if self._flags is None:
            return
        command = [sys.executable, *with_flags(self._command, self._flags)]
        logger.info("Starting again: %s", " ".join(command))
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, command)


def can_restart() -> bool:
    """Whether the system can replace a process, and whoever started it does not mind."""
    return os.name == "posix" and "SPACE_ID" not in os.environ


def with_flags(command: Sequence[str], flags: Mapping[str, str | None]) -> list[str]:
    """A command with other values for some of its flags.

    Args:
        command: Words of a command line.
        flags: Names and values; None: without it.
    """
    kept: list[str] = []
    words = iter(command)
    for word in words:
        name, equals, _ = word.partition("=")
        if name not in flags:
            kept.append(word)
        elif not equals:
            next(words, None)
    return [*kept, *(word for name, value in flags.items() if value for word in (name, value))]
