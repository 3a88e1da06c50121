"""A LoRA as one file to take away, in a folder that is emptied before long."""

import secrets
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lavie.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from lora.registry import Registry

EXPORTS_FOLDER = Path("private") / "exports"
"""Inside the data folder; nothing of it is ever served."""

_SECONDS_KEPT = 3600


def export_lora(registry: "Registry", lora_id: str, style: str, data: Path) -> Path:
    """Write a LoRA for other programs.

    Args:
        registry: Has it.
        lora_id: Which.
        style: How other programs name the layers: kohya, diffusers or peft.
        data: The data folder.

    Returns:
        The file; what peft has as a folder is a zip.

    Raises:
        InputError: It cannot be written in that style.
    """
    exports = data / EXPORTS_FOLDER
    _drop_old(exports)
    try:
        written = registry.export(lora_id, exports / secrets.token_hex(16), style)
    except CheckpointError as error:
        raise InputError(str(error), "format") from error
    if not written.is_dir():
        return written
    return Path(shutil.make_archive(str(written), "zip", written))


def _drop_old(exports: Path) -> None:
    for folder in exports.glob("*"):
        if time.time() - folder.stat().st_mtime > _SECONDS_KEPT:
            shutil.rmtree(folder, ignore_errors=True)
