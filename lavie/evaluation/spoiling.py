"""Scenes with one whole subject, and scenes that only look a little like that.

The judge is taught with both: a network that never saw a smudge calls it a panda.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from lavie.data.world import HEIGHT, MOTIONS, NUM_FRAMES, PLACES, STYLES, SUBJECTS, WIDTH
from lavie.data.world.clips import Pose, apply_style, motion_path
from lavie.data.world.drawing import paste, place_background, sprite
from lavie.types import Frames

STATES = ("whole", "absent", "smudged", "several", "cut")
"""What a frame shows: exactly one whole subject; none; one that can't be told or is see-through,
bent or mixed from two; more than one; one that lacks a part."""
UNCLEAR = "unclear"

# A subject at the edge of the picture is whole while most of it can be seen; in between is open.
_WHOLE_FROM, _CUT_UNTIL = 0.8, 0.6
_NOISE_GRID = 4


@dataclass(frozen=True)
class Layer:
    """One sprite of a scene.

    Args:
        image: float32 ``(h, w, 4)``, colours in [0, 255] and opacity in [0, 1].
        pose: Its centre; the height is that of the subject before it was spoiled.
    """

    image: np.ndarray
    pose: Pose


@dataclass(frozen=True)
class Scene:
    """A frame to be drawn, and what the judge should say of it.

    Args:
        subject: A key of `SUBJECTS`, `UNCLEAR`, or None if either answer is fair.
        place: A key of ``PLACES``.
        style: A key of ``STYLES``.
        state: One of `STATES`, or None if it is a matter of taste.
        layers: Sprites from back to front.
        pose: Where the subject is; None if there is no single answer.
    """

    subject: str | None
    place: str
    style: str
    state: str | None
    layers: tuple[Layer, ...]
    pose: Pose | None


def draw_scene(scene: Scene, shift: int = 0, brightness: float = 0.0) -> np.ndarray:
    """Paint a scene.

    Args:
        scene: What to paint.
        shift: Rows that the horizon is moved down.
        brightness: Added to the place, in [-255, 255].

    Returns:
        uint8 ``(H, W, 3)``.
    """
    canvas = place_background(scene.place, 1, shift) + brightness
    for layer in scene.layers:
        paste(canvas, layer.image, *_corner(layer))
    return np.clip(apply_style(canvas, scene.style) + 0.5, 0, 255).astype(np.uint8)


def random_scene(rng: np.random.Generator, spoiling: str | None = None) -> Scene:
    """A scene from anywhere in the world.

    Args:
        rng: Decides everything.
        spoiling: What is wrong with it, a key of `SPOILINGS`; None: nothing.
    """
    subject, place = pick_word(rng, SUBJECTS), pick_word(rng, PLACES)
    style = pick_word(rng, STYLES) if rng.random() < 0.3 else next(iter(STYLES))
    scene = whole_scene(subject, place, style, random_pose(rng))
    return scene if spoiling is None else SPOILINGS[spoiling](scene, rng)


def whole_scene(subject: str, place: str, style: str, pose: Pose) -> Scene:
    """A subject as the world draws it; at the edge of the picture it may count as cut."""
    layer = Layer(sprite(subject, round(pose.height)), pose)
    seen = _visible_share(layer)
    state = "whole" if seen >= _WHOLE_FROM else "cut" if seen < _CUT_UNTIL else None
    return Scene(subject, place, style, state, (layer,), pose)


def random_pose(rng: np.random.Generator) -> Pose:
    """Half of them on the path of a motion, half anywhere and of any size."""
    if rng.random() < 0.5:
        path = motion_path(pick_word(rng, MOTIONS), NUM_FRAMES, rng)
        return path[rng.integers(len(path))]
    height = rng.uniform(17, 23) if rng.random() < 0.5 else rng.uniform(8, 32)
    return Pose(rng.uniform(6, WIDTH - 6), rng.uniform(6, HEIGHT - 6), height)


def spoil_path(
    subject: str,
    place: str,
    motion: str,
    spoiling: str | None,
    rng: np.random.Generator,
    num_frames: int = NUM_FRAMES,
) -> Frames:
    """A clip in which every frame is spoiled in the same way.

    Args:
        subject: A key of `SUBJECTS`.
        place: Where it is.
        motion: What it does.
        spoiling: A key of `SPOILINGS`; None: nothing is wrong.
        rng: Decides the details, which differ from frame to frame.
        num_frames: Frames of the clip.
    """
    style, shift = next(iter(STYLES)), int(rng.integers(-1, 2))
    frames = []
    for pose in motion_path(motion, num_frames, rng):
        scene = whole_scene(subject, place, style, pose)
        if spoiling is not None:
            scene = SPOILINGS[spoiling](scene, rng)
        frames.append(draw_scene(scene, shift))
    return np.stack(frames)


def pick_word(rng: np.random.Generator, words: Iterable[str], but: str | None = None) -> str:
    """One of ``words`` other than ``but``, by chance."""
    choices = [word for word in words if word != but]
    return choices[rng.integers(len(choices))]


def _remove(scene: Scene, rng: np.random.Generator) -> Scene:
    layers = ()
    if rng.random() < 0.5:  # hardly anything is left of it
        image = _fade(scene.layers[0].image, rng.uniform(0, 0.15))
        layers = (replace(scene.layers[0], image=image),)
    return replace(scene, subject=UNCLEAR, state="absent", layers=layers, pose=None)


def _blur(scene: Scene, rng: np.random.Generator) -> Scene:
    return _smudge(scene, _blurred(scene.layers[0].image, rng.uniform(0.09, 0.22)))


def _ghost(scene: Scene, rng: np.random.Generator) -> Scene:
    scene = _smudge(scene, _fade(scene.layers[0].image, rng.uniform(0.25, 0.6)))
    return replace(scene, subject=None)


def _bend(scene: Scene, rng: np.random.Generator) -> Scene:
    image = _blurred(scene.layers[0].image, 0.03)
    height, width = image.shape[:2]
    rows, columns = np.indices((height, width), np.float32)
    reach = rng.uniform(0.3, 0.5) * height
    rows += reach * _smooth_noise(rng, height, width)
    columns += reach * _smooth_noise(rng, height, width)
    rows, columns = rows.round().astype(int), columns.round().astype(int)
    is_inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    bent = image[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    bent[..., 3] *= is_inside
    return _smudge(scene, bent)


def _mix(scene: Scene, rng: np.random.Generator) -> Scene:
    """Half one subject, half another: in two parts, or one through the other."""
    own = scene.layers[0].image
    other = sprite(pick_word(rng, SUBJECTS, but=scene.subject), round(scene.layers[0].pose.height))
    size = [max(pair) for pair in zip(own.shape, other.shape, strict=True)]
    own, other = (_center(image, size[0], size[1]) for image in (own, other))
    weight = np.full(size[:2], rng.uniform(0.35, 0.65), np.float32)
    if rng.random() < 0.5:
        weight = _half_plane(rng, size[0], size[1], rng.uniform(0.4, 0.6))
    weight = weight[..., None]
    opacity = weight * own[..., 3:] + (1 - weight) * other[..., 3:]
    colours = weight * own[..., 3:] * own[..., :3] + (1 - weight) * other[..., 3:] * other[..., :3]
    mixed = np.concatenate([colours / np.maximum(opacity, 1e-6), opacity], axis=-1)
    return _smudge(scene, mixed)


def _multiply(scene: Scene, rng: np.random.Generator) -> Scene:
    """One or two further subjects, whole, see-through or blurred."""
    first = scene.layers[0]
    layers, subject = [first], scene.subject
    for _ in range(1 + int(rng.random() < 0.25)):
        kind = scene.subject if rng.random() < 0.75 else pick_word(rng, SUBJECTS)
        subject = subject if kind == scene.subject else None
        height = first.pose.height * rng.uniform(0.6, 1.15)
        image = sprite(str(kind), round(height))
        fault = rng.random()
        if fault < 0.3:
            image = _fade(image, rng.uniform(0.4, 0.8))
        elif fault < 0.5:
            image = _blurred(image, rng.uniform(0.05, 0.15))
        layers.append(Layer(image, _pose_beside(first.pose, height, rng)))
    order = rng.permutation(len(layers))
    layers = tuple(layers[i] for i in order)
    return replace(scene, subject=subject, state="several", layers=layers, pose=None)


def _cut(scene: Scene, rng: np.random.Generator) -> Scene:
    """Without a side, or with a hole."""
    image = scene.layers[0].image.copy()
    height, width = image.shape[:2]
    if rng.random() < 0.75:
        image[..., 3] *= _half_plane(rng, height, width, rng.uniform(0.3, 0.7))
    else:
        rows, columns = np.indices((height, width)) - np.array(
            [[[rng.uniform(0.3, 0.7) * height]], [[rng.uniform(0.3, 0.7) * width]]]
        )
        reach = rng.uniform(0.28, 0.4)
        image[..., 3] *= (rows / height) ** 2 + (columns / width) ** 2 > reach**2
    layers = (replace(scene.layers[0], image=image),)
    return replace(scene, state="cut", layers=layers, pose=None)


SPOILINGS: dict[str, Callable[[Scene, np.random.Generator], Scene]] = {
    "removed": _remove,
    "blurred": _blur,
    "ghosted": _ghost,
    "bent": _bend,
    "mixed": _mix,
    "multiplied": _multiply,
    "cut": _cut,
}
"""What can be wrong with a scene; each takes a whole one and gives a spoiled one."""


def _smudge(scene: Scene, image: np.ndarray) -> Scene:
    layers = (replace(scene.layers[0], image=image),)
    return replace(scene, subject=UNCLEAR, state="smudged", layers=layers)


def _fade(image: np.ndarray, opacity: float) -> np.ndarray:
    faded = image.copy()
    faded[..., 3] *= opacity
    return faded


def _blurred(image: np.ndarray, strength: float) -> np.ndarray:
    """A Gaussian blur of ``strength`` times the sprite's height, on a ground wide enough for it."""
    radius = strength * len(image)
    margin = int(np.ceil(2.5 * radius))
    height, width = image.shape[0] + 2 * margin, image.shape[1] + 2 * margin
    padded = _center(image, height, width) * np.array([1, 1, 1, 255], np.float32)
    # Premultiplied while blurring, as in `sprite`
    picture = Image.fromarray(padded.round().astype(np.uint8)).convert("RGBa")
    picture = picture.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
    array = np.asarray(picture, np.float32).copy()
    array[..., 3] /= 255
    return array


