"""What was uploaded, where Gradio keeps it for about an hour."""

from collections.abc import Sequence
from pathlib import Path

from gradio.utils import get_upload_folder


def upload_folder() -> Path:
    """Where it is; downloads that were handed out are there, too."""
    return Path(get_upload_folder()).resolve()


def is_file_in(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path leads to a file inside one of some folders, whatever is asked for."""
    try:
        file = path.resolve()
        return file.is_file() and any(file.is_relative_to(folder) for folder in folders)
    except (OSError, ValueError):
        return False
