"""Many requests in one file: a table (CSV) or one JSON object a line (JSONL)."""

import csv
import io
from pathlib import Path

from app import texts
from app.request import FIELDS, SWITCHES
from app.strict_json import parse_json, read_text
from app.uploads import LIST, check_upload
from lavie.errors import InputError

MAX_ROWS = 1000

_SWITCH_WORDS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def read_batch(path: Path) -> list[dict[str, object]]:
    """Read requests that somebody sent.

    Args:
        path: Its name ends in ``.csv`` (the first line names the fields) or ``.jsonl``.

    Returns:
        The fields that each row gives; what is left empty is left out.

    Raises:
        InputError: The file is of another kind, too large, broken or empty, or a row of it is no
            request; every such row has a sentence.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise InputError(texts.BATCH_WRONG_KIND, "file")
    check_upload(path, [LIST])
    try:
        text = read_text(path, texts.BATCH_TOO_LARGE)
        rows = _read_csv(text) if suffix == ".csv" else text.splitlines()
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(texts.BATCH_UNREADABLE, "file") from error
    requests, errors = [], []
    for number, row in enumerate(rows, 1):
        try:
            if row:
                requests.append(_check(parse_json(row) if isinstance(row, str) else row))
        except (ValueError, RecursionError):
            errors.append(texts.bad_row(number, texts.ROW_IS_NO_OBJECT))
        except InputError as error:
            errors.append(texts.bad_row(number, str(error)))
    if errors:
        raise InputError(texts.bad_rows(errors), "file")
    if not 1 <= len(requests) <= MAX_ROWS:
        raise InputError(texts.wrong_number_of_rows(len(requests), MAX_ROWS), "file")
    return requests


def _read_csv(text: str) -> list[dict[str, object]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="?")
    return [
        {field: _of_table(field, value) for field, value in row.items() if value} for row in rows
    ]


def _of_table(field: str, value: object) -> object:
    if field in SWITCHES and isinstance(value, str):
        return _SWITCH_WORDS.get(value.strip().lower(), value)
    return value


def _check(row: object) -> dict[str, object]:
    if not isinstance(row, dict):
        raise InputError(texts.ROW_IS_NO_OBJECT, "file")
    for field in row:
        if field not in FIELDS:
            raise InputError(texts.no_such_field(str(field), FIELDS), "file")
    return row
