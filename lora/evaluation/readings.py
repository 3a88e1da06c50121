"""What a clip shows, whoever made it: the thing, its way, the place and the look."""

from dataclasses import dataclass

from lavie.evaluation.judge import Judge, judge_clips
from lavie.evaluation.likeness import Likeness, Look, known_things
from lavie.evaluation.motion import read_motion
from lavie.types import Frames
from lora.evaluation.looks import read_look


@dataclass(frozen=True)
class Reading:
    """What is said of a clip.

    Args:
        nearest: The thing of all that there are in this project, the world's and newcomers, whose
            picture comes nearest.
        likeness: The same by comparison with strangers too, if it is near enough; and the place.
        motion: By the way of the thing that was asked for, followed wherever its picture comes
            nearest, also in clips that look more like another. None if it fits none.
        judge_motion: By the bundled judge, a network that knows the world's own subjects.
        look: One of `LOOKS`.
    """

    nearest: str
    likeness: Likeness
    motion: str | None
    judge_motion: str | None
    look: str


def read_clip(judge: Judge, frames: Frames, thing: str, look: Look | None = None) -> Reading:
    """Say what a clip shows.

    Args:
        judge: In eval mode.
        frames: uint8 ``(F, H, W, 3)``, F at least 2.
        thing: That was asked for: a key of ``SUBJECTS`` or ``NEWCOMERS``.
        look: That the clip should have; None: as the world is.
    """
    likeness = known_things(look=look).recognise(frames)
    own = known_things(0, look)
    nearest = own.recognise(frames).nearest
    motion, _ = read_motion(own.follow(frames, thing))
    (verdict,) = judge_clips(judge, [frames])
    return Reading(nearest, likeness, motion, verdict.motion, read_look(frames))
