"""A model before and after it has learnt something, on the same prompts from the same noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lavie.evaluation.judge import Judge
from lavie.evaluation.kept_films import KeptFilms
from lavie.evaluation.likeness import Look
from lavie.evaluation.measured import for_each
from lavie.evaluation.measures import psnr
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import Frames, OnEvent
from lora.evaluation.lessons import TOKEN, Learnt, Lesson
from lora.evaluation.looks import NEW_LOOKS
from lora.evaluation.prompts import Asked
from lora.evaluation.readings import Reading, read_clip
from lora.formats import read_lora
from lora.inject import attach, detach


@dataclass(frozen=True)
class Video:
    """A clip and what it shows.

    Args:
        asked: The scene.
        prompt: As the model was asked.
        frames: uint8 ``(F, H, W, 3)``.
        reading: What it shows.
    """

    asked: Asked
    prompt: str
    frames: Frames
    reading: Reading

    def is_right(self, attribute: str) -> bool:
        """Whether it shows what was asked for.

        Args:
            attribute: ``subject``, ``place``, ``motion`` or ``judge_motion``.
        """
        likeness = self.reading.likeness
        if attribute == "subject":
            return self.reading.nearest == self.asked.subject
        if attribute == "place":
            return likeness.place == self.asked.place
        return getattr(self.reading, attribute) == self.asked.motion


@dataclass(frozen=True)
class MeasuredLesson:
    """What a model makes of what it has learnt.

    Args:
        lesson: What it was to learn.
        seconds: Of training; None if unknown.
        videos: With the trigger word, the LoRA on.
        untaught: The first prompt without the LoRA.
        unchanged: Without the trigger word, the LoRA on.
        psnrs: How near each of these is to the same without the LoRA, in dB.
    """

    lesson: Lesson
    seconds: float | None
    videos: Sequence[Video]
    untaught: Frames
    unchanged: Sequence[Video]
    psnrs: Sequence[float]

    def is_recognised(self, video: Video) -> bool:
        """Whether a video shows what was learnt."""
        reading = video.reading
        said = reading.look if self.lesson.kind == "style" else reading.nearest
        return said == self.lesson.name


@dataclass(frozen=True)
class Measuring:
    """How things are measured.

    Args:
        pipeline: The model, nothing on it.
        judge: In eval mode.
        kept: Where videos lie.
        asked: All scenes.
        num_unchanged: How many of them, the first, are asked for without the trigger word too.
        batch_size: Videos made together; it changes none of them.
        on_event: Told of progress.
    """

    pipeline: TextToVideoPipeline
    judge: Judge
    kept: KeptFilms
    asked: Sequence[Asked]
    num_unchanged: int
    batch_size: int = 4
    on_event: OnEvent | None = None

    def measure_base(self) -> list[Video]:
        """What the model makes of ordinary subjects."""
        prompts = [asked.ordinary for asked in self.asked]
        return self._read("base", prompts, self._film("base", prompts))

    def measure_lesson(
        self, lesson: Lesson, learnt: Learnt, base: Sequence[Video], variant: str
    ) -> MeasuredLesson:
        """What it makes of what it has learnt, and what has become of the rest.

        Args:
            lesson: What was to be learnt.
            learnt: What came of it.
            base: Of `measure_base`.
            variant: How it was learnt: part of the names of kept videos.
        """
        name = f"{variant}-{lesson.name}"
        is_style = lesson.kind == "style"
        prompts = [a.in_style(TOKEN) if is_style else a.of_thing(TOKEN) for a in self.asked]
        ordinary = [asked.ordinary for asked in self.asked[: self.num_unchanged]]
        untaught = self._film(f"untaught-{lesson.kind}", prompts[:1])[0]
        unet, text_encoder = self.pipeline.unet, self.pipeline.text_encoder
        lora = read_lora(learnt.file, unet, text_encoder, allow_temporal=True)
        attach(self.pipeline, lora, "learnt")
        try:
            taught = self._film(name, prompts)
            unchanged = self._film(f"{name}-unchanged", ordinary)
        finally:
            detach(self.pipeline)
        thing, look = (None, NEW_LOOKS[lesson.name]) if is_style else (lesson.name, None)
        return MeasuredLesson(
            lesson,
            learnt.seconds,
            self._read(name, prompts, taught, thing, look),
            untaught,
            self._read(name, ordinary, unchanged),
            [psnr(new, old.frames) for new, old in zip(unchanged, base, strict=False)],
        )

    def _film(self, name: str, prompts: Sequence[str]) -> np.ndarray:
        """Videos ``(N, F, H, W, 3)`` of the first scenes, made now if they are not there."""

        def make(index: int, start: int) -> np.ndarray:
            batch = prompts[start : start + self.batch_size]
            scenes = self.asked[start : start + len(batch)]
            output: Any = self.pipeline(
                list(batch),
                generator=[torch.Generator().manual_seed(asked.seed) for asked in scenes],
            )
            return np.asarray(output.frames)

        def make_all() -> dict[str, np.ndarray]:
            starts = range(0, len(prompts), self.batch_size)
            return {"frames": np.concatenate(for_each(starts, make, name, self.on_event))}

        return self.kept.get(name, make_all)["frames"]

    def _read(
        self,
        name: str,
        prompts: Sequence[str],
        videos: np.ndarray,
        thing: str | None = None,
        look: Look | None = None,
    ) -> list[Video]:
        """Say what videos show; without a thing, each is asked for its scene's own subject."""

        def read(index: int, prompt: str) -> Video:
            frames, asked = videos[index], self.asked[index]
            reading = read_clip(self.judge, frames, thing or asked.subject, look)
            return Video(asked, prompt, frames, reading)

        return for_each(prompts, read, f"{name}: reading", self.on_event)