def _half_plane(rng: np.random.Generator, height: int, width: int, share: float) -> np.ndarray:
    """1 on about ``share`` of a rectangle, 0 behind a straight edge of any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices((height, width), np.float32)
    along = np.cos(angle) * (columns / width - 0.5) + np.sin(angle) * (rows / height - 0.5)
    return (along <= np.quantile(along, share)).astype(np.float32)


def _smooth_noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    grid = rng.uniform(-1, 1, (_NOISE_GRID, _NOISE_GRID)).astype(np.float32)
    picture = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def _center(image: np.ndarray, height: int, width: int) -> np.ndarray:
    canvas = np.zeros((height, width, 4), np.float32)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def _pose_beside(pose: Pose, height: float, rng: np.random.Generator) -> Pose:
    """Somewhere in the picture that is not on top of ``pose``."""
    while True:
        x, y = rng.uniform(6, WIDTH - 6), rng.uniform(6, HEIGHT - 6)
        if np.hypot(x - pose.x, y - pose.y) > 0.6 * max(height, pose.height):
            return Pose(x, y, height)


def _corner(layer: Layer) -> tuple[int, int]:
    height, width = layer.image.shape[:2]
    return round(layer.pose.x - width / 2), round(layer.pose.y - height / 2)


def _visible_share(layer: Layer) -> float:
    """How much of a sprite lies inside the picture."""
    canvas = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    opacity = layer.image[..., 3:]
    paste(canvas, np.concatenate([np.ones_like(opacity), opacity], axis=-1), *_corner(layer))
    return float(canvas.sum() / opacity.sum())
