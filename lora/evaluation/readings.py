"""What a clip shows, whoever made it: the thing, its way, the place and the look."""

from dataclasses import dataclass

from lavie.evaluation.judge import Judge, judge_clips
from lavie.evaluation.likeness import Gallery, Likeness
from lavie.evaluation.motion import read_motion
from lavie.types import Frames
from lora.evaluation.looks import read_look


@dataclass(frozen=True)
class Reading:
    """What is said of a clip.

    Args:
        likeness: The thing, by comparison with all that are known, and the place.
        motion: By the way of the thing; where none is clear, by the judge. None if it fits none.
        judge_motion: By the bundled judge, a network that knows the world's own subjects.
        look: One of `LOOKS`.
    """

    likeness: Likeness
    motion: str | None
    judge_motion: str | None
    look: str


def read_clip(gallery: Gallery, judge: Judge, frames: Frames) -> Reading:
    """Say what a clip shows.

    Args:
        gallery: All known things, in the look that the clip should have.
        judge: In eval mode.
        frames: uint8 ``(F, H, W, 3)``, F at least 2.
    """
    likeness = gallery.recognise(frames)
    (verdict,) = judge_clips(judge, [frames])
    motion = verdict.motion
    if likeness.name is not None:
        motion, _ = read_motion(gallery.follow(frames, likeness.name))
    return Reading(likeness, motion, verdict.motion, read_look(frames))
