"""The judge: a small network that says what a frame of the world shows, and whether it is whole."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from lavie.data.world import HEIGHT, PLACES, STYLES, SUBJECTS, WIDTH
from lavie.errors import CheckpointError, InputError
from lavie.evaluation.motion import read_motion
from lavie.evaluation.spoiling import STATES, UNCLEAR
from lavie.media import frames_to_pixels
from lavie.pipelines.model_folder import MINIATURE_FOLDER
from lavie.types import Frames

JUDGE_FOLDER = MINIATURE_FOLDER / "judge"
ANSWERS: dict[str, tuple[str, ...]] = {
    "subjects": (*SUBJECTS, UNCLEAR),
    "places": tuple(PLACES),
    "styles": tuple(STYLES),
    "states": STATES,
}
"""What it can say to each question, in the order of its outputs."""

_WHOLE_SHARE = 15 / 16


class Readings(NamedTuple):
    """What the network says of N frames.

    Args:
        subject: Logits ``(N, subjects + 1)``, the last one for "unclear".
        place: Logits ``(N, places)``.
        style: Logits ``(N, styles)``.
        state: Logits ``(N, states)``.
        pose: ``(N, 3)``: centre x, centre y and height, in pixels.
    """

    subject: Tensor
    place: Tensor
    style: Tensor
    state: Tensor
    pose: Tensor


@dataclass(frozen=True)
class Verdict:
    """What a clip shows, in words of the world.

    Args:
        subject: None if no subject can be told.
        place: Where it is.
        style: How the picture looks.
        motion: None if its path fits no motion, or if it is a single frame.
        states: What each frame shows, of `STATES`.
        is_one_whole: Exactly one subject, whole and the same, in 15 of 16 frames or more.
        path: ``(F, 3)``: centre x, centre y and height in pixels.
        path_error: Pixels between the path and the nearest motion's; None for a single frame.
    """

    subject: str | None
    place: str
    style: str
    motion: str | None
    states: tuple[str, ...]
    is_one_whole: bool
    path: np.ndarray
    path_error: float | None


class Judge(ModelMixin, ConfigMixin):
    """Reads single frames; what moves is decided from the path of its readings.

    Args:
        width: Channels of its first layers, at least 8.
        subjects: Words it can answer, in the order of its outputs; likewise the others.
        places: As above.
        styles: As above.
        states: As above.
    """

    @register_to_config
    def __init__(
        self,
        width: int = 32,
        subjects: tuple[str, ...] = ANSWERS["subjects"],
        places: tuple[str, ...] = ANSWERS["places"],
        styles: tuple[str, ...] = ANSWERS["styles"],
        states: tuple[str, ...] = ANSWERS["states"],
    ) -> None:
        super().__init__()
        deep = 2 * width
        self.features = nn.Sequential(
            nn.PixelUnshuffle(2),
            _convolution(12, width),
            _convolution(width, width),
            _convolution(width, deep, stride=2),
            _convolution(deep, deep),
            _convolution(deep, deep),
        )
        self.attention = nn.Conv2d(deep, 1, 1)
        self.hidden = nn.Sequential(nn.Linear(3 * deep, 2 * deep), nn.ReLU())
        self.answers = nn.ModuleList(
            nn.Linear(2 * deep, len(words)) for words in (subjects, places, styles, states)
        )
        self.pose = nn.Linear(2 * deep, 3)

    def forward(self, images: Tensor) -> Readings:
        """Read frames ``(N, 3, H, W)`` with values in [-1, 1]."""
        features = self.features(images)
        attention = self.attention(features).flatten(1).softmax(-1)  # (N, h*w), where it looks
        rows, columns = _grid(features)
        center = torch.stack([attention @ columns, attention @ rows], dim=-1)  # (N, 2), x and y
        flat = features.flatten(2)
        pooled = [(flat * attention[:, None]).sum(-1), flat.mean(-1), flat.amax(-1)]
        hidden = self.hidden(torch.cat(pooled, dim=-1))
        pose = HEIGHT * self.pose(hidden) + functional.pad(center, (0, 1))
        subject, place, style, state = (answer(hidden) for answer in self.answers)
        return Readings(subject, place, style, state, pose)

    @classmethod
    def from_folder(cls, folder: str | Path = JUDGE_FOLDER) -> Self:
        """Load a trained judge.

        Args:
            folder: What `save_pretrained` wrote; default: the bundled one.

        Raises:
            CheckpointError: It is missing, broken, or was trained on another world.
        """
        way_out = "Make one with: python -m lavie evaluate train-judge --output FOLDER"
        if not Path(folder).is_dir():
            raise CheckpointError(f"There is no judge at '{folder}'. {way_out}")
        try:
            judge = cls.from_pretrained(folder, torch_dtype=torch.float32)
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"'{folder}' holds no judge that fits. {way_out}") from error
        if {name: tuple(judge.config[name]) for name in ANSWERS} != ANSWERS:
            raise CheckpointError(f"The judge '{folder}' knows another world. {way_out}")
        return judge.eval()


def judge_clips(judge: Judge, clips: list[Frames] | np.ndarray) -> list[Verdict]:
    """Say what clips show.

    Args:
        judge: A trained judge, in eval mode.
        clips: Each uint8 ``(F, H, W, 3)``; F may be 1.

    Raises:
        InputError: A clip is not of the world's size.
    """
    return [_judge_clip(judge, frames) for frames in clips]


@torch.no_grad()
def _judge_clip(judge: Judge, frames: Frames) -> Verdict:
    if frames.ndim != 4 or frames.shape[1:] != (HEIGHT, WIDTH, 3) or not len(frames):
        raise InputError(
            f"The judge reads {WIDTH}x{HEIGHT} pixels, but got an array {frames.shape}. "
            "It knows only the miniature's world.",
            "model",
        )
    readings = judge(to_images(frames).to(judge.device))
    subject, place, style = (
        int(logits.softmax(-1).mean(0).argmax())
        for logits in (readings.subject, readings.place, readings.style)
    )
    states = tuple(STATES[i] for i in readings.state.argmax(-1).tolist())
    is_same = (readings.subject.argmax(-1) == subject).tolist()
    whole = [state == "whole" and same for state, same in zip(states, is_same, strict=True)]
    path = readings.pose.cpu().numpy()
    motion, path_error = read_motion(path) if len(frames) > 1 else (None, None)
    name = ANSWERS["subjects"][subject]
    return Verdict(
        subject=None if name == UNCLEAR else name,
        place=ANSWERS["places"][place],
        style=ANSWERS["styles"][style],
        motion=motion,
        states=states,
        is_one_whole=name != UNCLEAR and sum(whole) >= _WHOLE_SHARE * len(frames),
        path=path,
        path_error=path_error,
    )


def read_accuracy(folder: Path = JUDGE_FOLDER) -> dict[str, dict[str, float]] | None:
    """How good a judge was when it was made; None if its folder does not say."""
    path = folder / "accuracy.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def to_images(frames: Frames) -> Tensor:
    """Frames uint8 ``(N, H, W, 3)`` as the judge reads them, ``(N, 3, H, W)`` in [-1, 1]."""
    return rearrange(frames_to_pixels(frames[None]), "1 C N H W -> N C H W")


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _grid(features: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each cell's centre, in pixels, ``(h*w,)`` each."""
    h, w = features.shape[-2:]
    rows = (torch.arange(h, device=features.device) + 0.5) * (HEIGHT / h)
    columns = (torch.arange(w, device=features.device) + 0.5) * (WIDTH / w)
    return rows.repeat_interleave(w), columns.repeat(h)
