"""When a video's frames appear, and the even pace they are read at."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lavie.errors import InputError
from lavie.media.opening import whole_packets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_HOURS = 10
MAX_READ_FPS = 240
"""Faster videos are read at this rate."""

MAX_REPEATS = 8
"""A video of uneven pace has at most this many times its frames when read."""

_USUAL_RATES = tuple(Fraction(rate) for rate in (10, 12, 15, 24, 25, 30, 50, 60, 120))


class Timing(NamedTuple):
    """How a video is read.

    Args:
        origin: Second of the file's own clock from which the frames are counted.
        rate: Frames per second, always the same.
        num_frames: Frames at that rate.
    """

    origin: float
    rate: Fraction
    num_frames: int


def read_timing(container: "InputContainer", stream: "VideoStream", name: str) -> Timing:
    """Look at when frames appear, without decoding any.

    Args:
        container: At its beginning.
        stream: The video.
        name: Of the file, for errors.

    Raises:
        InputError: There are no frames, or `MAX_HOURS` of them.
    """
    base = float(stream.time_base or 1)
    shown, sent = _packet_times(container, stream)
    declared = [rate for rate in (stream.guessed_rate, stream.average_rate) if rate]
    if not shown and not sent:
        raise InputError(f"{name} has no readable frames in it.", "file")
    times, durations = np.array(sorted(shown or sent), dtype=np.int64).T
    seconds = (times - times[0]) * base
    if seconds[-1] > MAX_HOURS * 3600:
        raise InputError(
            f"{name} is {seconds[-1] / 3600:.1f} hours long. Use at most {MAX_HOURS}.", "file"
        )
    pace = choose_pace(seconds, float(durations[-1]) * base, declared)
    return pace._replace(origin=pace.origin + float(times[0]) * base)


def choose_pace(seconds: np.ndarray, last_duration: float, declared: Sequence[Fraction]) -> Timing:
    """Choose the rate at which a video is read, and how many frames that gives.

    An even pace is kept: each frame is read once if none is further than half a frame from it. An
    uneven one is read at the pace that is most usual in it, so the motion there stays whole and
    what stands still longer is repeated.

    Args:
        seconds: When each frame appears, ascending from 0, at least one.
        last_duration: Seconds that the last one stays; 0: unknown.
        declared: Frames per second as the file says, the most trusted first.

    Returns:
        At most `MAX_READ_FPS` frames per second, at least one frame.
    """
    if len(seconds) == 1 or seconds[-1] == 0:
        rate = next((rate for rate in declared if rate <= MAX_READ_FPS), Fraction(1))
        return Timing(0.0, rate, 1)
    intervals = np.diff(seconds)
    usual = float(np.median(intervals[intervals > 0]))
    seconds = seconds[np.append(True, intervals > usual / 5)]  # VP8 has packets nobody sees
    count, end = len(seconds), float(seconds[-1]) + (last_duration or usual)
    measured = Fraction((count - 1) / float(seconds[-1])).limit_denominator(1001)
    is_held = last_duration > 2 * usual  # the last frame, as in many a GIF
    for rate in () if is_held else (*declared, *_USUAL_RATES, measured):
        late = seconds * float(rate) - np.arange(count)
        if 0 < rate <= MAX_READ_FPS and np.ptp(late) < (0.99 if rate in declared else 0.9):
            return Timing(float(late.max() + late.min()) / 2 / float(rate), rate, count)
    fastest = min(1 / usual, MAX_READ_FPS, MAX_REPEATS * count / end)
    named = min((*declared, *_USUAL_RATES), key=lambda rate: abs(rate - fastest))
    is_near = abs(float(named) / fastest - 1) < 0.04  # time stamps may be whole milliseconds
    rate = named if is_near else max(Fraction(fastest).limit_denominator(1001), Fraction(1, 1001))
    return Timing(0.0, rate, max(1, round(end * float(rate))))


def _packet_times(
    container: "InputContainer", stream: "VideoStream"
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Time stamp and duration of every frame, as it is shown and, for formats without, as sent."""
    shown, sent = [], []
    for packet in whole_packets(container, stream):
        if packet.is_discard or not packet.size:
            continue
        if packet.pts is not None:
            shown.append((packet.pts, packet.duration or 0))
        if packet.dts is not None:
            sent.append((packet.dts, packet.duration or 0))
    return shown, sent
