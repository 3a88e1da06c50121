"""What runs the stages, and whose noise is whose; `model_folder` has the names without torch."""

import torch

from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.long_video import LongVideoPipeline
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.types import StageName

PIPELINES: dict[StageName, type[VideoPipeline]] = {
    "base": TextToVideoPipeline,
    "long_video": LongVideoPipeline,
    "interpolation": InterpolationPipeline,
    "super_resolution": SuperResolutionPipeline,
}

_SEEDS_APART: dict[StageName, int] = {
    "base": 0,
    "interpolation": 1,
    "super_resolution": 2,
    "long_video": 3,
}


def stage_generator(stage: StageName, seed: int) -> torch.Generator:
    """A stage's own noise: with another's, what that one made of it could show through."""
    return torch.Generator().manual_seed((seed + _SEEDS_APART[stage] * 0x9E3779B9) % 2**63)
