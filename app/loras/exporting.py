"""A LoRA as one file to take away, for as long as it takes to hand out a copy."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lavie.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from lora.registry import Registry


@contextmanager
def exported(registry: "Registry", lora_id: str, style: str, model: str = "") -> Iterator[Path]:
    """Write a LoRA for other programs; when the block ends, the file is gone.

    Args:
        registry: Has it. What a kill leaves in its folder, its sweep removes.
        lora_id: Which.
        style: How other programs name the layers: kohya, diffusers or peft.
        model: Which it is for: see `Registry.export`.

    Yields:
        The file; what peft has as a folder is a zip.

    Raises:
        InputError: It cannot be written in that style.
    """
    folder = Path(tempfile.mkdtemp(prefix=".export-", dir=registry.folder))
    try:
        try:
            written = registry.export(lora_id, folder, style, model)
        except CheckpointError as error:
            raise InputError(str(error), "format") from error
        if written.is_dir():
            written = Path(shutil.make_archive(str(written), "zip", written))
        yield written
    finally:
        shutil.rmtree(folder, ignore_errors=True)
