"""The pipelines that run the stages, as classes; `model_folder` has their names without torch."""

from lavie.pipelines.interpolation import InterpolationPipeline
from lavie.pipelines.super_resolution import SuperResolutionPipeline
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.types import StageName

PIPELINES: dict[StageName, type[VideoPipeline]] = {
    "base": TextToVideoPipeline,
    "interpolation": InterpolationPipeline,
    "super_resolution": SuperResolutionPipeline,
}
