"""What several parts of the page say."""

from collections.abc import Sequence

from lavie.types import StageName

VIDEO_LABEL = "Video"
STAGE_NAMES: dict[StageName, str] = {
    "base": "First version",
    "long_video": "Film",
    "interpolation": "Smooth",
    "super_resolution": "Upscaled",
}
FILE_NAMES: dict[StageName, str] = {
    "base": "base",
    "long_video": "film",
    "interpolation": "smooth",
    "super_resolution": "upscaled",
}
WORKING_NAMES: dict[str, str] = {
    "base": "Making the video",
    "long_video": "Making the film",
    "interpolation": "Smoothing",
    "super_resolution": "Upscaling",
    "lora": "Training",
    "prepare": "Getting ready to train",
}
SHOWN_LABEL = "Show"
SHOWN_INFO = "Every version is kept."
USED_SEED_LABEL = "Seed of this video"
USED_SEED_INFO = "Use it again to make the same video, or to change only one thing."
GO_ON = "Go on where it stopped"
TRY_AGAIN = "Try again"
CANCELLING = "Stopping…"
CLOSE = "Close"
DELETE = "Delete"
UNDO = "Undo"


def duration(seconds: float) -> str:
    """A time as it is said, not as it is measured."""
    return f"{max(round(seconds), 1)} s" if seconds < 99.5 else f"{round(seconds / 60)} min"


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


def size(num_bytes: int) -> str:
    """A number of bytes as it is said."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.3g} {unit}"
    return f"{num_bytes} bytes"
