"""All words that the page says to its users, in plain language."""

from collections.abc import Iterable, Sequence

from app.costs import Cost
from app.plain_text import clean_text
from lavie.types import StageName

NAME = "LaVie Studio"
TAGLINE = "Write a sentence, watch it become a video."
TAB_TEXT_TO_VIDEO = "Text to video"
TAB_HISTORY = "Your videos"

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
MODEL_LOADS = "The model is still being loaded. You can ask for a video already."
MODEL_IS_LOADING = "Getting the model ready…"
GO_ON = "Go on where it stopped"
TRY_AGAIN = "Try again"
CANCELLING = "Stopping…"
CANCELLED = "Cancelled. Nothing was kept."
CANCELLED_KEPT = "Cancelled. What was finished is kept."
FORGOTTEN_VIDEO = (
    "The frames of that video are gone from the disk. Make it again with its seed, with “Smooth” "
    "or “Upscale” switched on."
)
DELETED_VIDEO = "That video was deleted. Make it again with its recipe."
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
CANNOT_BE_EDITED = "This goes on from another video and cannot be changed. Remove it instead."
HAS_BEGUN = "That video is being made already. Cancel it to change anything."
STILL_AT_WORK = "That video is still being made. Cancel it first."
NO_SUCH_RESULT = "There is no such video. Reload the page."
NOT_CHECKED = (
    "This studio wants every video checked, but the worker has no safety checker. Start it with "
    "--safety, too."
)
NOT_AS_NAMED = "That file cannot be read: it is broken, or not what its name says."
FILE_IS_GONE = "That file cannot be read: it is not there. Give it again."
WRONG_FILE_NAME = "The name of that file has signs that cannot be shown. Rename it."

TOO_MANY_PIXELS = "That file has too many pixels. Make it smaller or shorter."
TOO_MUCH_UPLOADED = "That was a lot of files within an hour. Please come back later."
TOO_MANY_REQUESTS = "That was too much at once. Please wait a minute."
REQUEST_TOO_LARGE = "That request is too large."
BAD_REQUEST = "That request cannot be read. The page “API” says what can be asked for."
NOTHING_THERE = "There is nothing here. The page “API” says what can be asked for."
NOT_THIS_COMPUTER = (
    "This studio listens to this computer only, under the name localhost. Start it with --public "
    "to let others in, behind a proxy, say."
)
OTHER_SITE = (
    "A page of another site cannot ask this studio for anything. Open the studio's own page."
)
NOT_YOURS = "That video is somebody else's. You can only change your own."
NOT_IN_PUBLIC = "That would touch the videos of all others, so nobody can do it on a public studio."
LOST_JOB = "The studio was restarted and no longer knows that job. Please make the video again."
NO_RECIPE = "There is no recipe of this studio in that file. Give an MP4 or a recipe made here."
RECIPE_WRONG_KIND = (
    "A file called like that has no recipe. Give an MP4, MKV, WebM or JSON file made here."
)
RECIPE_TOO_LARGE = "That file is too large for a recipe. Give the recipe that came with a video."
RECIPE_UNREADABLE = "That file cannot be read as a recipe. Give the JSON that came with a video."
FROM_OWN_VIDEO = (
    "This was not made from a sentence but from a video of your own, which a recipe does not hold. "
    "Give that video again."
)
MADE_IN_PARTS = (
    "This was made in several steps, through video files. Made again at once, it may differ a "
    "little."
)
BATCH_WRONG_KIND = "A list of videos is a CSV or JSONL file. Name it .csv or .jsonl."
BATCH_TOO_LARGE = "That list is larger than 1 MB. Split it."
BATCH_UNREADABLE = "That list cannot be read. Give CSV or JSONL in UTF-8."
ROW_IS_NO_OBJECT = 'This is no JSON object. Write {"prompt": "…"}.'
NOT_A_JOB_ID = "The id of a job is a text, as submit gives it."
NO_FILE_GIVEN = "There is no file. Give one."
NOT_A_SWITCH = "That must be true or false."
NOT_A_SEARCH = "The search is a text of at most 1000 characters."
MCP_IS_MISSING = "--mcp needs the package mcp. Install it: pip install 'mcp>=1.21,<2'."
RESTORED = "The settings are back in the form."
SEARCH_LABEL = "Search"
SEARCH_INFO = "Words of the sentence, in any order."
ONLY_STARRED_LABEL = "Only starred"
ONLY_STARRED_INFO = "Those that you marked."
NOTHING_MADE = "Nothing here yet. Every video that you make will be kept here."
NOTHING_FOUND = "None of your videos is like that. Search for other words."
SHOW_MORE = "Show more"
STARRED = "Starred"
STAR = "☆ Star"
UNSTAR = "★ Starred"
USE_SETTINGS = "Use these settings again"
GO_ON_WITH_IT = "Go on with it"
COMPARE = "Compare with another"
COMPARE_NO_MORE = "End the comparison"
COMPARE_HINT = "Now choose another video below, or another version of this one."
PLAY_OR_PAUSE = "Play or pause both"
PLACE_IN_TIME = "Place in both videos"
EXPORT_HEADING = "Download as"
EXPORT_INFO = "As large as you see it; “true size” as the model made it; a GIF is smaller."
EXPORTS = {
    "large": "MP4",
    "mp4": "MP4, true size",
    "webm": "WebM",
    "gif": "GIF",
    "frames": "PNGs, true size",
    "zip": "Everything",
}
CLOSE = "Close"
DELETE = "Delete"
UNDO = "Undo"
GONE_FOR_GOOD = "It is too late to bring that video back: it was deleted over an hour ago."
PRESET_LABEL = "Preset"
PRESET_INFO = "Settings by name. Type a new name to save yours."
SAVE_PRESET = "Save"
DELETE_PRESET = "Delete"
PRESET_SAVED = "Saved. You find it among the presets."
DROP_LABEL = "Drop a video or its recipe here to get its settings back"
DROP_HINT = "Let go: the settings of this video or recipe come back."
SURPRISE = "Surprise me"
PRESET_NAMES = {
    "fast": "Fast",
    "balanced": "Balanced",
    "quality": "Best quality",
    "exact": "As in the paper",
}
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


