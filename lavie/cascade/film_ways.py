"""The two ways to a film: window after window, or all at once with windows inside the network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, cast

from torch import Tensor

from lavie.cascade.film_start import FilmStart
from lavie.cascade.loading import Stages
from lavie.errors import InputError
from lavie.media import frames_to_pixels, pixels_to_frames
from lavie.models.latents import decode_latents, encode_pixels
from lavie.pipelines import limits
from lavie.pipelines.long_video import LongVideoPipeline, Segment
from lavie.pipelines.stages import stage_generator
from lavie.pipelines.story import Part, StoryLine, plan_parts
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.types import Frames, StageName

WayName = Literal["recursion", "free_noise"]

_CHANGING_FRAMES = 4
"""In so many frames one line's prompt becomes the next one's where a film is made at once."""


class Recursion:
    """Window after window, each given the last latents of the one before.

    Args:
        stages: Of the model, ``long_video`` among them.
        asked: Height, width, steps, guidance scale (of the windows that go on; a first one gets its
            own in proportion) and sampler; None, or what is their own: the model's own, of each.

    Source: LaVie (arXiv:2309.15103), section 5.6.
    """

    name: WayName = "recursion"
    stage: StageName = "long_video"
    way_out = "Ask for a smaller size"

    def __init__(self, stages: Stages, asked: Mapping[str, Any]) -> None:
        self._stages = stages
        self._pipeline = cast(LongVideoPipeline, stages.get("long_video"))
        self._base = cast(TextToVideoPipeline, stages.get("base"))
        self.fps = cast(float, self._pipeline.config["default_fps"])
        self.settings = self._pipeline.check_settings(**asked)
        self._opening_settings = self._base.check_settings(**self._asked_of_opening())

    def _asked_of_opening(self) -> dict[str, Any]:
        """What the base model makes a first window with: its own where the windows have theirs.

        So the settings of the windows tell all that a film is made with. A window that sees what
        came before needs less guidance than one that has its prompt alone, so another scale is
        in proportion: as far from the base model's own as the windows' is from theirs.
        """
        size = ("height", "width", "num_frames")
        asked, own = asdict(self.settings), asdict(self._pipeline.check_settings())
        for_opening = {
            name: asked[name] for name in asked if name in size or asked[name] != own[name]
        }
        base = self._base.config["default_guidance_scale"]
        if "guidance_scale" in for_opening and own["guidance_scale"]:
            scale = asked["guidance_scale"] * base / own["guidance_scale"]
            for_opening["guidance_scale"] = min(scale, limits.MAX_GUIDANCE_SCALE)
        return for_opening

    def plan(
        self,
        story: Sequence[StoryLine],
        seed: int,
        start: FilmStart,
        end: Frames | None,
        num_given: int | None,
    ) -> tuple[Part, ...]:
        """Share the story out over windows.

        Raises:
            InputError: A window has no room for so many given frames.
        """
        self._start, self._end = start, end
        num_free = self.settings.num_frames - (end is not None)
        self.num_given = self._pipeline.check_num_given(num_given, num_free)
        there = start.count_last(self.num_given)
        self.parts = plan_parts(
            story,
            seed,
            self.fps,
            self.settings.num_frames,
            self.num_given,
            there,
            ends_as_given=end is not None,
            num_shown=int(start.begins_with == "picture"),
        )
        return self.parts

    def num_steps(self, first: int) -> int:
        """Steps of the parts from ``first`` on."""
        begins_alone = self._end is None or len(self.parts) > 1
        begins = first == 0 and self._start.begins_with == "text" and begins_alone
        opening = self._opening_settings.num_inference_steps if begins else 0
        num_windows = len(self.parts) - first - begins
        return opening + num_windows * self.settings.num_inference_steps

    def segments(
        self, first: int, latents: Tensor | None, options: dict[str, Any], at_work: dict[str, str]
    ) -> Iterator[Segment]:
        """What each part from ``first`` on adds; see `LongVideoPipeline.segments`."""

        def open_film(part: Part) -> Tensor:
            with self._stages.at_work("base", **at_work):
                output: Any = self._base(
                    part.prompt,
                    generator=stage_generator("base", part.seed),
                    output_type="latent",
                    **asdict(self._opening_settings),
                    **options,
                )
            self._stages.begin(self.stage)  # whose VAE decodes it
            return output.frames

        made: Iterator[Segment] | None = None
        while True:
            with self._stages.at_work(self.stage, **at_work):  # again for every window
                if made is None:
                    given = self._encode(self._start.last_frames(self.num_given))
                    made = self._pipeline.segments(
                        self.parts[first:],
                        self.settings,
                        num_given=self.num_given,
                        first_latents=given if latents is None else latents,
                        last_latents=None if self._end is None else self._encode(self._end[None]),
                        shows_first=self._start.begins_with == "picture" and not first,
                        opening=open_film,
                        make_generator=lambda seed: stage_generator(self.stage, seed),
                        **options,
                    )
                segment = next(made, None)
            if segment is None:
                return
            yield segment

    def _encode(self, frames: Frames | None) -> Tensor | None:
        if frames is None:
            return None
        vae = self._pipeline.vae
        return encode_pixels(vae, frames_to_pixels(frames[None]).to(vae.device))


class AtOnce:
    """All of a film in one walk of the base network, whose attention sees it in windows.

    Needs no network for given frames, but cannot go on from any, and memory grows with the film.

    Args:
        stages: Of the model.
        asked: As in `Recursion`.

    Source: FreeNoise (arXiv:2310.15169).
    """

    name: WayName = "free_noise"
    stage: StageName = "base"
    way_out = "Ask for a smaller size or a shorter story"

    def __init__(self, stages: Stages, asked: Mapping[str, Any]) -> None:
        self._stages, self._asked = stages, asked
        self._base = cast(TextToVideoPipeline, stages.get("base"))
        self.fps = cast(float, self._base.config["default_fps"])
        self.settings = self._base.check_settings(**asked)
        self.num_given = 0

    def plan(
        self,
        story: Sequence[StoryLine],
        seed: int,
        start: FilmStart,
        end: Frames | None,
        num_given: int | None,
    ) -> tuple[Part, ...]:
        """Share the story out over parts of one window's length.

        Raises:
            InputError: It is to go on from something, is too long to be made at once, or a later
                line has a seed of its own.
        """
        limits.check_one_seed([line.seed for line in story])
        if start.begins_with != "text" or end is not None or num_given is not None:
            raise InputError(
                f"Model '{self._stages.model}' has no network that goes on from given frames. "
                "Begin with text, or name one with --long-video.",
                "num_given" if num_given is not None else "start",
            )
        self.parts = plan_parts(story, seed, self.fps, self.settings.num_frames, 0, 0)
        num_frames = sum(part.num_new for part in self.parts)
        self.settings = self._base.check_settings(**{**self._asked, "num_frames": num_frames})
        return self.parts

    def num_steps(self, first: int) -> int:
        """Steps of the one walk."""
        return self.settings.num_inference_steps

    def segments(
        self, first: int, latents: Tensor | None, options: dict[str, Any], at_work: dict[str, str]
    ) -> Iterator[Segment]:
        """What each part adds, all of them once the walk is over.

        Raises:
            InputError: Only a part of the film is asked for.
        """
        if first:
            raise InputError("This model makes a film at once. Make all of it again.", "first")
        with (
            self._stages.at_work(self.stage, **at_work),
            self._base.free_noise(context_length=None),
        ):
            output: Any = self._base(
                self._prompt_over_time(),  # type: ignore[arg-type]
                generator=stage_generator("base", self.parts[0].seed),
                output_type="latent",
                **asdict(self.settings),
                **options,
            )
        start = 0
        for part in self.parts:
            window = output.frames[:, :, start : start + part.num_new]
            with self._stages.at_work(self.stage, **at_work):
                pixels = decode_latents(self._base.vae, window, cancel=options.get("cancel"))
            start += part.num_new
            yield Segment(part, pixels_to_frames(pixels)[0], window[:, :, -1:].clone())

    def _prompt_over_time(self) -> dict[int, str]:
        """Every line's text by its first frame, held until shortly before the next one's."""
        texts: dict[int, str] = {}
        start, line = 0, -1
        for part in self.parts:
            if part.line != line:
                if texts and start - _CHANGING_FRAMES > max(texts):
                    texts[start - _CHANGING_FRAMES] = texts[max(texts)]
                texts[start], line = part.prompt, part.line
            start += part.num_new
        return texts


def choose_way(stages: Stages, asked: Mapping[str, Any]) -> Recursion | AtOnce:
    """What a model can do: go on from given frames, else everything at once."""
    return (Recursion if "long_video" in stages.names else AtOnce)(stages, asked)
