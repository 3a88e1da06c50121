"""The form in which a video is asked for, and what is wrong with it."""

from collections.abc import Sequence

from app.costs import Cost
from app.texts.shared import duration

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
KEYS = {
    "generate": (("Ctrl", "Enter"), "makes it"),
    "cancel": (("Esc",), "stops it"),
}
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
SURPRISE = "Surprise me"
KNOWS_NONE = "This small model knows none of these words."
FULL_MODEL = "Use the full model (python -m lavie convert)."
NO_KNOWN_WORD = f"{KNOWS_NONE} Click some below. {FULL_MODEL}"


def size_info(minimum: float, maximum: float, step: float) -> str:
    """Help for a width or height."""
    return f"Pixels, {minimum:g} to {maximum:g}, in steps of {step:g}."


def unknown_words(words: Sequence[str], most: int = 6) -> str:
    """Say kindly which words the model was never taught."""
    verb = "is" if len(words) == 1 else "are"
    listed = ", ".join(f"“{word}”" for word in words[:most]) + (" …" if len(words) > most else "")
    return f"{listed} {verb} new to this small model and will not show. {FULL_MODEL}"


def unread_words(words: Sequence[str]) -> str:
    """Say which words at the end of a prompt are beyond what the model reads."""
    listed = " ".join(words[:12]) + (" …" if len(words) > 12 else "")
    return f"The sentence is too long for this model. It will not read its end: “{listed}”."


def switch_info(purpose: str, cost: Cost) -> str:
    """What a stage brings, and what it takes here: known, guessed, or not said."""
    if cost.seconds is None:
        return purpose
    about = "About" if cost.is_measured else "Roughly"
    return f"{purpose} {about} {duration(cost.seconds)} on this computer."


def smooth_label(num_frames: int) -> str:
    """The switch for smoothing, with what comes of it."""
    return f"{SMOOTH_LABEL}: {num_frames} frames"


def one_between(minimum: str, maximum: str) -> str:
    """Advice where no number is better than another."""
    return f"one from {minimum} to {maximum}"


def number_is_missing(name: str, advice: str) -> str:
    """Say what to type."""
    return f"{name} is empty. Use {advice}."


def not_a_number(name: str, typed: str, advice: str) -> str:
    """Say what to type instead."""
    return f"{name} '{typed:.40}' is not a number. Use {advice}."


def out_of_range(name: str, number: str, minimum: str, maximum: str, advice: str) -> str:
    """Say which numbers there are."""
    return f"{name} {number} is not between {minimum} and {maximum}. Use {advice}."


def between_steps(name: str, number: str, step: str, below: str, above: str) -> str:
    """Say which numbers are next to it."""
    rule = "a whole number" if step == "1" else f"a multiple of {step}"
    return f"{name} {number} is not {rule}. Use {below} or {above}."


def not_on_or_off(switch: str, value: object) -> str:
    """Say what a switch may be."""
    return f"{switch.capitalize()} must be on or off, not '{value!s:.40}'."
