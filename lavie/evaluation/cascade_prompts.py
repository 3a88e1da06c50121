"""Is what was asked for still there after the later stages?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lavie.data.world import HEIGHT
from lavie.evaluation.baselines import shrink_frames
from lavie.evaluation.judge import Judge, judge_clips
from lavie.evaluation.measured import for_each
from lavie.evaluation.prompt_accuracy import JudgedClip, generate_and_judge
from lavie.evaluation.questions import Question
from lavie.pipelines.between import FACTOR
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.stages import stage_generator
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import CancelToken, Frames, OnEvent, StageName

JudgedStages = dict[StageName, JudgedClip]
"""One video as the judge saw it after every stage."""


def judge_every_stage(
    base: TextToVideoPipeline,
    interpolation: InterpolationPipeline,
    super_resolution: SuperResolutionPipeline,
    judge: Judge,
    questions: Sequence[Question],
    num_inference_steps: int | None = None,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> list[JudgedStages]:
    """Run the whole cascade for every question and judge what each stage made.

    The judge sees the frames that the base stage's stand for, at the base stage's size: every
    fourth of the smoothed video, averaged over squares of 4x4 pixels where it was enlarged.

    Args:
        base: The three stages of a model of the world; likewise the next two.
        interpolation: As above.
        super_resolution: As above.
        judge: In eval mode.
        questions: What to ask, with motions.
        num_inference_steps: Of the later stages; None: the models' own.
        on_event: Told after every video.
        cancel: Looked at before every denoising step.

    Raises:
        InputError: The model makes pictures of another size.
        Cancelled: ``cancel`` was set.
    """

    def run(index: int, question: Question) -> JudgedStages:
        settings = {
            "prompt": question.caption,
            "num_inference_steps": num_inference_steps,
            "cancel": cancel,
        }
        small: list[Frames] = []

        def shrink(part: Frames) -> None:
            small.append(shrink_frames(part, part.shape[1] // HEIGHT))

        (first,) = generate_and_judge(base, judge, [question], cancel=cancel)
        generator = stage_generator("interpolation", question.seed)
        output: Any = interpolation(first.frames, generator=generator, **settings)
        smooth: Frames = output.frames[0]
        generator = stage_generator("super_resolution", question.seed)
        super_resolution(smooth, generator=generator, on_frames=shrink, **settings)
        videos = [smooth[::FACTOR], np.concatenate(small)[::FACTOR]]
        judged = map(JudgedClip, [question] * 2, videos, judge_clips(judge, videos))
        return {"base": first, "interpolation": next(judged), "super_resolution": next(judged)}

    return for_each(questions, run, "prompts", on_event)
