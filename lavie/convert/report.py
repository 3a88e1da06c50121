"""What a checkpoint that does not fit its network is refused with."""

from lavie.errors import CheckpointError
from lavie.models.keys import KeyReport


class MismatchError(CheckpointError):
    """A checkpoint does not fit its network.

    Args:
        message: One sentence for the user.
        report: Every key that differs.
    """

    def __init__(self, message: str, report: KeyReport) -> None:
        super().__init__(message)
        self.report = report
