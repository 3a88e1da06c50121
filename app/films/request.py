"""A film that somebody asks for. Every value has been checked; see `app.films.check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from app.loras.use import LoraUse
from app.result import DataFile, Effort, Result
from lavie.pipelines.limits import MAX_PROMPT_LENGTH
from lavie.pipelines.story import Part, StoryLine, plan_parts
from lavie.types import CASCADE_STAGES, StageName

_NEXT = CASCADE_STAGES[1:]


@dataclass(frozen=True)
class GivenFile:
    """A picture or a video that was given.

    Args:
        file: In the data folder.
        kind: What it is.
        name: What its owner called it.
    """

    file: DataFile
    kind: Literal["picture", "video"]
    name: str


@dataclass(frozen=True)
class Windows:
    """How a model makes films.

    Args:
        fps: Frames per second.
        num_frames: F, frames of one call of the network.
        height: Pixels.
        width: Pixels.
    """

    fps: float
    num_frames: int
    height: int
    width: int


@dataclass(frozen=True)
class KeptParts:
    """The beginning of another film that is kept.

    Args:
        num_parts: How many.
        latents: Of the last of them; all its other files lie beside it.
    """

    num_parts: int
    latents: DataFile


@dataclass(frozen=True)
class FilmRequest:
    """A long video of a story.

    Args:
        story: Its lines.
        negative_prompt: What to stay away from.
        seed: Every part draws its own from it.
        num_given: K, how many of the last frames a part is given of the one before.
        num_inference_steps: Denoising steps of a part.
        guidance_scale: How closely to follow the prompts.
        smooth: Whether to smooth it afterwards.
        upscale: Whether to upscale it afterwards.
        smoothing_steps: Denoising steps of the smoothing.
        upscaling_steps: Denoising steps of the upscaling.
        windows: How the model makes it.
        start: What it begins with.
        end: A picture that it ends with.
        num_before: Frames of a video that it goes on from, in the film's own pace.
        num_at_first: How many frames of what it begins with the first part is given.
        kept: What is there already of an earlier film.
        loras: What it is made with.
        model: Which one makes it, as its card calls it; None: an earlier version of the studio did
            not note it.
    """

    story: tuple[StoryLine, ...]
    negative_prompt: str
    seed: int
    num_given: int
    num_inference_steps: int
    guidance_scale: float
    smooth: bool
    upscale: bool
    smoothing_steps: int
    upscaling_steps: int
    windows: Windows
    start: GivenFile | None = None
    end: GivenFile | None = None
    num_before: int = 0
    num_at_first: int = 0
    kept: KeptParts | None = None
    loras: tuple[LoraUse, ...] = ()
    model: str | None = None
    kind: Literal["film"] = "film"

    @property
    def given(self) -> tuple[Result, ...]:
        """No stage has run before it."""
        return ()

    @property
    def prompt(self) -> str:
        """What it shows, one line after the other."""
        prompts = dict.fromkeys(line.prompt for line in self.story)
        return " | ".join(prompts)[:MAX_PROMPT_LENGTH]

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that it takes, in their order."""
        chosen = zip(_NEXT, (self.smooth, self.upscale), strict=True)
        return ("long_video", *(stage for stage, is_on in chosen if is_on))

    @property
    def num_steps(self) -> dict[StageName, int]:
        """The denoising steps of each stage."""
        return {
            "long_video": self.num_inference_steps,
            "interpolation": self.smoothing_steps,
            "super_resolution": self.upscaling_steps,
        }

    @cached_property
    def parts(self) -> Sequence[Part]:
        """What each call of the network is to add."""
        return plan_parts(
            self.story,
            self.seed,
            self.windows.fps,
            self.windows.num_frames,
            self.num_given,
            self.num_at_first,
            ends_as_given=self.end is not None,
            num_shown=int(self.begins_with_picture),
        )

    @property
    def begins_with_picture(self) -> bool:
        """Whether it begins with a picture, which is then its first frame."""
        return self.start is not None and self.start.kind == "picture"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width of the whole film."""
        num_new = sum(part.num_new for part in self.parts)
        num_frames = self.num_before + self.begins_with_picture + num_new
        return num_frames, self.windows.height, self.windows.width

    @property
    def effort(self) -> Effort:
        """What is asked of the network, in either way to a film: part by part, or at once."""
        num_kept = 0 if self.kept is None else self.kept.num_parts
        return self.effort_of(len(self.parts) - num_kept)

    def effort_of(self, num_parts: int) -> Effort:
        """What is asked of the network for so many parts: each is a whole call of it."""
        num_frames = num_parts * self.windows.num_frames
        size = self.windows.height, self.windows.width
        return Effort("long_video", self.num_inference_steps, num_frames, *size)
