"""All words that the page says to its users, in plain language."""

from collections.abc import Sequence

from app.costs import Cost
from lavie.types import StageName

NAME = "LaVie Studio"
TAGLINE = "Write a sentence, watch it become a video."
TAB_TEXT_TO_VIDEO = "Text to video"

PROMPT_LABEL = "What should happen?"
PROMPT_INFO = "One sentence: who, doing what, where."
PROMPT_PLACEHOLDER = "a panda moving left over the ocean"
EXAMPLES_LABEL = "Try one of these"
OPEN_EXAMPLES = (
    "a teddy bear skating across a frozen lake, soft morning light",
    "a sailing boat in a storm, oil painting",
    "a cat wearing sunglasses, working as a lifeguard at a pool",
    "fireworks over a quiet harbour at night",
)

WORDS_HEADING = "Or click the words together"
SUBJECT_LABEL = "Who"
SUBJECT_INFO = "What the video is about."
MOTION_LABEL = "Does what"
MOTION_INFO = "How it moves."
PLACE_LABEL = "Where"
PLACE_INFO = "What is behind it."
STYLE_LABEL = "Look"
STYLE_INFO = "How the picture is coloured."

GENERATE = "Make the video"
CANCEL = "Cancel"

SMOOTH_LABEL = "Smooth"
UPSCALE_LABEL = "Upscale: four times the size"
SMOOTH_INFO = "Motion flows: three new frames between every two."
UPSCALE_INFO = "A larger picture with finer edges."

SETTINGS_HEADING = "Settings"
NEGATIVE_LABEL = "What to avoid"
NEGATIVE_INFO = "Things the video should not show. May stay empty."
SEED_LABEL = "Seed"
SEED_PLACEHOLDER = "a new one each time"
SEED_INFO = "The same seed makes the same video. Leave empty for a new one."
STEPS_LABEL = "Steps"
STEPS_INFO = "More steps take longer and look cleaner."
GUIDANCE_LABEL = "Guidance"
GUIDANCE_INFO = "How closely to follow the sentence. 1 turns it off."
SCHEDULER_LABEL = "Scheduler"
SCHEDULER_INFO = "How noise becomes a picture. The first is the fastest good one."
SCHEDULER_NAMES = {
    "dpm++": "DPM-Solver++ (fast)",
    "ddim": "DDIM",
    "ddpm": "DDPM (as in the paper)",
    "euler": "Euler",
}
SMOOTHING_STEPS_LABEL = "Smoothing steps"
SMOOTHING_STEPS_INFO = "Steps of smoothing, here and for “Smooth it”."
UPSCALING_STEPS_LABEL = "Upscaling steps"
UPSCALING_STEPS_INFO = "Steps of upscaling, here and for “Upscale it”."
WIDTH_LABEL = "Width"
HEIGHT_LABEL = "Height"
FRAMES_LABEL = "Frames"
FRAMES_INFO = "How many pictures the video has."

VIDEO_LABEL = "Video"
EMPTY_SCREEN = "Your video will appear here."
STAGE_NAMES: dict[StageName, str] = {
    "base": "First version",
    "interpolation": "Smooth",
    "super_resolution": "Upscaled",
}
FILE_NAMES: dict[StageName, str] = {
    "base": "base",
    "interpolation": "smooth",
    "super_resolution": "upscaled",
}
WORKING_NAMES: dict[str, str] = {
    "base": "Making the video",
    "interpolation": "Smoothing",
    "super_resolution": "Upscaling",
}
SHOWN_LABEL = "Show"
SHOWN_INFO = "Every version is kept."
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
USED_SEED_LABEL = "Seed of this video"
USED_SEED_INFO = "Use it again to make the same video, or to change only one thing."
USE_SEED = "Use this seed again"
RECIPE_LABEL = "The recipe: everything needed to make it again"
RECIPE_NOTE = "The same recipe is inside the MP4 file."

PREVIEW_ALT = "Preview of the video being made"
MODEL_IS_LOADING = "Getting the model ready…"
STILL_BUSY = "Your last video is still being made. Wait for it, or cancel it first."
CANCELLING = "Stopping…"
CANCELLED = "Cancelled. Nothing was kept."
CANCELLED_KEPT = "Cancelled. What was finished is kept."
FORGOTTEN_VIDEO = (
    "That video is no longer in the studio's memory. Make it again with its seed, with “Smooth” or "
    "“Upscale” switched on."
)
NO_SUCH_RESULT = "There is no such video. Reload the page."
LOST_JOB = "The studio was restarted and no longer knows that job. Please make the video again."
FULL_MODEL = (
    "The full model knows open language: `python -m lavie convert` fetches and prepares it, "
    "then start the studio with `--model`."
)
NO_KNOWN_WORD = (
    "This small model knows none of these words. Click some below, or use the full model "
    "(python -m lavie convert)."
)


def size_info(minimum: float, maximum: float, step: float) -> str:
    """Help for a width or height."""
    return f"Pixels, {minimum:g} to {maximum:g}, in steps of {step:g}."


def model_summary(
    name: str, width: float | None, height: float | None, num_frames: float | None
) -> str:
    """The model in a few words, for the head of the page."""
    return f"Model {name} · {width:g}×{height:g} px · {num_frames:g} frames"


def unknown_words(words: Sequence[str]) -> str:
    """Say kindly which words the model was never taught."""
    verb = "is" if len(words) == 1 else "are"
    listed = ", ".join(f"“{word}”" for word in words[:6]) + (" …" if len(words) > 6 else "")
    return f"{listed} {verb} new to this small model and will not show. {FULL_MODEL}"


def queue_is_full(num_queued: int) -> str:
    """Ask to come back later."""
    return f"{num_queued} videos are waiting already. Please try again in a few minutes."


def queued(num_ahead: int) -> str:
    """Where in the queue a job is."""
    return f"Waiting for {num_ahead} video{'s' if num_ahead != 1 else ''} before yours…"


def progress(stage: str, step: int, total: int, seconds_left: float | None) -> str:
    """How far a stage is."""
    if step >= total:
        return "Writing the files…"
    left = "" if seconds_left is None else f" · about {duration(seconds_left)} left"
    return f"{WORKING_NAMES[stage]}: step {step} of {total}{left}"


def duration(seconds: float) -> str:
    """A time as it is said, not as it is measured."""
    return f"{max(round(seconds), 1)} s" if seconds < 99.5 else f"{round(seconds / 60)} min"


def switch_info(purpose: str, cost: Cost) -> str:
    """What a stage brings, and what it takes here: known, guessed, or not said."""
    if cost.seconds is None:
        return purpose
    about = "About" if cost.is_measured else "Roughly"
    return f"{purpose} {about} {duration(cost.seconds)} on this computer."


def smooth_label(num_frames: int) -> str:
    """The switch for smoothing, with what comes of it."""
    return f"{SMOOTH_LABEL}: {num_frames} frames"


def no_such_stage(stage: StageName) -> str:
    """The model cannot do that."""
    return f"This model has no part for {WORKING_NAMES[stage].lower()}. Use one that has."


def stage_makes_no_sense(stage: StageName) -> str:
    """It was done already, or would have had to be done before."""
    return f"{WORKING_NAMES[stage]} makes no sense for this video. Choose an earlier version."


def unexpected_failure(job_id: str) -> str:
    """Own up to a fault of ours, with what is needed to find it in the log."""
    return f"Something went wrong on our side (job {job_id}; the log has the details). Try again."
