"""What is said beside the fields of a form before anything is queued."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from lavie.errors import InputError


def mistakes_by_field(outcome: object) -> dict[str | None, str]:
    """A sentence for each field with which something is wrong.

    Args:
        outcome: Of a check: a list of mistakes, or the request that a form without any makes.
    """
    if not isinstance(outcome, list):
        return {}
    return {e.field: str(e) for e in outcome if isinstance(e, InputError)}


def beside_fields(
    mistakes: Mapping[str | None, str], fields: Sequence[str], num_others: int
) -> list[dict[str, Any]]:
    """What each input of an event gets.

    Args:
        mistakes: Sentences by field.
        fields: Names of the fields, in the order of the inputs.
        num_others: Inputs before them that are no fields.
    """
    others = [gr.validate(True, "") for _ in range(num_others)]
    return [*others, *(gr.validate(n not in mistakes, mistakes.get(n, "")) for n in fields)]
