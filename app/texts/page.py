"""The head of the page, its tabs, and what concerns all of it."""

NAME = "LaVie Studio"
TAGLINE = "Write a sentence, watch it become a video."
TAB_TEXT_TO_VIDEO = "Text to video"
TAB_HISTORY = "Your videos"
MODEL_LOADS = "The model is still being loaded. You can ask for a video already."
MODEL_IS_LOADING = "Getting the model ready…"
DROP_HINT = "Let go: the settings of this video or recipe come back."
TAB_MODELS = "Models"


def model_summary(
    name: str, width: float | None, height: float | None, num_frames: float | None
) -> str:
    """The model in a few words, for the head of the page."""
    return f"Model {name} · {width:g}×{height:g} px · {num_frames:g} frames"
