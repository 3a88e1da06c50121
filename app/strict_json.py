"""JSON from outside: no more of it than anybody needs, and nothing that is not JSON."""

import json
from pathlib import Path
from typing import Any

from lavie.errors import InputError

MAX_JSON_BYTES = 2**20
"""A form is a few kilobytes, the longest recipe one megabyte."""


def read_text(path: Path, too_large: str) -> str:
    """The text of a file.

    Args:
        path: Of the file.
        too_large: What whoever gave it is told if it has more than `MAX_JSON_BYTES`.

    Raises:
        InputError: It is too large.
        OSError: It cannot be read.
        ValueError: It is no text.
    """
    with path.open("rb") as file:
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise InputError(too_large, "file")
    return content.decode("utf-8-sig")


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    """The value of a JSON.

    Raises:
        ValueError: It is none; NaN and its like, which Python would take, are none either.
        RecursionError: It is too deep.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(constant)
