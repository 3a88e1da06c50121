"""How the judge is taught, and how good it is."""

import math
import time
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lavie.data.world import HEIGHT, MOTIONS, PLACES, SUBJECTS, render_clip
from lavie.evaluation.judge import ANSWERS, Judge, judge_clips, to_images
from lavie.evaluation.rates import Rate
from lavie.evaluation.spoiling import (
    SPOILINGS,
    Scene,
    draw_scene,
    pick_word,
    random_scene,
    spoil_path,
)
from lavie.types import CancelToken, OnEvent, Progress

NUM_STEPS = 1100
BATCH_SIZE = 96
_SPOILED_SHARE = 0.55
_ANYTHING = -100  # the label that no answer is wrong for
_LEARNING_RATE = 4e-3


def train_judge(
    num_steps: int = NUM_STEPS,
    seed: int = 0,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Judge:
    """Teach a judge from nothing.

    Args:
        num_steps: Batches, at least 1; the default takes about five minutes on one core.
        seed: Decides weights and scenes.
        on_event: Told after every step.
        cancel: Looked at once per step.

    Returns:
        The judge, in eval mode.

    Raises:
        Cancelled: ``cancel`` was set.
    """
    rng = np.random.default_rng([seed, 0])
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge().train()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=_LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, num_steps)
    started = time.perf_counter()
    for step in range(1, num_steps + 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        frames, labels, poses = _draw_batch(rng)
        loss = _loss(judge, _weather(to_images(frames), generator), labels, poses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if on_event is not None:
            seconds_left = (time.perf_counter() - started) / step * (num_steps - step)
            on_event(Progress("judge", step, num_steps, seconds_left))
    return judge.eval()


def assess_judge(judge: Judge, num_clips: int = 120, seed: int = 1) -> dict[str, dict[str, float]]:
    """How good a judge is.

    Args:
        judge: In eval mode.
        num_clips: Clips of each kind.
        seed: Decides the spoiled clips; the real ones are the test split's first.

    Returns:
        ``real``: share of held-out test clips read right, by attribute, and accepted as one whole
        subject. ``spoiled``: share of spoiled clips that are rejected, by kind.
    """
    clips = [render_clip(i, "test") for i in range(num_clips)]
    verdicts = judge_clips(judge, [clip.frames for clip in clips])
    pairs = list(zip(clips, verdicts, strict=True))
    real = {
        name: _share(getattr(verdict, name) == clip.attributes[name] for clip, verdict in pairs)
        for name in ("subject", "place", "motion", "style")
    }
    real["one_whole_subject"] = _share(verdict.is_one_whole for verdict in verdicts)
    return {"real": real, "spoiled": _assess_spoiled(judge, num_clips, seed)}


def _assess_spoiled(judge: Judge, num_clips: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, 1])
    rejected = {}
    for spoiling in SPOILINGS:
        clips = [
            spoil_path(
                pick_word(rng, SUBJECTS),
                pick_word(rng, PLACES),
                pick_word(rng, MOTIONS),
                spoiling,
                rng,
            )
            for _ in range(num_clips)
        ]
        rejected[spoiling] = _share(not v.is_one_whole for v in judge_clips(judge, clips))
    return rejected


def _draw_batch(rng: np.random.Generator) -> tuple[np.ndarray, Tensor, Tensor]:
    """Frames, labels ``(N, 4)`` for subject, place, style and state, and poses ``(N, 3)``."""
    frames, labels, poses = [], [], []
    for _ in range(BATCH_SIZE):
        is_spoiled = rng.random() < _SPOILED_SHARE
        scene = random_scene(rng, pick_word(rng, SPOILINGS) if is_spoiled else None)
        frames.append(draw_scene(scene, int(rng.integers(-1, 2)), rng.uniform(-8, 8)))
        labels.append(_labels(scene))
        pose = scene.pose
        poses.append((pose.x, pose.y, pose.height) if pose else (math.nan,) * 3)
    return np.stack(frames), torch.tensor(labels), torch.tensor(poses)


def _labels(scene: Scene) -> list[int]:
    right = (scene.subject, scene.place, scene.style, scene.state)
    pairs = zip(ANSWERS.values(), right, strict=True)
    return [_ANYTHING if word is None else words.index(word) for words, word in pairs]


def _weather(images: Tensor, generator: torch.Generator) -> Tensor:
    """What a good autoencoder may do to a frame: soften it a little, tint it, add grain."""

    def amount(*shape: int) -> Tensor:
        return torch.rand(len(images), *shape, generator=generator)

    soft = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    images = torch.lerp(images, soft, 0.6 * amount(1, 1, 1) ** 2)
    tint = functional.interpolate(amount(3, 4, 6) - 0.5, images.shape[-2:], mode="bilinear")
    grain = torch.randn(images.shape, generator=generator)
    gain = 1 + 0.12 * (amount(1, 1, 1) - 0.5)
    return gain * images + 0.12 * amount(1, 1, 1) * tint + 0.05 * amount(1, 1, 1) * grain


def _loss(judge: nn.Module, images: Tensor, labels: Tensor, poses: Tensor) -> Tensor:
    readings = judge(images)
    answers = (readings.subject, readings.place, readings.style, readings.state)
    loss = torch.stack(
        [
            functional.cross_entropy(logits, labels[:, i], ignore_index=_ANYTHING)
            for i, logits in enumerate(answers)
        ]
    ).sum()
    is_known = ~poses[:, 0].isnan()
    error = (readings.pose - poses)[is_known] / HEIGHT
    return loss + 20 * functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.1)


def _share(outcomes: Iterable[bool]) -> float:
    return Rate.of(outcomes).share
