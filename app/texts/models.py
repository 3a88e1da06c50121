"""The tab Models."""

from collections.abc import Sequence

from app.texts.shared import STAGE_NAMES, duration, size
from lavie.types import StageName

MODEL_TITLES = {
    "cascade": "LaVie, all three stages",
    "base": "LaVie, first version only",
    "interpolation": "LaVie, smoothing only",
    "super_resolution": "LaVie, upscaling only",
    "long_video": "SEINE, for longer videos",
}
LICENCE_MEANINGS = {
    "open for research; free commercial use on application to its authors": (
        "Free to use for research. To earn money with it, ask its authors first; it costs nothing."
    ),
    "CreativeML OpenRAIL-M": (
        "Free to use, change and pass on, also to earn money, but not to harm people: the licence "
        "lists what is forbidden, and it goes with everything that is made from the model."
    ),
    "CreativeML OpenRAIL++-M": (
        "Free to use, change and pass on, also to earn money, but not to harm people: the licence "
        "lists what is forbidden, and it goes with everything that is made from the model."
    ),
    "see the model's page; meant for research": (
        "Meant for research. Read the model's page before you do anything else with it."
    ),
}
BUNDLED_LICENCE = "Apache-2.0"
UNKNOWN_LICENCE = "not known; ask whoever made it"
PATH_IS_NO_TEXT = "the path is no text"
IN_USE_HEADING = "In use"
INSTALLED_HEADING = "On this machine"
OFFERS_HEADING = "To download"
CONVERT_HEADING = "From files on this machine"
FOLDERS_HEADING = "More folders to look into"
LOOKING_FOR_MODELS = "Looking for models…"
MODEL_FACT, STAGES_FACT, DEVICE_FACT, PROFILE_FACT = "Model", "Stages", "Device", "Memory profile"
SIZE_FACT, LICENCE_FACT, WHERE_FACT, FROM_FACT = "Size", "Licence", "Where", "From"
DEVICE_NAMES = {"cpu": "CPU", "mps": "Apple GPU"}
WORKERS_ELSEWHERE = "Workers on other machines have it; each says so in its own log."
PROFILE_LABEL = "Memory profile"
PROFILE_INFO = (
    "For videos from now on. It is kept until the studio is stopped; start it with --profile to "
    "keep it for good."
)
PROFILE_AUTO = "As the free memory allows"
PROFILE_TABLE_HEADING = "What each profile takes"
PROFILE_FROM_ANY = "any"
PROFILE_TABLE_TITLES = ("Profile", "From", "First version", "Smoothing", "Upscaling")
PROFILE_TABLE_NOTE = (
    "Peaks of the published model in float16 (16 frames of 320×512, smoothed to 61, upscaled to "
    "1280×2048). They are estimated, not measured. A CPU and an Apple GPU work in float32, "
    "which takes twice as much; a smaller model needs less, so other profiles are chosen for it."
)
IN_USE = "In use"
USE_MODEL = "Use this model"
DELETE_MODEL = "Delete"
WHERE_NAMES = {
    "bundled": "came with the studio",
    "model folder": "model folder",
    "published files": "files as they were published",
}
HUB_CACHE = "in the hub's cache"
USE_STAGE = "Use it with the model in use"
START_WITH_IT = "To use another model, start the studio with --model and its name."
DOWNLOAD_MODEL = "Download"
GO_ON_DOWNLOADING = "Download the rest"
DOWNLOADED = "It is on this machine."
OFFLINE = "Offline mode is on (HF_HUB_OFFLINE), so nothing is downloaded."
ACCEPT_AND_DOWNLOAD = "I accept, download it"
DELETE_FOR_GOOD = "Delete it for good"
NOT_NOW = "Not now"
STOP_MODEL_WORK = "Stop"
CONVERT_PATH_LABEL = "Checkpoint or folder"
CONVERT_PATH_INFO = "Full path of a .pt file, or of the original code's pretrained_models folder."
CONVERT_PARTS_LABEL = "Its Stable Diffusion"
CONVERT_PARTS_INFO = "Full path of its folder. Empty: the one beside the checkpoint."
CONVERT_NAME_LABEL = "Name of the new model"
CONVERT_NAME_INFO = "Empty: after what is in it."
CONVERT = "Make a model of it"
FOLDER_LABEL = "Folder to look into"
FOLDER_INFO = "Full path of a model folder, or of one that holds some."
ADD_FOLDER = "Add"
REMOVE_FOLDER = "Look there no more"
NO_FOLDERS = "None was added."
MODEL_WORK_IS_BUSY = "One thing at a time: something is being downloaded or converted already."
MODEL_WORK_CANCELLED = "Stopped. What has come of a download is kept, and the next one goes on."
MODEL_WORK_BROKE = "Something went wrong on our side; the log has the details. Try again."
MODEL_IS_IN_USE = "That model is in use. Use another one first."
NO_SUCH_MODEL = "There is no such model any more. Open this tab again."
WAIT_FOR_THE_QUEUE = "Videos are being made or wait. Another model can be used when they are done."
LATE_RESTART = "It takes long. If this page does not come back, the log of the server says why."


