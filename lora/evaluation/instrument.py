"""Is the instrument right? It has to name true clips, and must not name spoiled ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from lavie.data.world import MOTIONS, PLACES, render_thing
from lavie.data.world.drawing import sprite
from lavie.evaluation.judge import Judge, to_images
from lavie.evaluation.measured import for_each
from lavie.evaluation.rates import Rate
from lavie.evaluation.rows import Row, rate_rows, with_target
from lavie.evaluation.spoiling import SPOILINGS, spoil_path
from lavie.media import pixels_to_frames
from lavie.types import Frames, OnEvent
from lora.evaluation.readings import Reading, read_clip

LEAST_RIGHT = 0.97
TITLES = {
    "true": "true clips",
    "encoded": "true clips, through the auto-encoder",
    **{kind: f"spoiled: {kind}" for kind in SPOILINGS},
}


@dataclass(frozen=True)
class KnownClip:
    """A clip of which it is known what it shows.

    Args:
        name: Of its thing.
        place: Where it is.
        motion: What it does.
        frames: uint8 ``(F, H, W, 3)``.
        reading: What is said of it.
    """

    name: str
    place: str
    motion: str
    frames: Frames
    reading: Reading


def measure_known_clips(
    judge: Judge,
    encode: Callable[[Frames], Frames] | None,
    num_clips: int,
    names: Sequence[str],
    seed: int = 0,
    kinds: Sequence[str] = tuple(TITLES),
    on_event: OnEvent | None = None,
) -> dict[str, list[KnownClip]]:
    """Read clips of things of the world, true and spoiled.

    Args:
        judge: In eval mode.
        encode: What an auto-encoder makes of a clip; None leaves these out.
        num_clips: Of each thing and kind.
        names: Of subjects and newcomers.
        seed: Decides places, motions and spoilings.
        kinds: Keys of `TITLES`.
        on_event: Told after every clip.
    """
    names = [name for name in names for _ in range(num_clips)]
    scenes = [(place, motion) for place in PLACES for motion in MOTIONS]

    def measure_all(kind: str) -> list[KnownClip]:
        rng = np.random.default_rng([seed, list(TITLES).index(kind)])
        order = np.concatenate([rng.permutation(len(scenes)) for _ in range(len(names))])

        def measure(index: int, name: str) -> KnownClip:
            place, motion = scenes[int(order[index])]
            if kind in SPOILINGS:
                frames = spoil_path(name, place, motion, kind, rng)
            else:
                number = seed * 1_000_003 + index
                frames = render_thing(number, partial(sprite, name), place, motion)
            if kind == "encoded" and encode is not None:
                frames = encode(frames)
            reading = read_clip(judge, frames, name)
            return KnownClip(name, place, motion, frames, reading)

        return for_each(names, measure, kind, on_event)

    return {kind: measure_all(kind) for kind in kinds if kind != "encoded" or encode is not None}


def through_autoencoder(vae: nn.Module) -> Callable[[Frames], Frames]:
    """What an auto-encoder leaves of clips.

    Args:
        vae: Diffusers' ``AutoencoderKL``.
    """
    coder: Any = vae

    @torch.no_grad()
    def encode(frames: Frames) -> Frames:
        images = to_images(frames).to(coder.device, coder.dtype)
        decoded = coder.decode(coder.encode(images).latent_dist.mode()).sample
        return pixels_to_frames(decoded.float().cpu().permute(1, 0, 2, 3)[None])[0]

    return encode


def instrument_rows(clips: Mapping[str, Sequence[KnownClip]]) -> dict[str, list[Row]]:
    """How often a thing is the nearest, and named rightly, wrongly or not at all, by kind of clip.

    Args:
        clips: Of `measure_known_clips`.
    """
    rows: dict[str, list[Row]] = {}
    for kind, of_kind in clips.items():
        said = [clip.reading.likeness.name for clip in of_kind]
        is_true = kind not in SPOILINGS
        nearest = rate_rows("nearest", [clip.reading.nearest == clip.name for clip in of_kind])
        rows[kind] = (
            [with_target(row, least=LEAST_RIGHT) for row in nearest] if is_true else nearest
        )
        rows[kind] += rate_rows(
            "clearly so, among strangers too",
            [c.name == n for c, n in zip(of_kind, said, strict=True)],
        )
        wrong = [n not in (None, c.name) for c, n in zip(of_kind, said, strict=True)]
        rows[kind] += rate_rows("named as another thing", wrong)
        rows[kind] += rate_rows("unclear", [name is None for name in said])
        if is_true:
            rows[kind] += _other_rows(of_kind)
            rows[kind] += _worst(of_kind)
    return rows


def _other_rows(clips: Sequence[KnownClip]) -> list[Row]:
    motions = [clip.reading.motion == clip.motion for clip in clips]
    by_judge = [clip.reading.judge_motion == clip.motion for clip in clips]
    places = [clip.reading.likeness.place == clip.place for clip in clips]
    looks = [clip.reading.look == "colour" for clip in clips]
    return [
        *rate_rows("motion", motions),
        *rate_rows("motion, by the bundled judge", by_judge),
        *rate_rows("place", places),
        *rate_rows("look", looks),
    ]


def _worst(clips: Sequence[KnownClip]) -> list[Row]:
    """The thing that is the nearest least often."""
    names = dict.fromkeys(clip.name for clip in clips)
    rates = {
        name: Rate.of(c.reading.nearest == name for c in clips if c.name == name) for name in names
    }
    name = min(rates, key=lambda name: rates[name].share)
    rate = rates[name]
    return [Row(f"the worst: {name}", rate.share, rate.total, *rate.interval)]