def unread_words(words: Sequence[str]) -> str:
    """Say which words at the end of a prompt are beyond what the model reads."""
    listed = " ".join(words[:12]) + (" …" if len(words) > 12 else "")
    return f"The sentence is too long for this model. It will not read its end: “{listed}”."


def queue_is_full(num_queued: int) -> str:
    """Ask to come back later."""
    return f"{num_queued} videos are waiting already. Please try again in a few minutes."


def upload_too_large(num_bytes: int) -> str:
    """Say how large a file may be."""
    return f"That file is too large. Give one of at most {num_bytes // 2**20} MB."


def refused(verdict: str) -> str:
    """What the checker of the studio's owner says of a video."""
    return f"This video was not kept. {clean_text(verdict):.300}"


def wrong_kind(suffixes: Sequence[str]) -> str:
    """Say which files there can be."""
    return f"A file called like that cannot be used here. Give one of {', '.join(suffixes)}."


def too_long(seconds: float, max_seconds: int) -> str:
    """Say how long a video may be."""
    return f"That video has {seconds:.0f} seconds. Give one of at most {max_seconds}."


def wrong_number_of_values(num_values: int, num_inputs: int) -> str:
    """Say how many there have to be."""
    return f"There are {num_values} values. Give {num_inputs}."


def parameter_is_missing(name: str) -> str:
    """Say what is needed."""
    return f"The setting “{name}” is missing. Give one."


def request_failed(number: str) -> str:
    """Own up to a fault of ours, with what is needed to find it in the log."""
    return f"Something went wrong on our side (request {number}; the log has the details)."


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


def beginning(stage: str) -> str:
    """A stage was begun, and has taken no step yet."""
    return f"{WORKING_NAMES[stage]}: the first step…"


def progress(stage: str, step: int, total: int, seconds_left: float | None) -> str:
    """How far a stage is."""
    left = f" · about {duration(seconds_left)} left" if seconds_left else ""
    if step >= total:
        return f"Writing the files…{left}"
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


def version_name(stages: Sequence[StageName]) -> str:
    """What a version of a video is called, by the stages that made it."""
    names = [STAGE_NAMES[stage] for stage in stages if stage != "base"] or [STAGE_NAMES["base"]]
    return " and ".join(names).capitalize()


def first_picture(prompt: str) -> str:
    """What a still picture of a video shows, for those who cannot see it."""
    return f"First picture of: {prompt:.200}"


def facts(version: str, num_frames: int, width: int, height: int) -> str:
    """A video in a few words."""
    return f"{version} · {num_frames} frames · {width}×{height} px"


