"""The errors LaVie raises on purpose.

A message holds the value, the rule and the way out, in one sentence a user can act on.
"""


class LaVieError(Exception):
    """Base of every error that LaVie raises on purpose; its text is meant for the user."""


class ConfigError(LaVieError):
    """A preset, a config file or an override does not fit its schema."""


class InputError(LaVieError):
    """The user's input breaks a rule.

    Args:
        message: The value, the rule and the way out.
        field: Name of the request field the message is about, so that a page can show it there.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class CheckpointError(LaVieError):
    """A checkpoint or model folder is missing, broken, unsafe, or for another network."""


class TrainingError(LaVieError):
    """A training run can't go on: its gradient is no longer a number."""


class MemoryBudgetError(LaVieError):
    """The request does not fit the memory of the device."""


class MissingDependencyError(LaVieError):
    """An optional package or system file is needed and absent; the text holds its install line."""


class Cancelled(LaVieError):  # noqa: N818 - an outcome that was asked for, not a fault
    """The work stopped because its `CancelToken` was set."""


def first_line(error: BaseException) -> str:
    """What a library says of its failure, to stand in one of our sentences.

    Returns:
        The first line that is not empty, at most 200 characters; the error's name if there is none.
    """
    lines = (line.strip() for line in str(error).splitlines())
    return next((line[:200] for line in lines if line), type(error).__name__)
