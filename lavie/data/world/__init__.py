"""The procedural captioned world that the miniature is trained on."""

from lavie.data.world.clips import FPS, NUM_FRAMES, Clip, render_clip, render_still
from lavie.data.world.continuations import Line, render_continuation, render_story
from lavie.data.world.drawing import HEIGHT, WIDTH
from lavie.data.world.sheet import contact_sheet, world_sheet
from lavie.data.world.strangers import (
    NEWCOMERS,
    STRANGERS,
    name_of_stranger,
    render_stranger,
)
from lavie.data.world.vocabulary import (
    MOTIONS,
    MOVING_SUBJECTS,
    PLACES,
    SPLITS,
    STILL_ONLY_SUBJECTS,
    STILL_OPENINGS,
    STYLES,
    SUBJECTS,
    Split,
    caption_words,
    compose_caption,
    split_of,
    triples,
)

__all__ = [
    "FPS",
    "HEIGHT",
    "MOTIONS",
    "MOVING_SUBJECTS",
    "NEWCOMERS",
    "NUM_FRAMES",
    "PLACES",
    "SPLITS",
    "STILL_ONLY_SUBJECTS",
    "STILL_OPENINGS",
    "STRANGERS",
    "STYLES",
    "SUBJECTS",
    "WIDTH",
    "Clip",
    "Line",
    "Split",
    "caption_words",
    "compose_caption",
    "contact_sheet",
    "name_of_stranger",
    "render_clip",
    "render_continuation",
    "render_still",
    "render_story",
    "render_stranger",
    "split_of",
    "triples",
    "world_sheet",
]
