"""The tab Your videos."""

from collections.abc import Sequence

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
GONE_FOR_GOOD = "It is too late to bring that video back: it was deleted over an hour ago."


def made_with(loras: Sequence[tuple[str, float]]) -> str:
    """Name the LoRAs that took part in a video, and how strongly they counted."""
    return "with " + ", ".join(f"{name} {weight:.2f}" for name, weight in loras)
