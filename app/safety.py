"""A checker of the owner's: looks at every video before a file of it is written."""

import importlib
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import cast

from app import texts
from lavie.errors import ConfigError, InputError
from lavie.types import Frames, FrameSequence

Checker = Callable[[Frames], str | None]
"""Gets uint8 ``(f, H, W, 3)``, f up to `PART_FRAMES`; returns a sentence for who asked for the
video, or None if it may be shown.

A longer video comes in parts, one after the other: it is refused with the first part that is.
"""

PART_FRAMES = 64
"""So many frames a checker gets at a time, at most: long videos are not held in memory."""

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)


def check_name(name: str) -> None:
    """Look whether there can be such a checker, without loading it.

    Args:
        name: ``module:function``.

    Raises:
        ConfigError: It is not of that form, or Python finds no such module.
    """
    module = name.partition(":")[0]
    try:
        is_there = bool(_NAME.fullmatch(name)) and find_spec(module) is not None
    except (ImportError, ValueError):
        is_there = False
    if not is_there:
        raise ConfigError(
            f"There is no safety checker '{name:.80}'. Give module:function, of a module that "
            "Python finds (PYTHONPATH)."
        )


def load_checker(name: str) -> Checker:
    """Load a checker.

    Args:
        name: ``module:function``.

    Raises:
        ConfigError: It cannot be loaded, or is no function.
    """
    module, _, function = name.partition(":")
    try:
        checker = getattr(importlib.import_module(module), function)
    except Exception as error:
        raise ConfigError(f"The safety checker '{name:.80}' cannot be loaded: {error}.") from error
    if not callable(checker):
        raise ConfigError(f"The safety checker '{name:.80}' is no function.")
    return cast(Checker, checker)


def check_frames(checker: Checker, frames: FrameSequence) -> None:
    """Let a video pass, or not. What the checker raises is not caught: no video without its word.

    Args:
        checker: As `load_checker` gives it.
        frames: uint8 ``(F, H, W, 3)``, in memory or in a file. The checker gets copies of parts of
            them, so that it cannot change the video.

    Raises:
        InputError: The checker refused the video, in its own words.
        TypeError: It returned neither a sentence nor None.
    """
    for start in range(0, len(frames), PART_FRAMES):
        verdict = checker(frames[start : start + PART_FRAMES].copy())
        if verdict is None:
            continue
        if not isinstance(verdict, str) or not verdict.strip():
            raise TypeError(f"A safety checker returns a sentence or None, not {verdict!r:.80}.")
        raise InputError(texts.refused(verdict))
