"""Long videos of the base network without training, measured as films are."""

from collections.abc import Sequence
from typing import Any

import torch

from lavie.data.world import NUM_FRAMES
from lavie.evaluation.judge import Judge
from lavie.evaluation.kept_films import KeptFilms
from lavie.evaluation.long_films import FilmedStory, MeasuredStory, measure_film
from lavie.evaluation.measured import for_each
from lavie.evaluation.stories import FilmStory
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import Frames, OnEvent

NUM_WINDOWS = 4
"""Lengths of one call without FreeNoise: 64 frames."""


def measure_free_noise(
    pipeline: TextToVideoPipeline,
    judge: Judge,
    stories: Sequence[FilmStory],
    num_inference_steps: int | None,
    guidance_scale: float | None,
    kept: KeptFilms,
    on_event: OnEvent | None = None,
) -> list[MeasuredStory]:
    """Make a long video of each first line, unless that was done before, and measure it.

    Its borders are where one length of the network ends and the next begins: the noise repeats
    there.

    Args:
        pipeline: The base model; FreeNoise is switched on for as long as this takes.
        judge: In eval mode.
        stories: What to film.
        num_inference_steps: None: the model's own; likewise ``guidance_scale``.
        guidance_scale: 0 to 50.
        kept: Where films lie.
        on_event: Told after every story.
    """
    lengths = (NUM_FRAMES,) * NUM_WINDOWS

    def film(story: FilmStory) -> Frames:
        with pipeline.free_noise():
            output: Any = pipeline(
                story.prompts[0],
                num_frames=sum(lengths),
                num_inference_steps=num_inference_steps,
                guidance_scale=guidance_scale,
                generator=torch.Generator().manual_seed(story.seed),
            )
        return output.frames[0]

    def measure(index: int, story: FilmStory) -> MeasuredStory:
        made = kept.get(f"free_noise-{index:04d}", lambda: {"frames": film(story)})
        return measure_film(judge, FilmedStory(story, made["frames"], lengths))

    return for_each(stories, measure, "free_noise", on_event)
