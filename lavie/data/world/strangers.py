"""Stills of what the world has no word for, which a model should be able to show nevertheless.

An auto-encoder that has seen many things can show one more. A network that has learnt to draw many
things, each by a made-up name, learns one more from a few pictures: what a large model brings along
from the web, and what a personal LoRA builds on.
"""

from string import ascii_lowercase

import numpy as np

from lavie.data.world.clips import SUBJECT_HEIGHT, Clip, make_generator
from lavie.data.world.drawing import HEIGHT, WIDTH, draw_emoji, paste, place_background
from lavie.data.world.vocabulary import NEWCOMERS, PLACES, SUBJECTS, Split

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


def name_of_stranger(emoji: str) -> str:
    """Three letters that name one of `STRANGERS`: no word, so a tokenizer spells it."""
    first, second = divmod(STRANGERS.index(emoji), len(ascii_lowercase))
    return f"q{ascii_lowercase[first]}{ascii_lowercase[second]}"


def render_stranger(seed: int, split: Split = "train", scale: int = 1) -> Clip:
    """A single thing in a place with a caption that names it, or several in any colours.

    In half of all cases there are one to three things, turned and in changed colours, in a place or
    before any ground, and the caption is "something".

    Args:
        seed: Any integer of at least 0.
        split: Only makes the seeds differ.
        scale: As for `render_still`.

    Raises:
        InputError: An argument is out of range.
        MissingDependencyError: The emoji font is not installed.
    """
    rng = make_generator(seed, split, kind=4)
    is_named = rng.random() < 0.5
    place = list(PLACES)[rng.integers(len(PLACES))]
    if is_named or rng.random() < 0.5:
        canvas = place_background(place, scale, int(rng.integers(-1, 2))) + rng.uniform(-5, 5)
    else:
        canvas = _ground(scale, rng)
    focus = np.zeros((1, HEIGHT * scale, WIDTH * scale), np.float32)
    caption = "something"
    for _ in range(1 if is_named else rng.integers(1, 4)):
        emoji = STRANGERS[rng.integers(len(STRANGERS))]
        height = float(rng.uniform(12, 34))
        if is_named:
            height = SUBJECT_HEIGHT if rng.random() < 0.6 else height
            caption = f"a {name_of_stranger(emoji)} {PLACES[place][0]}"
        image = draw_emoji(emoji, round(height * scale))
        if not is_named:
            image = np.concatenate([_recolour(image[..., :3], rng), image[..., 3:]], axis=-1)
            image = np.rot90(image, int(rng.integers(4)))[:, :: 1 if rng.random() < 0.5 else -1]
        left = round(float(rng.uniform(0, WIDTH)) * scale - image.shape[1] / 2)
        top = round(float(rng.uniform(0, HEIGHT)) * scale - image.shape[0] / 2)
        paste(canvas, image, left, top)
        paste(focus[0][..., None], np.concatenate([image[..., 3:]] * 2, axis=-1), left, top)
    frames = np.clip(canvas[None] + 0.5, 0, 255).astype(np.uint8)
    return Clip(frames, caption, {}, focus)


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
