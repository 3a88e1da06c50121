"""The stages of a model in one object, from a sentence to a smooth, large video."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from lavie.cascade.enhancing import Enhancer
from lavie.cascade.film import Film
from lavie.cascade.generation import Generation
from lavie.cascade.running import no_frames, run_base
from lavie.convert.resolve import load_pipeline
from lavie.convert.stages import check_has_stage, find_stages
from lavie.errors import InputError
from lavie.pipelines import limits
from lavie.pipelines.story import StoryLike
from lavie.pipelines.video_pipeline import VideoPipeline, default_to
from lavie.runtime.devices import choose_device, choose_dtype
from lavie.runtime.memory import free_memory
from lavie.runtime.profiles import ProfileName, choose_profile
from lavie.types import (
    CASCADE_STAGES,
    CancelToken,
    Frames,
    FrameSequence,
    OnEvent,
    SchedulerName,
    StageName,
)

_NOT_SETTINGS = {"video", "fps", "on_frames", "on_event", "cancel"}


class Cascade(Enhancer):
    """The stages that a model has, ready to run one after the other.

    Args:
        base: As in `Enhancer`; likewise the others.
        model: The name or folder it was loaded from.
        stages: Those that can be loaded from there.
        low_memory: Whether stages take turns on the device.
        profile: What is done about memory.
        folders: Models that later stages are loaded from instead.
    """

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        low_memory: bool | None = None,
        profile: ProfileName = "auto",
        stages: Mapping[StageName, str | Path] | None = None,
    ) -> Self:
        """Open any model. Its base stage is loaded, the others are on first use.

        Args:
            model: A model folder; ``"miniature"``; a folder in the original's
                ``pretrained_models/`` layout; the hub id of a model folder or of the published
                checkpoints.
            device: None: the GPU if there is one, else the CPU.
            dtype: None: float16 on a GPU, as the published code, else float32.
            low_memory: Whether stages that do not work leave the device to the one that does;
                None: as the profile says, else only where they would not fit beside each other.
            profile: What is done about memory, see `lavie.runtime.profiles`; auto: what the free
                memory is enough for.
            stages: Models that later stages are loaded from instead, such as what their training
                has made or SEINE's for ``long_video``: ``{"interpolation": "my/runs/i/model"}``.

        Raises:
            InputError: There is no such device, profile or later stage.
            CheckpointError: There is no such model, or it is broken or unsafe.
        """
        for stage, folder in (stages or {}).items():
            check_has_stage(folder, stage)
        device = choose_device(device)
        dtype = choose_dtype(device) if dtype is None else dtype
        free = free_memory(device)
        choose_profile(device, free, dtype, profile)  # a wrong name is told before the loading
        base = load_pipeline(model, dtype).to(device)
        num_weights = base.unet.num_parameters()
        chosen = choose_profile(device, free, dtype, profile, num_weights)
        if low_memory is None and chosen.takes_turns and device.type != "cpu":
            low_memory = True
        return cls(base, str(model), find_stages(model), low_memory, chosen, stages)

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages of this model that a sentence goes through, in their order."""
        return tuple(name for name in CASCADE_STAGES if name in self.loaded.names)

    @property
    def goes_on_from_frames(self) -> bool:
        """Whether films go on from their last frames; else they are made at once."""
        return "long_video" in self.loaded.names

    def pipeline(self, stage: StageName) -> VideoPipeline:
        """The pipeline of a stage, on the device, loaded if it was not.

        Raises:
            InputError: The model has no such stage.
            CheckpointError: The stage's folder is broken.
        """
        return self.loaded.begin(stage)

    def generate(
        self,
        prompt: str,
        stages: Sequence[str] | None = ("base",),
        seed: int = 0,
        negative_prompt: str = "",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
        fps: int | None = None,
        interpolation: Mapping[str, Any] | None = None,
        super_resolution: Mapping[str, Any] | None = None,
        during_base: AbstractContextManager[Mapping[str, Any]] | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> Generation:
        """Make a video.

        Args:
            prompt: What to show, 1 to 1,000 characters.
            stages: ``base`` alone, or with ``interpolation``, ``super_resolution`` or both, which
                then run in this order. None: the base stage alone.
            seed: Whole number in ``[0, 2**63)``; the same seed gives the same video.
            negative_prompt: What to stay away from, for the base stage.
            num_inference_steps: Steps of the base stage; None: the model's own. Likewise the
                other settings, which `TextToVideoPipeline` explains.
            guidance_scale: 0 to 50.
            scheduler: Sampler by name.
            height: Pixels.
            width: Pixels.
            num_frames: Frames of the base stage.
            fps: 1 to 120; the speed at which the video of the base stage plays, not what is in it.
            interpolation: Settings of that stage, as `interpolate` takes them.
            super_resolution: Settings of that stage, as `upscale` takes them.
            during_base: Entered for the time in which the base stage works, once all else is
                checked; gives what the recipe is to say of it. LoRAs are put on with it.
            on_event: Hears of every step, of previews if the model can show them, and of every
                stage's result.
            cancel: Looked at once per step.

        Raises:
            InputError: An argument breaks its rule; said before anything is made.
            MemoryBudgetError: The video does not fit the device's memory.
            Cancelled: ``cancel`` was set.
        """
        asked = self._check_stages(stages)
        limits.check_prompt(prompt)
        seed = limits.check_seed(seed)
        settings = self.base.check_settings(
            height, width, num_frames, num_inference_steps, guidance_scale, scheduler
        )
        fps = limits.check_fps(self.base.config.default_fps if fps is None else fps)
        later = {"interpolation": interpolation or {}, "super_resolution": super_resolution or {}}
        shape = settings.num_frames, settings.height, settings.width
        for stage, given in later.items():
            if stage not in asked and any(value is not None for value in given.values()):
                raise InputError(
                    f"There are settings for {stage}, which is not among the stages. Add it, or "
                    "leave them out.",
                    stage,
                )
        for stage in asked[1:]:
            self._check_later(stage, later[stage], shape)

        recipe = self.make_recipe(prompt, seed, fps) | {"negative_prompt": negative_prompt}
        with during_base or nullcontext({}) as said:
            nothing = Generation(no_frames(*shape[1:]), fps, seed, recipe | dict(said))
            generation = self._run(
                "base",
                nothing,
                asdict(settings),
                lambda: run_base(
                    self.base, settings, prompt, negative_prompt, seed, on_event, cancel
                ),
                on_event,
                f"{shape[0]} frames of {shape[2]}x{shape[1]} do not fit",
                "Ask for a smaller size or fewer frames",
            )
        events: dict[str, Any] = {"on_event": on_event, "cancel": cancel}
        if "interpolation" in asked:
            generation = self.interpolate(generation, **later["interpolation"], **events)
        if "super_resolution" in asked:
            generation = self.upscale(generation, **later["super_resolution"], **events)
        return generation

    def film(
        self,
        story: StoryLike,
        start: Generation | FrameSequence | None = None,
        end: Frames | None = None,
        **options: Any,  # noqa: ANN401 - Film has them by name
    ) -> Film:
        """Get ready to make a long video, line by line of a story.

        Args:
            story: Its lines, or a text with one line each; see `lavie.pipelines.story.read_story`.
            start: A video to go on from, or a picture that comes to life; None: the base stage
                makes the beginning.
            end: A picture that the film ends with.
            **options: The further arguments of `Film`.

        Returns:
            A film, of which `Film.segments` gives every part as soon as it is done, and `Film.make`
            all of it.

        Raises:
            InputError: An argument breaks its rule, or the model cannot go on from given frames.
        """
        return Film(self, story, start, end, **options)

    def _check_stages(self, stages: Sequence[str] | None) -> list[StageName]:
        stages = default_to(stages, ("base",))
        if isinstance(stages, str):
            raise InputError(f"stages '{stages}' is a text. Give a list, as ['base'].", "stages")
        for stage in stages:
            self.loaded.check(stage)
        if "long_video" in stages:
            raise InputError(
                "Stage 'long_video' makes films of a story. Leave it out here and use film.",
                "stages",
            )
        if "base" not in stages:
            raise InputError("A video from a prompt needs the stage 'base'.", "stages")
        return [stage for stage in self.stages if stage in stages]

    def _check_later(
        self, stage: StageName, settings: Mapping[str, Any], shape: tuple[int, int, int]
    ) -> None:
        """Refuse what a later stage would refuse, before the base stage has run for nothing."""
        method = self.interpolate if stage == "interpolation" else self.upscale
        known = sorted(inspect.signature(method).parameters.keys() - _NOT_SETTINGS)
        for name in settings:
            limits.check_choice(name, known, stage)
        pipeline: Any = self.loaded.get(stage)
        checked = inspect.signature(pipeline.check_settings).parameters.keys() & settings.keys()
        pipeline.check_settings(**{name: settings[name] for name in checked})
        limits.check_optional_prompt(settings.get("prompt"))
        limits.check_prompt(settings.get("negative_prompt") or "", "negative_prompt")
        limits.check_seed(default_to(settings.get("seed"), 0))
        pipeline.check_video(np.broadcast_to(np.uint8(0), (*shape, 3)))
