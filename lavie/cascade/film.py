"""Films: longer than one window of the network, line by line of a story."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from torch import Tensor

from lavie.cascade.generation import Generation
from lavie.cascade.running import report_steps
from lavie.data.transforms import fit_frame
from lavie.errors import InputError
from lavie.media import frames_to_pixels
from lavie.models.latents import encode_pixels
from lavie.pipelines import limits
from lavie.pipelines.given_video import check_video
from lavie.pipelines.long_video import LongVideoPipeline, Segment
from lavie.pipelines.stages import stage_generator
from lavie.pipelines.story import Part, StoryLike, plan_parts, read_story, story_json
from lavie.pipelines.video_pipeline import default_to
from lavie.types import CancelToken, Frames, FrameSequence, OnEvent, SchedulerName

if TYPE_CHECKING:
    from lavie.cascade.cascade import Cascade

BeginsWith = Literal["text", "picture", "video"]


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
        parts: What each call of the network is to add.
        fps: Frames per second.
        size: Height and width in pixels.
        begins_with: Text, a picture or a video.
        settings: Of the windows.
        recipe: Everything needed to make the film again.

    Raises:
        InputError: An argument breaks its rule, or the model cannot go on from frames.
    """

    def __init__(
        self,
        cascade: "Cascade",
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
        self._cascade, self._on_event, self._cancel = cascade, on_event, cancel
        seed = limits.check_seed(seed)
        limits.check_prompt(negative_prompt, "negative_prompt")
        self._negative_prompt = negative_prompt
        self._stages = cascade.loaded
        self._pipeline = cast(LongVideoPipeline, self._stages.get("long_video"))
        how = (num_inference_steps, guidance_scale, scheduler)
        self.settings = self._pipeline.check_settings(height, width, None, *how)
        size = (self.settings.height, self.settings.width, self.settings.num_frames)
        self._opening_settings = cascade.base.check_settings(*size, *how)
        self._num_given = self._pipeline.check_num_given(num_given, self.settings.num_frames)
        self.size = self.settings.height, self.settings.width
        self.fps = cast(float, self._pipeline.config["default_fps"])
        self.begins_with, self._start, self._pace = _check_start(start, fps, self.fps)
        self._end = None if end is None else _check_picture(end, "end")
        self.parts = plan_parts(
            self.story,
            seed,
            self.fps,
            self.settings.num_frames,
            self._num_given,
            len(self._places()),
            ends_as_given=end is not None,
        )
        self.recipe = self._make_recipe(seed)

    def beginning(self) -> Iterator[Frames]:
        """What the film goes on from, in its size and pace: one frame ``(H, W, 3)`` after another.

        Nothing where it begins with text, or with a picture, which its first segment shows.
        """
        if self._start is None or self.begins_with != "video":
            return
        last = len(self._start) - 1
        count = int(last / self._pace) + 1
        for back in reversed(range(count)):
            yield self._frame(last - round(back * self._pace))

    def segments(self, first: int = 0, latents: Tensor | None = None) -> Iterator[Segment]:
        """Make the film, part by part.

        Args:
            first: The part to begin with; those before it are there already.
            latents: Of the segment before it.

        Yields:
            What each part adds, as soon as it is done.

        Raises:
            InputError: There is no such part, or nothing to go on from.
            MemoryBudgetError: A window does not fit the device's memory.
            Cancelled: The token was set.
        """
        limits.check_whole_number(first, "first", 0, len(self.parts) - 1)
        if first and latents is None:
            raise InputError("To go on with a later part, give the latents before it.", "latents")
        report = self._on_event and report_steps(
            "long_video",
            self._on_event,
            self.settings.num_inference_steps,
            len(self.parts) - first,
        )
        shared: dict[str, Any] = {
            "negative_prompt": self._negative_prompt,
            "callback_on_step_end": report,
            "callback_on_step_end_tensor_inputs": ("predicted_clean_latents",),
            "cancel": self._cancel,
        }
        height, width = self.size
        too_large = f"{self.settings.num_frames} frames of {width}x{height} do not fit"
        at_work = {"too_large": too_large, "way_out": "Ask for a smaller size"}

        def open_film(part: Part) -> Tensor:
            with self._stages.at_work("base", **at_work):
                output: Any = self._cascade.base(
                    part.prompt,
                    generator=stage_generator("base", part.seed),
                    output_type="latent",
                    **asdict(self._opening_settings),
                    **shared,
                )
            return output.frames

        made: Iterator[Segment] | None = None
        while True:
            with self._stages.at_work("long_video", **at_work):
                made = made or self._pipeline.segments(
                    self.parts[first:],
                    self.settings,
                    num_given=self._num_given,
                    first_latents=self._encode_start() if latents is None else latents,
                    last_latents=None if self._end is None else self._encode([self._end]),
                    shows_first=self.begins_with == "picture" and not first,
                    opening=open_film,
                    make_generator=lambda seed: stage_generator("long_video", seed),
                    **shared,
                )
                segment = next(made, None)
            if segment is None:
                return
            yield segment

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

    def _places(self) -> list[int]:
        """Which frames of the start the first window is given, in their order."""
        if self._start is None:
            return []
        last = len(self._start) - 1
        places = [last - round(back * self._pace) for back in range(self._num_given)]
        return [place for place in reversed(places) if place >= 0]

    def _frame(self, place: int) -> Frames:
        frame = np.ascontiguousarray(cast(FrameSequence, self._start)[place : place + 1][0])
        return fit_frame(frame, *self.size, 0.5, 0.5)

    def _encode_start(self) -> Tensor | None:
        frames = [self._frame(place) for place in self._places()]
        return self._encode(frames) if frames else None

    def _encode(self, frames: list[Frames]) -> Tensor:
        fitted = np.stack([fit_frame(frame, *self.size, 0.5, 0.5) for frame in frames])
        vae = self._pipeline.vae
        return encode_pixels(vae, frames_to_pixels(fitted[None]).to(vae.device))

    def _make_recipe(self, seed: int) -> dict[str, Any]:
        prompts = list(dict.fromkeys(line.prompt for line in self.story))
        prompt = " | ".join(prompts)[: limits.MAX_PROMPT_LENGTH]
        settings = asdict(self.settings) | {
            "num_given": self._num_given,
            "begins_with": self.begins_with,
            "ends_with": None if self._end is None else "picture",
        }
        recipe = self._cascade.make_recipe(prompt, seed, self.fps)
        return recipe | {
            "negative_prompt": self._negative_prompt,
            "story": story_json(self.story),
            "stages": ["long_video"],
            "settings": {"long_video": settings},
            "model_hashes": {"long_video": self._stages.hashes["long_video"]},
        }


def _check_start(
    start: Generation | FrameSequence | None, fps: float | None, own_fps: float
) -> tuple[BeginsWith, FrameSequence | None, float]:
    """What a film begins with, its frames, and how many of them one of the film's stands for."""
    if start is None:
        if fps is not None:
            raise InputError("There is no video to go on from. Leave fps out.", "fps")
        return "text", None, 1.0
    if isinstance(start, Generation):
        return "video", start.frames, max(start.fps / own_fps, 1.0)
    if isinstance(start, np.ndarray) and start.ndim == 3:
        return "picture", _check_picture(start, "start")[None], 1.0
    video = cast(FrameSequence, check_video(start))
    speed = default_to(fps, getattr(video, "fps", None))
    speed = limits.check_speed(default_to(speed, own_fps))
    return "video", video, max(speed / own_fps, 1.0)


def _check_picture(picture: Frames, field: str) -> Frames:
    """Give a picture if it is one.

    Raises:
        InputError: It is not.
    """
    shape, dtype = getattr(picture, "shape", ()), getattr(picture, "dtype", None)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
        raise InputError(
            f"A picture of shape {tuple(shape)} and type {dtype} cannot be read. Give uint8 "
            "(H, W, 3).",
            field,
        )
    return picture
