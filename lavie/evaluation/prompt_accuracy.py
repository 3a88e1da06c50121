"""Does a model show what it is asked for? Captions of the world in, judged clips out."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from lavie.data.world import HEIGHT, WIDTH
from lavie.errors import InputError
from lavie.evaluation.judge import Judge, Verdict, judge_clips
from lavie.evaluation.questions import Question
from lavie.pipelines.text_to_video import TextToVideoOutput, TextToVideoPipeline
from lavie.types import CancelToken, Frames, OnEvent, Progress


@dataclass(frozen=True)
class JudgedClip:
    """A question, what the model made of it, and what the judge saw."""

    question: Question
    frames: Frames
    verdict: Verdict

    def is_right(self, measure: str) -> bool:
        """Whether the clip is as asked.

        Args:
            measure: An attribute of the question; ``one_whole_subject``: exactly one subject,
                whole, in 15 of 16 frames; ``moving_subject``: subject and motion; ``everything``:
                all of these.
        """
        if measure == "one_whole_subject":
            return self.verdict.is_one_whole
        if measure == "moving_subject":
            return self.is_right("subject") and self.is_right("motion")
        if measure == "everything":
            return self.verdict.is_one_whole and all(map(self.is_right, self.question.attributes))
        return getattr(self.verdict, measure) == self.question.attributes[measure]


def generate_and_judge(
    pipeline: TextToVideoPipeline,
    judge: Judge,
    questions: Sequence[Question],
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    batch_size: int = 4,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> list[JudgedClip]:
    """Make a clip for every question, one frame where no motion is asked for, and judge it.

    Args:
        pipeline: A model of the world, 64x40 pixels.
        judge: In eval mode.
        questions: What to ask, stills apart from clips within a batch.
        num_inference_steps: None: the model's own; likewise ``guidance_scale``.
        guidance_scale: 0 to 50.
        batch_size: Clips made together; it changes no clip.
        on_event: Told after every batch.
        cancel: Looked at before every denoising step.

    Raises:
        InputError: The model makes pictures of another size, or a setting is out of range.
        Cancelled: ``cancel`` was set.
    """
    check_model_size(pipeline.config.default_height, pipeline.config.default_width)
    judged: list[JudgedClip] = []
    started = time.perf_counter()
    for batch in _batches(questions, batch_size):
        generators = [torch.Generator().manual_seed(question.seed) for question in batch]
        output = pipeline(
            [question.caption for question in batch],
            num_frames=None if "motion" in batch[0].attributes else 1,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            generator=generators,
            cancel=cancel,
        )
        videos = np.asarray(cast(TextToVideoOutput, output).frames)
        verdicts = judge_clips(judge, videos)
        judged += map(JudgedClip, batch, videos, verdicts)
        if on_event is not None:
            left = (time.perf_counter() - started) / len(judged) * (len(questions) - len(judged))
            on_event(Progress("evaluation", len(judged), len(questions), left))
    return judged


def check_model_size(height: int, width: int) -> None:
    """Raise unless a model's pictures are such as the judge reads.

    Raises:
        InputError: They are of another size.
    """
    if (height, width) != (HEIGHT, WIDTH):
        raise InputError(
            f"The model makes {width}x{height} pixels; the judge reads {WIDTH}x{HEIGHT}. "
            "Evaluate a miniature.",
            "model",
        )


def _batches(questions: Sequence[Question], size: int) -> Iterable[list[Question]]:
    """Neighbours in groups of at most ``size``, never clips and stills together."""
    batch: list[Question] = []
    for question in questions:
        changes = batch and ("motion" in question.attributes) != ("motion" in batch[0].attributes)
        if changes or len(batch) == size:
            yield batch
            batch = []
        batch.append(question)
    if batch:
        yield batch
