"""Captions as they come from files, made safe to show, log and tokenise."""

import json
import unicodedata

from lavie.data.report import UnusableClip

MAX_CHARACTERS = 1000
MAX_BYTES = 1 << 16
CAPTION_KEYS = ("caption", "text", "prompt")

_JOINERS = "\u200c\u200d"  # of meaning in Persian and in emoji


def clean_caption(text: str) -> str:
    """One line of printable text without the characters that only steer a terminal or a page.

    Line breaks, tabs and control characters become single spaces; invisible format characters
    (byte order marks, text direction overrides) and broken surrogates go.

    Args:
        text: Anything; longer than 1000 characters is cut after the last whole word.

    Raises:
        UnusableClip: Nothing is left.
    """
    # Four times: room for what cleaning shortens, without normalising a whole book.
    normal = unicodedata.normalize("NFC", text[: 4 * MAX_CHARACTERS])
    caption = " ".join("".join(map(_visible, normal)).split())
    if len(caption) > MAX_CHARACTERS:
        caption = caption[: MAX_CHARACTERS + 1].rpartition(" ")[0] or caption[:MAX_CHARACTERS]
    if not caption:
        raise UnusableClip("without caption", "the caption is empty")
    return caption


def caption_of(row: object) -> str:
    """The caption in a row of metadata: under ``caption``, ``text`` or ``prompt``.

    Raises:
        UnusableClip: There is none.
    """
    if isinstance(row, dict):
        for key in CAPTION_KEYS:
            if isinstance(row.get(key), str):
                return clean_caption(row[key])
    raise UnusableClip("without caption", f"no text under {', '.join(CAPTION_KEYS)}")


def parse_caption(data: bytes, suffix: str) -> str:
    """The caption in the bytes of a ``.txt`` or ``.json`` file.

    Raises:
        UnusableClip: There is none, or it is not JSON.
    """
    text = data[:MAX_BYTES].decode("utf-8-sig", errors="replace")
    if suffix == "txt":
        return clean_caption(text)
    try:
        return caption_of(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UnusableClip("without caption", f"its json can't be read: {error}") from error


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category in ("Cf", "Cs") and character not in _JOINERS else character
