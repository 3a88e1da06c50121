"""The page's JavaScript, which lies in the folder of the app."""

from pathlib import Path

_FOLDER = Path(__file__).parents[1]


def script(name: str) -> str:
    """What is in a file of it, for a gr.HTML to run."""
    return (_FOLDER / name).read_text(encoding="utf-8")
