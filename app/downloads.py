"""Files that are served to nobody, handed to somebody who may have one."""

from pathlib import Path

from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder


def handed_out(file: Path) -> str:
    """A copy of a file where Gradio gives it out, to whoever knows the hash of its content.

    It is deleted with what was uploaded, about an hour later.

    Args:
        file: Of the data folder.
    """
    return save_file_to_cache(file, cache_dir=get_upload_folder())
