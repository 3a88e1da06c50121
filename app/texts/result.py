"""The screen: a video being made, what can be done with it, and what became of it."""

from app.plain_text import clean_text
from app.texts.shared import GO_ON, TRY_AGAIN, WORKING_NAMES, duration
from lavie.types import StageName

EMPTY_SCREEN = "Your video will appear here."
COMPARE_LABEL = "Before and after"
COMPARE_INFO = "Side by side, playing in step."
BEFORE = "Before"
AFTER = "After"
SMOOTH_IT = "Smooth it"
UPSCALE_IT = "Upscale it"
DOWNLOADS = {
    "view": "Download MP4",
    "video": "MP4, true size",
    "gif": "GIF",
    "recipe": "Recipe",
}
USE_SEED = "Use this seed again"
RECIPE_LABEL = "The recipe: everything needed to make it again"
RECIPE_NOTE = "The same recipe is inside the MP4 file."
PREVIEW_ALT = "Preview of the video being made"
CANCELLED = "Cancelled. Nothing was kept."
CANCELLED_KEPT = "Cancelled. What was finished is kept."
FORGOTTEN_VIDEO = (
    "The frames of that video are gone from the disk. Make it again with its seed, with “Smooth” "
    "or “Upscale” switched on."
)
DELETED_VIDEO = "That video was deleted. Make it again with its recipe."
THROWN_AWAY = "That video was deleted. Its owner can bring it back for an hour."
TRIED_WITH_LESS_MEMORY = "The memory did not suffice, so this was tried again with less of it."
WORKER_IS_LOST = (
    "The computer that was making this is no longer heard of. Nothing else was lost. Try again."
)
DISK_IS_FULL = "The disk is full, so the video could not be kept. Free some space, then try again."
WORK_CANNOT_BEGIN = (
    "The studio cannot begin its work yet and goes on trying. The log of the server says why."
)
MODEL_IS_BROKEN = "The model could not be loaded. The log of the server says why."
NOTHING_TO_RETRY = "There is nothing left to do for this video."
STILL_AT_WORK = "That video is still being made. Cancel it first."
THROWN_AWAY = "That video was deleted. Its owner can bring it back for an hour."
NO_SUCH_RESULT = "There is no such video. Reload the page."
NOT_CHECKED = (
    "This studio wants every video checked, but the worker has no safety checker. Start it with "
    "--safety, too."
)
LOST_JOB = "The studio was restarted and no longer knows that job. Please make the video again."


def stage_is_missing(stage: StageName) -> str:
    """A worker was told less than the server."""
    return (
        f"The studio's model has the stage {stage}, but the worker's has not. Start it with "
        f"--{stage.replace('_', '-')}, too."
    )


def refused(verdict: str) -> str:
    """What the checker of the studio's owner says of a video."""
    return f"This video was not kept. {clean_text(verdict):.300}"


def beginning(stage: str) -> str:
    """A stage was begun, and has taken no step yet."""
    return f"{WORKING_NAMES[stage]}: the first step…"


def progress(stage: str, step: int, total: int, seconds_left: float | None) -> str:
    """How far a stage is."""
    left = f" · about {duration(seconds_left)} left" if seconds_left else ""
    if step >= total and stage != "prepare":
        return f"Writing the files…{left}"
    return f"{WORKING_NAMES[stage]}: step {step} of {total}{left}"


def no_such_stage(stage: StageName) -> str:
    """The model cannot do that."""
    return f"This model has no part for {WORKING_NAMES[stage].lower()}. Use one that has."


def stage_makes_no_sense(stage: StageName) -> str:
    """It was done already, or would have had to be done before."""
    return f"{WORKING_NAMES[stage]} makes no sense for this video. Choose an earlier version."


def no_such_job(job_id: object) -> str:
    """Nobody knows it, or no longer."""
    return f"There is no job {job_id!s:.40} on this server."


def unexpected_failure(job_id: str) -> str:
    """Own up to a fault of ours, with what is needed to find it in the log."""
    return f"Something went wrong on our side (job {job_id}; the log has the details). Try again."


def cannot_be_kept(reason: str) -> str:
    """The job store cannot be written."""
    return (
        f"The studio cannot keep anything: {reason}. Free some space on its disk, then try again."
    )


def interrupted(has_results: bool) -> str:
    """The server stopped; what its owner can do depends on what was finished by then."""
    stopped = "The studio was stopped while this was being made."
    if has_results:
        return f"{stopped} What was finished is kept. “{GO_ON}” makes the rest."
    return f"{stopped} Nothing was finished yet. “{TRY_AGAIN}” begins it anew."


def worker_ended(cause: str) -> str:
    """A worker process died."""
    hint = " That happens when memory runs out." if cause == "SIGKILL" else ""
    return f"The process that was making this ended unexpectedly ({cause}).{hint} Try again."
