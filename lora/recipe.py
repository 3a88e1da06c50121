"""What the recipe of a video says of the LoRAs that took part in it."""

from collections.abc import Sequence
from typing import Any, Protocol


class Used(Protocol):
    """A LoRA that took part."""

    @property
    def name(self) -> str:
        """Its title."""
        ...

    @property
    def token(self) -> str:
        """The word that calls it; empty if none is known."""
        ...

    @property
    def weight(self) -> float:
        """How much it counted."""
        ...

    @property
    def sha256(self) -> str:
        """Of its file."""
        ...


def recipe_of(loras: Sequence[Used]) -> dict[str, Any]:
    """The part of a recipe that names LoRAs, in their order; nothing where there are none."""
    if not loras:
        return {}
    return {
        "loras": [
            {"name": use.name, "token": use.token, "weight": use.weight, "sha256": use.sha256}
            for use in loras
        ]
    }
