"""The later stages at work on a given video: smoother, and larger."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from lavie import __version__
from lavie.cascade.generation import Generation
from lavie.cascade.loading import Stages
from lavie.cascade.running import run_interpolation, run_super_resolution
from lavie.errors import InputError
from lavie.pipelines import limits
from lavie.pipelines.between import FACTOR as TIMES_THE_FRAMES
from lavie.pipelines.given_video import check_video, size_of
from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.story import common_prompt
from lavie.pipelines.super_resolution import (
    FACTOR,
    SuperResolutionPipeline,
    SuperResolutionSettings,
    TileSize,
)
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.pipelines.video_pipeline import default_to
from lavie.runtime.profiles import PROFILES, Profile
from lavie.types import (
    CancelToken,
    Frames,
    FrameSequence,
    OnEvent,
    SchedulerName,
    StageFinished,
    StageName,
)

logger = logging.getLogger(__name__)


class Enhancer:
    """A model whose later stages make a given video better, whatever it was made by.

    Between two stages go uint8 frames: what is shown is what the next stage gets, so a stage that
    is run later makes the same frames.

    Args:
        base: The text-to-video stage, on the device where all are to work.
        model: What the recipe calls the model: the name or folder it was loaded from.
        stages: Those that can be loaded from there.
        low_memory: Whether stages that do not work leave the device to the one that does; None:
            only where they would not fit beside each other.
        profile: What is done about memory; None: what is usual where there is enough.
        folders: Models that later stages are loaded from instead.
    """

    def __init__(
        self,
        base: TextToVideoPipeline,
        model: str,
        stages: Sequence[StageName] = ("base",),
        low_memory: bool | None = None,
        profile: Profile | None = None,
        folders: Mapping[StageName, str | Path] | None = None,
    ) -> None:
        self.base = base
        self.model = model
        self.profile = profile or PROFILES[0]
        self.loaded = Stages(base, model, stages, low_memory, folders)
        self.model_hash = self.loaded.hashes["base"]

    def interpolate(
        self,
        video: Generation | FrameSequence,
        *,
        fps: float | None = None,
        prompt: str | None = None,
        seed: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        window_overlap: int | None = None,
        sample_posterior: bool = False,
        keep_details: bool | None = None,
        on_frames: Callable[[Frames], None] | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> Generation:
        """Smooth a video: F frames become 4F - 3, at four times the frames per second.

        Long videos are smoothed chunk by chunk, see `lavie.pipelines.chunks`.

        Args:
            video: A generation, or frames uint8 ``(F, H, W, 3)``, in memory or in a file.
            fps: Of frames; None: what the file says, else the model's own. A generation has one.
            prompt: What the video shows; None: the generation's, nothing for frames.
            seed: None: the generation's, 0 for frames.
            num_inference_steps: None: the model's own. Likewise the other settings, which
                `InterpolationPipeline` explains.
            guidance_scale: 0 to 50; there is none without a prompt.
            scheduler: Sampler by name.
            window_overlap: Given frames that two windows share.
            sample_posterior: Encode as the published code does.
            keep_details: Give back what the VAE loses of the given frames; None: the model's own.
            on_frames: Gets the frames ``(f, H, W, 3)`` as soon as they are final, in place of the
                generation, so that memory does not grow with their number.
            on_event: As in `Cascade.generate`.
            cancel: As in `Cascade.generate`.

        Raises:
            InputError: An argument breaks its rule, or the model has no such stage.
            MemoryBudgetError: A window of the video does not fit the device's memory.
            Cancelled: ``cancel`` was set.
        """
        pipeline = cast(InterpolationPipeline, self.loaded.get("interpolation"))
        given = self._given(video, fps, prompt, seed)
        if "super_resolution" in given.metadata["stages"]:
            raise InputError(
                "This video is enlarged already. Smooth what it was before (previous), then "
                "enlarge that.",
                "video",
            )
        prompt, seed, changes = _asked_anew(given, prompt, seed)
        pipeline.check_video(given.frames)
        settings = pipeline.check_settings(
            num_inference_steps,
            guidance_scale if prompt else 1.0,
            scheduler,
            window_overlap,
            sample_posterior,
            keep_details,
        )
        _, height, width = size_of(given.frames)
        return self._run(
            "interpolation",
            given,
            asdict(settings) | changes,
            lambda: run_interpolation(
                pipeline,
                settings,
                given.frames,
                prompt,
                seed,
                self.profile.guidance_takes_turns,
                on_frames,
                on_event,
                cancel,
            ),
            on_event,
            f"Smoothing frames of {width}x{height} does not fit",
            "Give a smaller video",
            fps_factor=TIMES_THE_FRAMES,
        )

    def upscale(
        self,
        video: Generation | FrameSequence,
        *,
        fps: float | None = None,
        prompt: str | None = None,
        seed: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        scheduler: SchedulerName | None = None,
        negative_prompt: str | None = None,
        noise_level: int | None = None,
        window_overlap: int | None = None,
        tile_size: TileSize = "auto",
        tile_overlap: int = 16,
        vae_tile_size: TileSize = "auto",
        keep_colours: bool | None = None,
        share_noise: bool | None = None,
        on_frames: Callable[[Frames], None] | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> Generation:
        """Enlarge a video to four times its height and width.

        Args:
            video: As in `interpolate`, and so fps, prompt and seed.
            fps: Of frames.
            prompt: What the video shows.
            seed: Whole number in ``[0, 2**63)``.
            num_inference_steps: None: the model's own. Likewise the other settings, which
                `SuperResolutionPipeline` explains.
            guidance_scale: 0 to 50.
            scheduler: Sampler by name.
            negative_prompt: What to stay away from.
            noise_level: More invents more.
            window_overlap: Frames that two windows share.
            tile_size: "auto": whole frames if they fit the memory, else the largest tiles that do.
                The recipe says what it was. Never larger than the profile's.
            tile_overlap: Pixels that two tiles share.
            vae_tile_size: Side of the tiles, in pixels of the large video, that are decoded at
                once where a frame is larger; None: whole frames; "auto": as the profile says.
            keep_colours: Give the result the colours of the small video; None: the model's own.
            share_noise: Begin all frames from the same noise; None: the model's own.
            on_frames: Gets the frames ``(f, 4H, 4W, 3)`` as soon as they are final, in place of the
                generation, so that memory does not grow with their number.
            on_event: As in `Cascade.generate`.
            cancel: As in `Cascade.generate`.

        Raises:
            InputError: An argument breaks its rule, or the model has no such stage.
            MemoryBudgetError: A window of the video does not fit the device's memory.
            Cancelled: ``cancel`` was set.
        """
        pipeline = cast(SuperResolutionPipeline, self.loaded.get("super_resolution"))
        given = self._given(video, fps, prompt, seed)
        if "super_resolution" in given.metadata["stages"]:
            raise InputError(
                "This video is enlarged already. Enlarge what it was before (previous).", "video"
            )
        prompt, seed, changes = _asked_anew(given, prompt, seed)
        _, height, width = size_of(given.frames)
        options = {
            "num_inference_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
            "scheduler": scheduler,
            "noise_level": noise_level,
            "window_overlap": window_overlap,
            "tile_size": tile_size,
            "tile_overlap": tile_overlap,
            "keep_colours": keep_colours,
            "share_noise": share_noise,
        }
        pipeline.check_settings(**options)
        if isinstance(vae_tile_size, int):
            limits.check_whole_number(vae_tile_size, "vae_tile_size", 64, 1 << 16)
        negative_prompt = default_to(negative_prompt, pipeline.config.default_negative_prompt)
        limits.check_prompt(negative_prompt, "negative_prompt")
        self.loaded.begin("super_resolution")  # "auto" looks at the memory that is then free
        settings = pipeline.check_settings(**options, frame_size=(height, width))
        if tile_size == "auto":
            settings = replace(settings, tile_size=self._tile(settings, max(height, width)))
        if vae_tile_size == "auto":
            vae_tile_size = self.profile.vae_tile_size
        if vae_tile_size is not None and vae_tile_size < FACTOR * max(height, width):
            changes = changes | {"vae_tile_size": vae_tile_size}
        tile = settings.tile_size
        return self._run(
            "super_resolution",
            given,
            asdict(settings) | {"negative_prompt": negative_prompt} | changes,
            lambda: run_super_resolution(
                pipeline,
                settings,
                given.frames,
                prompt,
                negative_prompt,
                seed,
                vae_tile_size,
                on_frames,
                on_event,
                cancel,
            ),
            on_event,
            f"Enlarging frames of {width}x{height} does not fit",
            f"Use tiles{'' if tile is None else f' smaller than {tile}'}, or give a smaller video",
        )

    def _tile(self, settings: SuperResolutionSettings, longer_side: int) -> int | None:
        """What fits the memory, but no more than the profile allows."""
        tile, largest = settings.tile_size, self.profile.tile_size
        if largest is None or longer_side <= largest:
            return tile
        largest = max(largest, (settings.tile_overlap // 8 + 1) * 8)
        return largest if tile is None else min(tile, largest)

    def _run(
        self,
        stage: StageName,
        given: Generation,
        settings: Mapping[str, Any],
        work: Callable[[], Frames],
        on_event: OnEvent | None,
        too_large: str,
        way_out: str,
        fps_factor: int = 1,
    ) -> Generation:
        """Let a stage do its work, and note what it made of what."""
        started = time.perf_counter()
        with self.loaded.at_work(stage, too_large, way_out):
            frames = work()
        seconds = time.perf_counter() - started
        logger.info("Stage %s took %.1f s.", stage, seconds)
        fps = given.fps * fps_factor
        made = given.then(stage, frames, fps, settings, self.loaded.hashes[stage], seconds)
        if on_event is not None:
            on_event(StageFinished(stage, made.frames, made.fps))
        return made

    def _given(
        self,
        video: Generation | FrameSequence,
        fps: float | None,
        prompt: str | None,
        seed: int | None,
    ) -> Generation:
        """What a stage is given: a generation, or a clip as one that no stage has made."""
        if isinstance(video, Generation):
            if fps is not None:
                raise InputError("This video has its frames per second. Leave fps out.", "fps")
            check_video(video.frames)
            return video
        fps = default_to(fps, getattr(video, "fps", None))
        fps = limits.check_speed(default_to(fps, self.base.config.default_fps))
        recipe = self.make_recipe(
            limits.check_optional_prompt(prompt), limits.check_seed(default_to(seed, 0)), fps
        )
        return Generation(cast(Frames, check_video(video)), fps, recipe["seed"], recipe)

    def make_recipe(self, prompt: str, seed: int, fps: float) -> dict[str, Any]:
        """What all stages have in common, before any has run."""
        return {
            "version": __version__,
            "model": self.model,
            "model_hash": self.model_hash,
            "model_hashes": {},
            "stages": [],
            "prompt": prompt,
            "seed": seed,
            "fps": fps,
            "settings": {},
            "dtype": str(self.base.unet.dtype).removeprefix("torch."),
            "device": self.loaded.turns.device.type,
        }


def _asked_anew(
    given: Generation, prompt: str | None, seed: int | None
) -> tuple[str, int, dict[str, Any]]:
    """Prompt and seed of a stage, and those of the two that are not the recipe's."""
    recipe = given.metadata
    asked = {
        "prompt": common_prompt(recipe) if prompt is None else limits.check_optional_prompt(prompt),
        "seed": recipe["seed"] if seed is None else limits.check_seed(seed),
    }
    changes = {name: value for name, value in asked.items() if value != recipe[name]}
    return asked["prompt"], asked["seed"], changes
