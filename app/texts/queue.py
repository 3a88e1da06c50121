"""The queue, and changing a video that waits."""

from app.texts.shared import duration

CANNOT_BE_EDITED = "This goes on from another video and cannot be changed. Remove it instead."
HAS_BEGUN = "That video is being made already. Cancel it to change anything."
TRAINING_IS_WAITING = (
    "A training of yours is waiting already. Please try again when it has begun, or remove it."
)
QUEUE_PAUSE = "Finish this one, then stop"
QUEUE_GO_ON = "Go on"
ON_THE_SCREEN = "On the screen"
BEING_MADE = "Being made now"
WAS_INTERRUPTED = "The studio was stopped while this was being made"
BEING_CHANGED = "Being changed"
QUEUE_ACTIONS = {
    "show": ("Show", "Show on the screen"),
    "edit": ("Edit", "Edit"),
    "retry": ("Go on", "Go on"),
    "up": ("↑", "Move up"),
    "down": ("↓", "Move down"),
    "remove": ("Remove", "Remove"),
    "cancel": ("Cancel", "Cancel"),
    "pause_it": ("Pause", "Pause"),
}
"""What a button says, and what it is called."""
SAVE_CHANGES = "Save changes"
KEEP_AS_IT_WAS = "Keep as it was"
CHANGES_SAVED = "Saved. It is made with these settings when its turn comes."


def queue_is_full(num_queued: int) -> str:
    """Ask to come back later."""
    return f"{num_queued} videos are waiting already. Please try again in a few minutes."


def too_many_waiting(num_waiting: int) -> str:
    """Leave room for others."""
    return (
        f"At most {num_waiting} videos of yours can wait at a time, so that others get theirs. "
        "Please try again when one of them has begun."
    )


def too_many_from_there(num_waiting: int) -> str:
    """The same for those who share an address."""
    return (
        f"{num_waiting} videos from your network are waiting already, so that others get theirs, "
        "too. Please try again in a few minutes."
    )


def too_fast(num_per_minute: int) -> str:
    """Slow down."""
    return f"At most {num_per_minute} videos can be asked for in a minute. Please wait a moment."


def removed(prompt: str) -> str:
    """Say what will not be made."""
    return f"Removed: “{prompt:.80}”."


def queue_heading(num_waiting: int) -> str:
    """How long the queue is."""
    return f"Queue · {num_waiting} waiting" if num_waiting else "Queue"


def queue_is_paused(num_running: int) -> str:
    """Say that nothing begins by itself."""
    if num_running:
        return f"The queue stops after this one. “{QUEUE_GO_ON}” lets it run on."
    return f"The queue has stopped. “{QUEUE_GO_ON}” begins the next video."


def place(num_ahead: int, seconds_ahead: float | None, is_held: bool = False) -> str:
    """Where in the queue a job is, and when it begins as far as that is known."""
    if is_held:
        return f"{ordinal(num_ahead + 1)} in the queue, which is stopped"
    if seconds_ahead is None or num_ahead == 0:
        return f"{ordinal(num_ahead + 1)} in the queue"
    return f"{ordinal(num_ahead + 1)} in the queue, begins in about {duration(seconds_ahead)}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = ("th", "st", "nd", "rd", *6 * ("th",))[number % 10]
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def added_to_queue(where: str) -> str:
    """Say that a video will be made later."""
    return f"Added: {where}."


def editing(prompt: str) -> str:
    """Say what the form is for at the moment."""
    return f"You are changing a video that waits: “{prompt:.80}”"
