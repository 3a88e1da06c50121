"""What may be asked of LoRAs, so that a page and a program check the same.

Nothing heavy is imported here.
"""

import re

from lavie.errors import InputError

MAX_PICTURES = 100
"""That a training learns from."""

MAX_LORAS = 4
"""That a video is made with."""

MAX_WEIGHT = 4.0
"""Of a LoRA in use, also less than nothing; 1 is as trained."""

MAX_TAGS = 20
"""Words that a LoRA is found by."""

MAX_TAG_LENGTH = 40
"""Characters of such a word."""

MAX_TENSORS = 20_000
"""In a file."""

MAX_WORDS = 8
"""That a file says the meaning of."""

MAX_VECTORS = 64
"""Of such a word: so many of the tokens of a prompt it takes up."""

MAX_NAME_LENGTH = 80
"""Characters of the name that people call a LoRA by."""

MAX_CLASS_LENGTH = 40
"""Characters of what the new thing is, such as "dog"."""

MAX_TRIGGER_LENGTH = 32
"""Characters of a trigger word."""

TRIGGER_WORD = re.compile(rf"[a-z][a-z0-9]{{1,{MAX_TRIGGER_LENGTH - 1}}}")
"""What can be one: small letters and digits, beginning with a letter."""

WORD = re.compile(r"[\w-]{1,64}|<[\w-]{1,62}>", re.ASCII)
"""What can be one in a file that somebody else has made; some write it in angle brackets."""


def is_weight(weight: float) -> bool:
    """Whether a LoRA can count so much; what is not a number fails too."""
    return -MAX_WEIGHT <= weight <= MAX_WEIGHT


def check_weight(weight: float, name: str, field: str) -> None:
    """Raise unless a LoRA can count so much.

    Args:
        weight: How much.
        name: Of the LoRA, for the sentence.
        field: Of the request, that the sentence is about.

    Raises:
        InputError: It cannot.
    """
    if not is_weight(weight):
        raise InputError(
            f"Weight {weight} of '{name}' is not between -{MAX_WEIGHT:g} and {MAX_WEIGHT:g}. "
            "Use 0 to 1 as a rule.",
            field,
        )
