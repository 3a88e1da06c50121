"""Stills of what the world has no word for, which an auto-encoder should show nevertheless."""

import numpy as np

from lavie.data.world.clips import Clip, make_generator
from lavie.data.world.drawing import HEIGHT, WIDTH, draw_emoji, paste, place_background
from lavie.data.world.vocabulary import PLACES, SUBJECTS, Split

NEWCOMERS: dict[str, str] = {
    "octopus": "🐙",
    "ghost": "👻",
    "rocket": "🚀",
    "penguin": "🐧",
    "lion": "🦁",
    "balloon": "🎈",
    "duck": "🦆",
    "robot": "🤖",
}
"""Kept from all training: what a personal LoRA is tried on."""

_RANGES = (  # animals, plants and food, things, faces, vehicles, more animals
    (0x1F400, 0x1F43D),
    (0x1F331, 0x1F37F),
    (0x1F380, 0x1F393),
    (0x1F3A0, 0x1F3C0),
    (0x1F600, 0x1F640),
    (0x1F680, 0x1F6A4),
    (0x1F950, 0x1F96B),
    (0x1F980, 0x1F9AE),
)
_KNOWN = {subject.emoji for subject in SUBJECTS.values()} | set(NEWCOMERS.values())
STRANGERS: tuple[str, ...] = tuple(
    chr(code)
    for first, last in _RANGES
    for code in range(first, last + 1)
    if chr(code) not in _KNOWN
)


def render_stranger(seed: int, split: Split = "train", scale: int = 1) -> Clip:
    """One to three things without a name, in changed colours, in a place or before any ground.

    Args:
        seed: Any integer of at least 0.
        split: Only makes the seeds differ.
        scale: As for `render_still`.

    Raises:
        InputError: An argument is out of range.
        MissingDependencyError: The emoji font is not installed.
    """
    rng = make_generator(seed, split, kind=4)
    if rng.random() < 0.5:
        place = list(PLACES)[rng.integers(len(PLACES))]
        canvas = place_background(place, scale, int(rng.integers(-1, 2))) + rng.uniform(-5, 5)
    else:
        canvas = _ground(scale, rng)
    focus = np.zeros((1, HEIGHT * scale, WIDTH * scale), np.float32)
    for _ in range(rng.integers(1, 4)):
        emoji = STRANGERS[rng.integers(len(STRANGERS))]
        image = draw_emoji(emoji, round(float(rng.uniform(12, 34)) * scale))
        image = np.concatenate([_recolour(image[..., :3], rng), image[..., 3:]], axis=-1)
        left = round(float(rng.uniform(0, WIDTH)) * scale - image.shape[1] / 2)
        top = round(float(rng.uniform(0, HEIGHT)) * scale - image.shape[0] / 2)
        paste(canvas, image, left, top)
        paste(focus[0][..., None], np.concatenate([image[..., 3:]] * 2, axis=-1), left, top)
    frames = np.clip(canvas[None] + 0.5, 0, 255).astype(np.uint8)
    return Clip(frames, "something", {}, focus)


def _ground(scale: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth ground between four corners of any colour, float32 ``(H, W, 3)``."""
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    down = np.linspace(0, 1, HEIGHT * scale, dtype=np.float32)[:, None, None]
    across = np.linspace(0, 1, WIDTH * scale, dtype=np.float32)[None, :, None]
    left, right = ((1 - down) * corners[0, i] + down * corners[1, i] for i in range(2))
    return (1 - across) * left + across * right


def _recolour(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Red, green and blue in another order in half of all cases, each a little changed."""
    if rng.random() < 0.5:
        colours = colours[..., rng.permutation(3)]
    return colours * rng.uniform(0.7, 1.2, 3).astype(np.float32)
