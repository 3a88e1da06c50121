"""Requests and files that are refused at the door, of the page and of the API."""

from collections.abc import Iterable, Sequence

NOT_AS_NAMED = "That file cannot be read: it is broken, or not what its name says."
FILE_IS_GONE = "That file cannot be read: it is not there. Give it again."
WRONG_FILE_NAME = "The name of that file has signs that cannot be shown. Rename it."
TOO_MANY_PIXELS = "That video has too many pixels. Make it smaller or shorter."
TOO_MUCH_UPLOADED = "That was a lot of files within an hour. Please come back later."
TOO_MANY_REQUESTS = "That was too much at once. Please wait a minute."
REQUEST_TOO_LARGE = "That request is too large."
BAD_REQUEST = "That request cannot be read. The page “API” says what can be asked for."
NOTHING_THERE = "There is nothing here. The page “API” says what can be asked for."
NOT_THIS_COMPUTER = (
    "This studio listens to this computer only, under the name localhost. Start it with --public "
    "to let others in, behind a proxy, say."
)
OTHER_SITE = (
    "A page of another site cannot ask this studio for anything. Open the studio's own page."
)
NOT_YOURS = "That video is somebody else's. You can only change your own."
NOT_IN_PUBLIC = "That would touch the videos of all others, so nobody can do it on a public studio."
BATCH_WRONG_KIND = "A list of videos is a CSV or JSONL file. Name it .csv or .jsonl."
BATCH_TOO_LARGE = "That list is larger than 1 MB. Split it."
BATCH_UNREADABLE = "That list cannot be read. Give CSV or JSONL in UTF-8."
ROW_IS_NO_OBJECT = 'This is no JSON object. Write {"prompt": "…"}.'
NOT_A_JOB_ID = "The id of a job is a text, as submit gives it."
NO_FILE_GIVEN = "There is no file. Give one."
NOT_A_SWITCH = "That must be true or false."
NOT_A_SEARCH = "The search is a text of at most 1000 characters."
MCP_IS_MISSING = "--mcp needs the package mcp. Install it: pip install 'mcp>=1.21,<2'."


def upload_too_large(num_bytes: int) -> str:
    """Say how large a file may be."""
    return f"That file is too large. Give one of at most {num_bytes // 2**20} MB."


def picture_has_too_many_pixels(most: int) -> str:
    """Say how many a picture may have."""
    return f"That picture has more than {most // 1_000_000} million pixels. Make it smaller."


def wrong_kind(suffixes: Sequence[str]) -> str:
    """Say which files there can be."""
    return f"A file called like that cannot be used here. Give one of {', '.join(suffixes)}."


def too_long(seconds: float, max_seconds: int) -> str:
    """Say how long a video may be."""
    return f"That video has {seconds:.0f} seconds. Give one of at most {max_seconds}."


def wrong_number_of_values(num_values: int, num_inputs: int) -> str:
    """Say how many there have to be."""
    return f"There are {num_values} values. Give {num_inputs}."


def parameter_is_missing(name: str) -> str:
    """Say what is needed."""
    return f"The setting “{name}” is missing. Give one."


def request_failed(number: str) -> str:
    """Own up to a fault of ours, with what is needed to find it in the log."""
    return f"Something went wrong on our side (request {number}; the log has the details)."


def bad_row(number: int, reason: str) -> str:
    """What is wrong with one request of a list; the first is row 1."""
    return f"Row {number}: {reason:.300}"


def bad_rows(sentences: Sequence[str]) -> str:
    """Everything wrong with a list of requests."""
    more = f" … and {len(sentences) - 20} more." if len(sentences) > 20 else ""
    return " ".join(("Nothing was queued.", *sentences[:20])) + more


def wrong_number_of_rows(num_rows: int, maximum: int) -> str:
    """A list is empty or too long."""
    return f"That list has {num_rows} videos. Give 1 to {maximum}."


def no_such_field(field: str, fields: Iterable[str]) -> str:
    """A name in a list is none that a request has."""
    return f"There is no setting “{field:.40}”. There are: {', '.join(fields)}."
