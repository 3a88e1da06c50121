"""All words that the page says to its users, in plain language."""

from collections.abc import Sequence

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
WIDTH_LABEL = "Width"
HEIGHT_LABEL = "Height"
FRAMES_LABEL = "Frames"
FRAMES_INFO = "How many pictures the video has."

VIDEO_LABEL = "Video"
EMPTY_SCREEN = "Your video will appear here."
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


def progress(step: int, total: int, seconds_left: float | None) -> str:
    """How far a video is."""
    left = "" if seconds_left is None else f" · about {max(round(seconds_left), 1)} s left"
    return f"Step {step} of {total}{left}" if step < total else "Writing the files…"


def unexpected_failure(job_id: str) -> str:
    """Own up to a fault of ours, with what is needed to find it in the log."""
    return f"Something went wrong on our side (job {job_id}; the log has the details). Try again."
