"""All that is wrong with a form, so that it can be shown at once."""

from collections.abc import Callable
from typing import Any

from lavie.errors import InputError


class Mistakes(list[InputError]):
    """The errors of the checks that were made so far; empty if all was well."""

    def checked(self, check: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        """What a check gives; None if it raises an `InputError`, which is kept."""
        try:
            return check(*arguments)
        except InputError as error:
            self.append(error)
            return None
