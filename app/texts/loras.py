"""All words that the page says about personal LoRAs, in plain language."""

from collections.abc import Sequence

from app.texts.shared import duration

TAB = "Personalised LoRA"
HEADING = "Teach it something of yours"
INTRO = (
    "Give a few pictures of one thing, and the studio learns to put that thing into any video. "
    "What it has learnt is a small file, which people call a LoRA."
)
DROP_INFO = "Drop 4 to 8 pictures here, or click to choose them."
PICTURES_TEXT_LABEL = "The pictures' descriptions as they are sent"
PICTURES_LABEL = "Your pictures"
REMOVE_PICTURE = "Remove {name}"
CAPTION_LABEL = "What {name} shows"
CAPTION_PLACEHOLDER = "what it shows (optional)"
FINE = "Fine"
WARNING = "Can be used"
PROBLEM = "Left out"
NAME_LABEL = "Name"
NAME_INFO = "What you call it."
NAME_PLACEHOLDER = "Biscuit"
TOKEN_LABEL = "Trigger word"
TOKEN_INFO = "The word that calls it up in a sentence. A rare one, so that nothing else answers."
CLASS_LABEL = "What is it?"
CLASS_INFO = "In one plain word, so that it moves like one."
CLASS_PLACEHOLDER = "dog"
KIND_LABEL = "It is"
KIND_INFO = "What all the pictures have in common. A character is learnt as a thing is."
KIND_NAMES = {"thing": "A thing or animal", "character": "A character", "style": "A style"}
EFFORT_LABEL = "How thoroughly"
EFFORT_INFO = "Longer learns it better. The video studio waits meanwhile."
EFFORT_NAMES = {"quick": "Quick", "normal": "Normal", "thorough": "Thorough"}
KEEP_LABEL = "Keep my pictures after training"
KEEP_INFO = (
    "Otherwise they are deleted from the studio as soon as they are learnt (if this page is closed "
    "by then, what it sent goes about an hour after it came), or a week after a training has "
    "stopped without you. Kept, what you say of them is told in the file, too."
)
EXAMPLES_LABEL = "Or try it with these"
TRAIN = "Teach it"
EMPTY_SCREEN = "What it learns will move here, beside your pictures."

LEARNING = "Learning"
LEARNT = "Learnt"
PAUSE = "Pause"
PAUSED = "Paused. “Go on” takes it up where it stopped, with the same result."
GO_ON = "Go on"
FINISH = "Stop here and keep this one"
FINISHING = "Finishing this one…"
CANCEL = "Cancel"
THROWN_AWAY = "Cancelled. Nothing was kept, and the pictures are deleted."
TRAINED = "It has learnt."
SAMPLES_LABEL = "What it makes of them"
NO_SAMPLES = "There is no sample yet."
SAMPLES_SOON = "The first sample appears after a few steps."
CURVE_LABEL = "How far off it still is"
CURVE_INFO = "Lower is better."
CURVE_WAITS = "The curve begins with the first step."

PROMPT_LABEL = "What should happen with it?"
PROMPT_INFO = "One sentence that holds the trigger word."
SEED_INFO = "The same seed makes the same video. Leave empty for a new one."
MAKE = "Make a video with it"
COMPARE = "Compare with and without"
WITH = "With it"
WITHOUT = "Without it"
STOP = "Stop"
RENAME = "Save"
TAGS_LABEL = "Tags"
TAGS_INFO = "Words to sort by, with commas between them."
EXPORT_HEADING = "Download the file"
EXPORT_INFO = (
    "Kohya's for most programs; diffusers' and peft's for programmers. Peft's has no room for a "
    "trigger word that was learnt as a new word."
)
STYLES = {"kohya": "Kohya", "diffusers": "Diffusers", "peft": "Peft"}

LIST_HEADING = "Your LoRAs"
LIST_EMPTY = "Nothing here yet. What you teach it is kept here, and can be used on every tab."
IMPORT_LABEL = "Bring one from elsewhere (.safetensors, or a .zip of peft's)"
IMPORTED = "It can be used now."
GONE_FOR_GOOD = "It is too late to bring that one back."

PICKER_LABEL = "Your LoRAs"
PICKER_INFO = "What you taught it: up to four at a time, each as strongly as you like."
PICKER_TEXT_LABEL = "The chosen LoRAs as they are sent"
MIX_LABEL = "How strongly, and mixed with what"
MIX_INFO = "Up to four of yours in one video."
WEIGHT_LABEL = "Strength of {name}"
SAY_IT = "Say “{words}”"
SAY_IT_INFO = "Put “{words}” into the sentence, at the cursor or in place of what is selected"
OTHER_WEIGHTS = "Made for other weights of this model; it may look different."
AT_MOST = "At most four at a time."
LOST_TRAINING = "The studio no longer knows that training. Please begin it again."


def imported_again(name: str) -> str:
    """What is said of a file that is in the list."""
    return f"It is there already, as “{name}”."


def unfinished(state: str, step: int, total: int) -> str:
    """How far a training is of which no LoRA has come yet."""
    told = {"queued": "Waits", "running": "Learns", "failed": "Failed"}.get(state, "Paused")
    return f"{told} at step {step} of {total}" if step else told


def num_pictures(num_used: int, num_given: int) -> str:
    """How many pictures there are, and how many of them are learnt from."""
    if num_used == num_given:
        return f"{num_given} picture{'' if num_given == 1 else 's'}"
    return f"{num_used} of {num_given} pictures can be used"


def size_of(width: int, height: int) -> str:
    """Of a picture."""
    return f"{width}×{height}"


def effort_label(name: str, seconds: float | None) -> str:
    """A choice of effort with what it takes here, if that is known."""
    return name if seconds is None else f"{name} · about {duration(seconds)}"


def training_progress(step: int, total: int, seconds_left: float | None) -> str:
    """How far a training is."""
    left = f" · about {duration(seconds_left)} left" if seconds_left else ""
    return f"Learning: step {step} of {total}{left}"


def curve_in_words(first: float, last: float, step: int, total: int) -> str:
    """The curve for those who cannot see it."""
    return (
        f"{CURVE_LABEL}: from {first:.3g} in the beginning to {last:.3g} at step {step} of "
        f"{total}. {CURVE_INFO}"
    )


def sample_name(step: int) -> str:
    """A sample by when it was made."""
    return "Before" if step == 0 else f"Step {step}"


def about(kind: str, rank: int, size: str) -> str:
    """A LoRA in a few words."""
    return f"{KIND_NAMES.get(kind, kind)} · rank {rank} · {size}"


def deleted(name: str) -> str:
    """Say what was thrown away."""
    return f"Deleted: {name:.80}."


def tags(names: Sequence[str]) -> str:
    """Tags as they are typed."""
    return ", ".join(names)