def not_a_model_name(name: str) -> str:
    """Say which names a model's folder may have."""
    return (
        f"“{name:.80}” cannot be the name of a model. Use 1 to 60 letters, digits, dots, dashes or "
        "underscores, with a letter or digit first and last."
    )


def model_name_taken(name: str) -> str:
    """Ask for another name."""
    return f"There is a model or folder “{name}” already. Choose another name, or delete it first."


def not_a_path(path: str) -> str:
    """Say what is missing."""
    return f"“{path:.200}” is not on this machine. Give the full path of a folder or file."


def no_models_in(path: str) -> str:
    """Say what a folder of models is."""
    return (
        f"“{path:.200}” holds no LaVie model. Give a model folder, a folder that holds some, or a "
        "pretrained_models folder of the original code."
    )


def not_to_convert(path: str) -> str:
    """Say what can be converted."""
    return (
        f"“{path:.200}” is nothing that can be converted. Give a .pt or .safetensors file, or a "
        "pretrained_models folder of the original code."
    )


def unknown_offer(network: str) -> str:
    """Say what there is."""
    return f"“{network:.80}” is not offered. There are {', '.join(MODEL_TITLES)}."


def not_ours_to_delete(name: str) -> str:
    """Protect what others made."""
    return f"“{name:.200}” was not downloaded or converted here, so it is not deleted here."


def folders_cannot_be_kept(reason: str) -> str:
    """Tell why the list of folders cannot be written."""
    return f"The list of model folders cannot be saved: {reason}."


def profile_choice(name: str, free_bytes: int) -> str:
    """A profile to choose."""
    return f"{name}: for {size(free_bytes)} free and more" if free_bytes else f"{name}: the least"


def profile_in_use(name: str, is_auto: bool, free_bytes: int | None, ran_short: bool) -> str:
    """Which profile is in use, and why."""
    if ran_short:
        return f"{name}, because memory ran short in the one before"
    if not is_auto:
        return f"{name}, as it was chosen"
    if free_bytes is None:
        return f"{name}, because this system does not say how much memory is free"
    return f"{name}, because {size(free_bytes)} were free when the model was loaded"


def profile_to_come(name: str) -> str:
    """What was chosen, and holds when the next video begins."""
    label = PROFILE_AUTO.lower() if name == "auto" else name
    return f"From the next video on: {label}"


def models_stages(stages: Sequence[StageName]) -> str:
    """What a model can do."""
    return ", ".join(STAGE_NAMES[stage] for stage in stages) or "none of this studio"


def later_stage_alone(stages: Sequence[StageName], name: str) -> str:
    """How later stages come to be used."""
    if not stages:
        return "This model has no stage of this studio, so it is not used here. Choose another one."
    flags = " ".join(f"--{stage.replace('_', '-')} {name:.200}" for stage in stages)
    is_one = len(stages) == 1
    what = "is a later stage alone, which goes" if is_one else "has later stages alone, which go"
    return f"This {what} on from videos of another model. Start the studio with {flags}."


def here_already(num_bytes: int, total: int) -> str:
    """How large a download is, and what is left of it."""
    return f"{size(total)}, of which {size(num_bytes)} are here" if num_bytes else size(total)


def goes_on(num_bytes: int) -> str:
    """What came of an earlier download is not lost."""
    return f"{size(num_bytes)} of it are here already: it goes on from there."


def downloading(title: str) -> str:
    """What is being done."""
    return f"Downloading {title}"


def converting(path: str) -> str:
    """What is being done."""
    return f"Making a model of {path:.200}"


def model_work(stage: str, step: int, total: int, seconds_left: float | None) -> str:
    """How far a download or conversion is."""
    left = "" if not seconds_left else f" · about {duration(seconds_left)} left"
    if stage != "download":
        return f"Making the model: part {min(step + 1, total)} of {total}{left}"
    return f"{size(step)} of {size(total)}{left}" if step < total else "Checking the files…"


def model_made(name: str) -> str:
    """It is done."""
    return f"Done: {name:.200} is on this machine now."


def model_work_failed(reason: str) -> str:
    """The disk is full, or the like."""
    return f"That did not work: {reason:.200}. What has come of a download is kept. Try again."


def download_question(title: str, num_bytes: int) -> str:
    """Before anything is downloaded."""
    return f"Download {title}: {size(num_bytes)}?"


def delete_question(name: str, num_bytes: int) -> str:
    """Before a model is deleted."""
    return f"Delete {name:.200} ({size(num_bytes)}) from the disk? It cannot be brought back."


def starting_with(name: str) -> str:
    """The server begins anew."""
    return f"Starting with {name:.200}… This page comes back by itself."
