"""Small pictures as addresses that hold the picture itself: files that are served to nobody."""

import base64
import io
from functools import lru_cache
from pathlib import Path

from lavie.errors import LaVieError

_SIZE = 160
_QUALITY = 80


def picture_of(path: Path | None, size: int = _SIZE) -> str:
    """The address of a small picture of a file; empty if there is none, or it cannot be read."""
    try:
        return "" if path is None else _picture(path, path.stat().st_mtime_ns, size)
    except (OSError, ValueError, LaVieError):
        return ""


@lru_cache(maxsize=512)
def _picture(path: Path, _changed: int, size: int) -> str:
    from lora.pictures import thumbnail

    picture = thumbnail(path, size).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
