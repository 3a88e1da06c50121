"""Films: longer than one window of the network, line by line of a story."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from lavie.cascade.enhancing import Enhancer
from lavie.cascade.film_start import FilmStart, check_picture
from lavie.cascade.film_ways import choose_way
from lavie.cascade.generation import Generation
from lavie.cascade.running import report_steps
from lavie.data.transforms import fit_frame
from lavie.errors import InputError
from lavie.pipelines import limits
from lavie.pipelines.long_video import Segment
from lavie.pipelines.story import StoryLike, read_story, story_json
from lavie.types import CancelToken, Frames, FrameSequence, OnEvent, SchedulerName


class Film:
    """A story that is ready to be filmed: everything checked, nothing made yet.

    Args:
        cascade: The model.
        story: Its lines; see `read_story`.
        start: What the film begins with: a picture, uint8 ``(H, W, 3)``; a video to go on from, as
            a `Generation` or frames uint8 ``(F, H, W, 3)``, in memory or in a file; None: nothing,
            then the base stage makes the first window. Of any size: what is largest in the middle
            is cut out.
        end: A picture that the film ends with.
        fps: Of frames to go on from; None: what the file says, else the model's own.
        seed: Whole number in ``[0, 2**63)``; every part draws its own from it.
        negative_prompt: What to stay away from.
        num_inference_steps: 1 to 1000; None: the model's own. Likewise the others.
        guidance_scale: 0 to 50.
        scheduler: Sampler by name.
        height: Pixels.
        width: Pixels.
        num_given: K, how many of the last frames a window is given.
        on_event: Hears of every step and of previews.
        cancel: Looked at once per step. What is done stays.

    Attributes:
        way: ``recursion``, window after window, or ``free_noise``, all at once, where the model has
            no network that goes on from given frames.
        parts: What each window is to add.
        fps: Frames per second.
        size: Height and width in pixels.
        begins_with: Text, a picture or a video.
        recipe: Everything needed to make the film again.

    Raises:
        InputError: An argument breaks its rule, or the model cannot go on from frames.
    """

    def __init__(
        self,
        cascade: Enhancer,
        story: StoryLike,
        start: Generation | FrameSequence | None = None,
        end: Frames | None = None,
        *,
        fps: float | None = None,
        seed: int = 0,
        negative_prompt: str = "",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        height: int | None = None,
        width: int | None = None,
        num_given: int | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self.story = read_story(story)
        seed = limits.check_seed(seed)
        limits.check_prompt(negative_prompt, "negative_prompt")
        self._cascade, self._negative_prompt = cascade, negative_prompt
        self._on_event, self._cancel = on_event, cancel
        asked = {
            "height": height,
            "width": width,
            "num_inference_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
            "scheduler": scheduler,
        }
        self._way = choose_way(cascade.loaded, asked)
        settings = self._way.settings
        self.way, self.fps = self._way.name, self._way.fps
        self.size = settings.height, settings.width
        self._start = FilmStart(start, fps, self.fps, self.size)
        self.begins_with = self._start.begins_with
        end = None if end is None else fit_frame(check_picture(end, "end"), *self.size, 0.5, 0.5)
        self.parts = self._way.plan(self.story, seed, self._start, end, num_given)
        self.recipe = self._make_recipe(seed, ends_with=None if end is None else "picture")

    def beginning(self) -> Iterator[Frames]:
        """What the film goes on from, in its size and pace: one frame ``(H, W, 3)`` after another.

        Nothing where it begins with text, or with a picture, which its first segment shows.
        """
        return self._start.beginning()

    def segments(self, first: int = 0, latents: Tensor | None = None) -> Iterator[Segment]:
        """Make the film, part by part.

        Args:
            first: The part to begin with; those before it are there already.
            latents: Of the segment before it, ``(1, C, k, h, w)``; None for the first part.

        Yields:
            What each part adds, as soon as it is done.

        Raises:
            InputError: There is no such part, or the latents are not those before it.
            MemoryBudgetError: A window does not fit the device's memory.
            Cancelled: The token was set.
        """
        limits.check_whole_number(first, "first", 0, len(self.parts) - 1)
        if first and latents is None:
            raise InputError("To go on with a later part, give the latents before it.", "latents")
        if not first and latents is not None:
            raise InputError(
                "There is nothing before the first part. Leave latents out.", "latents"
            )
        num_steps = self._way.num_steps(first)
        options: dict[str, Any] = {
            "negative_prompt": self._negative_prompt,
            "callback_on_step_end": self._on_event
            and report_steps("long_video", self._on_event, num_steps),
            "callback_on_step_end_tensor_inputs": ("predicted_clean_latents",),
            "cancel": self._cancel,
        }
        height, width = self.size
        at_work = {
            "too_large": f"{self._way.settings.num_frames} frames of {width}x{height} do not fit",
            "way_out": self._way.way_out,
        }
        return self._way.segments(first, latents, options, at_work)

    def make(self) -> Generation:
        """Make the whole film, with what it goes on from before it.

        Raises:
            MemoryBudgetError: A window does not fit the device's memory.
            Cancelled: The token was set.
        """
        started = time.perf_counter()
        frames = [frame[None] for frame in self.beginning()]
        frames += [segment.frames for segment in self.segments()]
        seconds = {"long_video": time.perf_counter() - started}
        seed = self.recipe["seed"]
        return Generation(np.concatenate(frames), self.fps, seed, self.recipe, seconds)

    def _make_recipe(self, seed: int, ends_with: str | None) -> dict[str, Any]:
        prompts = list(dict.fromkeys(line.prompt for line in self.story))
        prompt = " | ".join(prompts)[: limits.MAX_PROMPT_LENGTH]
        settings = asdict(self._way.settings) | {
            "way": self.way,
            "num_given": self._way.num_given,
            "begins_with": self.begins_with,
            "ends_with": ends_with,
        }
        return self._cascade.make_recipe(prompt, seed, self.fps) | {
            "negative_prompt": self._negative_prompt,
            "story": story_json(self.story),
            "stages": ["long_video"],
            "settings": {"long_video": settings},
            "model_hashes": {"long_video": self._cascade.loaded.hashes[self._way.stage]},
        }