def deleted(prompt: str) -> str:
    """Say what was thrown away."""
    return f"Deleted: “{prompt:.80}”."


def removed(prompt: str) -> str:
    """Say what will not be made."""
    return f"Removed: “{prompt:.80}”."


def no_such_stage(stage: StageName) -> str:
    """The model cannot do that."""
    return f"This model has no part for {WORKING_NAMES[stage].lower()}. Use one that has."


def stage_makes_no_sense(stage: StageName) -> str:
    """It was done already, or would have had to be done before."""
    return f"{WORKING_NAMES[stage]} makes no sense for this video. Choose an earlier version."


TOO_DEEP = "it goes too deep"
NUMBER_TOO_LARGE = "a number is too large"
NO_STAGES = "it names no stages"
STAGES_OF_NO_VIDEO = "its stages are not those of a video"
SETTINGS_ARE_MISSING = "a stage lacks its settings"


def broken_recipe(part: str) -> str:
    """Say which part of a recipe is not what it has to be."""
    return f"The recipe in that file is broken: {part:.200}. Give one that was not changed."


def other_model(made_with: str) -> str:
    """The frames will be others, the settings are the same."""
    return f"It was made with the model “{made_with}”. This one will make another video of it."


def not_restored(reason: str) -> str:
    """A setting that this model or this page cannot have; the form has the model's own instead."""
    return f"Not restored: {reason:.300}"


def not_on_the_form(stage: StageName, settings: Sequence[str]) -> str:
    """What was set elsewhere and has no control here."""
    listed = ", ".join(setting.replace("_", " ") for setting in settings)
    return f"{WORKING_NAMES[stage]} had settings that this page does not offer: {listed}."


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


def presets_cannot_be_saved(error: OSError) -> str:
    """Tell why the file with the presets cannot be written."""
    return f"Presets cannot be saved: {error.strerror}."


def preset_without_name(max_length: int) -> str:
    """Ask for a name."""
    return f"The preset has no name. Give it one of up to {max_length} characters."


def preset_name_too_long(length: int, max_length: int) -> str:
    """Say how long a name may be."""
    return f"The name has {length} characters. Use at most {max_length}."


def preset_name_taken(name: str) -> str:
    """Ask for another name."""
    return f"“{name}” is there for every model. Choose another name."


def too_many_presets(num_presets: int) -> str:
    """Ask to make room."""
    return f"There are {num_presets} saved presets already. Delete one first."


def bad_row(number: int, reason: str) -> str:
    """What is wrong with one request of a list; the first is row 1."""
    return f"Row {number}: {reason:.300}"


def bad_rows(sentences: Sequence[str]) -> str:
    """Everything wrong with a list of requests."""
    more = f" … and {len(sentences) - 20} more." if len(sentences) > 20 else ""
    return " ".join(("Nothing was queued.", *sentences[:20])) + more


def wrong_number_of_rows(num_rows: int, maximum: int) -> str:
    """A list is empty or too long."""
    return f"That list has {num_rows} videos. Give 1 to {maximum}."


def no_such_field(field: str, fields: Iterable[str]) -> str:
    """A name in a list is none that a request has."""
    return f"There is no setting “{field:.40}”. There are: {', '.join(fields)}."


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


TAB_MODELS = "Models"
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
NO_FIRST_STAGE = "This is a later stage alone: it goes on from videos and cannot make them."
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


def size(num_bytes: int) -> str:
    """A number of bytes as it is said."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.3g} {unit}"
    return f"{num_bytes} bytes"


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


QUEUE_PAUSE = "Finish this one, then stop"
QUEUE_GO_ON = "Go on"
ON_THE_SCREEN = "On the screen"
BEING_MADE = "Being made now"
BEING_CHANGED = "In the form, being changed"
QUEUE_ACTIONS = {
    "show": ("Show", "Show on the screen"),
    "edit": ("Edit", "Edit"),
    "up": ("↑", "Move up"),
    "down": ("↓", "Move down"),
    "remove": ("Remove", "Remove"),
    "cancel": ("Cancel", "Cancel"),
}
"""What a button says, and what it is called."""

SAVE_CHANGES = "Save changes"
KEEP_AS_IT_WAS = "Keep as it was"
CHANGES_SAVED = "Saved. It is made with these settings when its turn comes."


def queue_heading(num_waiting: int) -> str:
    """How long the queue is."""
    return f"Queue · {num_waiting} waiting"


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
