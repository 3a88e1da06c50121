"""What whoever asks for a LoRA, or for a video with one, is told when something is wrong."""

from collections.abc import Sequence

NO_TRAINING = (
    "LoRAs are not trained on this studio. Those that are there, or that you import, can be used."
)
NO_PICTURES = "There are no pictures. Give 4 to 8 of the same thing."
PICTURES_UNREADABLE = "The pictures have to be a list of files."
TOO_MANY_PIXELS_IN_ALL = (
    "The pictures before this one have as many pixels as can be looked at. Make them smaller."
)
CAPTIONS_UNREADABLE = "The captions have to be a list of texts, one for each picture."
NOT_A_NAME = "A name has to be a text."
TOKEN_MISSING = "There is no trigger word. Make one up, such as zog."
NOT_A_CLASS = "What it is has to be a text of at most 40 characters, such as dog. May be empty."
NOT_A_KIND = "That is no kind of LoRA. Use thing, character or style."
NOT_AN_EFFORT = "That is no amount of training. Use quick, normal or thorough."
NOT_A_LIST = "The LoRAs have to be a list of ids and weights."
NOT_A_TRAINING = "That is no training of a LoRA."
LEARNT_ALREADY = "Just that is being learnt already. Wait for it, or give this one another name."
NOTHING_LEARNT = "Nothing was learnt yet. Let it train for a while first."
TRAINING_IS_OVER = "That training is over already."
TOO_SLOW_IN_TURNS = (
    "This Space lends its GPU for too short a time to train this. Train it on a computer of your "
    "own, and import the file here."
)
NOT_A_LORA_ID = "The id of a LoRA is a text, as the list of LoRAs gives it."
NO_SUCH_FORMAT = "There is no such format. Use kohya, diffusers or peft."
TAGS_UNREADABLE = "Tags have to be short texts."
LORAS_TOO_LARGE = (
    "The LoRAs do not fit the device's memory beside the model. Use fewer, or smaller ones."
)
LORA_FILE_WRONG_KIND = "A LoRA is a .safetensors file, or a .zip of peft's. Give one of those."


def tick_lora(name: str, token: str) -> str:
    """A trigger word is written, and its LoRA not chosen."""
    return f"“{token:.40}” is the trigger word of “{name:.80}”. Tick that LoRA, and it shows."


def say_trigger(name: str, token: str) -> str:
    """A LoRA is chosen, and its trigger word not written."""
    return f"Nothing says “{token:.40}”, the trigger word of “{name:.80}”, so it may not show."


def no_such_lora(lora_id: object) -> str:
    """It is not there, or somebody else's."""
    return f"There is no LoRA {lora_id!s:.40}. It may have been deleted."


def too_many_loras(most: int) -> str:
    """Say how many can be mixed."""
    return f"A video can be made with at most {most} LoRAs. Leave some out."


def named_twice(name: str) -> str:
    """Each once."""
    return f"The LoRA “{name:.80}” is chosen twice. Choose it once."


def same_trigger(names: Sequence[str], token: str) -> str:
    """A word can mean one thing."""
    first, second = names
    return (
        f"“{first:.80}” and “{second:.80}” have the same trigger word, {token:.40}. Choose one of "
        "them."
    )


def wrong_weight(weight: object, most: float) -> str:
    """Say what a weight may be."""
    return (
        f"Weight {weight!s:.20} is not between {-most:g} and {most:g}. Use 1 as trained, less for "
        "less of it."
    )


def other_base(name: str) -> str:
    """It was made for another model."""
    return f"The LoRA “{name:.80}” was made for another model than this. Choose one made for it."


def lora_is_gone(name: str) -> str:
    """Its file is not there any more."""
    return f"The LoRA “{name:.80}” was deleted, so the video cannot be made with it."


def not_restored(name: str) -> str:
    """A recipe names a LoRA that is not here."""
    return f"The LoRA “{name:.80}” that this was made with is not here. Import it to use it again."


def caption_too_long(number: int, most: int) -> str:
    """Say which caption is too long."""
    return f"The caption of picture {number} is too long. Use at most {most} characters."


def wrong_number_of_captions(num_captions: int, num_pictures: int) -> str:
    """One for each, or none."""
    return f"There are {num_captions} captions for {num_pictures} pictures. Give one for each."


def too_many_pictures(most: int) -> str:
    """Say how many there may be."""
    return f"That are too many pictures. Give at most {most}."


def about_picture(number: int, sentence: str) -> str:
    """Say which picture a sentence is about."""
    return f"Picture {number}: {sentence}"


def picture_too_large(num_bytes: int) -> str:
    """Say how large a picture may be."""
    return f"That picture is too large. Give one of at most {num_bytes // 2**20} MB."


def too_many_of_yours(most: int) -> str:
    """Say how many LoRAs a visitor may have."""
    return (
        f"You have {most} LoRAs already, which is the most; those that you deleted within the last "
        "week are among them. A week after you delete one there is room again."
    )


def in_short(num_pictures: int, effort: str) -> str:
    """A training in a few words."""
    pictures = f"{num_pictures} picture{'' if num_pictures == 1 else 's'}"
    return f"A LoRA of {pictures}, {effort}"
