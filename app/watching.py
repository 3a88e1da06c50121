"""Which job an open page shows, and which it changes."""

from dataclasses import dataclass


@dataclass
class Watching:
    """The job that a page follows, one at a time: whoever begins last is shown.

    Args:
        job_id: Empty if there was none.
        ending: Revision of the job that was shown when it was over; None as long as it is not.
        turn: Grows with every job that the page begins to follow.
        asked: The job that was just asked for and is about to be followed; empty if none is.
        edited: The job that waits and is in the form to be changed; empty if none is.
    """

    job_id: str = ""
    ending: int | None = None
    turn: int = 0
    asked: str = ""
    edited: str = ""

    @property
    def newest(self) -> str:
        """The job that the page shows, as the server knows before the page does."""
        return self.asked or self.job_id

    def begin(self, job_id: str, revision: int | None) -> int | None:
        """Follow a job from now on.

        Args:
            job_id: The job.
            revision: That it has now; None if there is no such job.

        Returns:
            The turn that it is; None if the job is followed already, or was to its end.
        """
        if job_id == self.job_id and self.ending in (None, revision):
            return None
        self.job_id, self.ending, self.asked = job_id, None, ""
        self.turn += 1
        return self.turn

    def end(self, turn: int) -> None:
        """Nobody follows the job of a turn any more: if it is not over, it can be begun again."""
        if turn == self.turn and self.ending is None:
            self.job_id = ""
