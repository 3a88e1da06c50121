"""The stages by name. Each is imported when it is asked for, as it brings its networks along."""

from typing import Any

STAGES = ("vae", "image", "base", "long_video", "interpolation", "vsr")


def load_stage(name: str) -> tuple[Any, Any]:
    """The stage of a name in `STAGES`.

    Returns:
        The class of the stage and that of its settings.
    """
    match name:
        case "vae":
            from lavie.training.stages.vae import VAEConfig, VAEStage

            return VAEStage, VAEConfig
        case "image":
            from lavie.training.stages.image import ImageConfig, ImageStage

            return ImageStage, ImageConfig
        case "base":
            from lavie.training.stages.base import BaseConfig, BaseStage

            return BaseStage, BaseConfig
        case "long_video":
            from lavie.training.stages.long_video import LongVideoConfig, LongVideoStage

            return LongVideoStage, LongVideoConfig
        case "interpolation":
            from lavie.training.stages.interpolation import InterpolationConfig, InterpolationStage

            return InterpolationStage, InterpolationConfig
        case "vsr":
            from lavie.training.stages.super_resolution import (
                SuperResolutionConfig,
                SuperResolutionStage,
            )

            return SuperResolutionStage, SuperResolutionConfig
    raise ValueError(f"There is no stage '{name}'; choose from {', '.join(STAGES)}.")
