"""Text of others, made fit to stand on the page."""

import unicodedata

_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the direction of all text after them, also of the page's own."""

_STEERING = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Unicode's categories of control characters, halves of characters, line and paragraph ends."""


def clean_text(text: str) -> str:
    """Give a text without what steers a screen instead of standing on it.

    Control characters, halves of characters and marks that turn the direction of writing go; line
    breaks and tabs become spaces. What is written stays: letters of all scripts, signs, emoji.
    Markup stays too: it has to be shown as text wherever it is shown.
    """
    spaced = (" " if character in "\t\n\r\u2028\u2029" else character for character in text)
    return "".join(
        character
        for character in spaced
        if unicodedata.category(character) not in _STEERING and character not in _DIRECTION_MARKS
    )
