"""LaVie: cascaded text-to-video diffusion that anybody can run, read, train and personalise.

The public names load on first use, so that ``import lavie`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lavie.cascade import Cascade as Cascade
    from lavie.cascade import Generation as Generation
    from lavie.models import BaseUNet as BaseUNet
    from lavie.models import InterpolationUNet as InterpolationUNet
    from lavie.models import SuperResolutionUNet as SuperResolutionUNet
    from lavie.pipelines.interpolation import InterpolationPipeline as InterpolationPipeline
    from lavie.pipelines.long_video import LongVideoPipeline as LongVideoPipeline
    from lavie.pipelines.super_resolution import SuperResolutionPipeline as SuperResolutionPipeline
    from lavie.pipelines.text_to_video import TextToVideoPipeline as TextToVideoPipeline

_HOMES = {
    "BaseUNet": "lavie.models",
    "Cascade": "lavie.cascade",
    "Generation": "lavie.cascade",
    "InterpolationPipeline": "lavie.pipelines.interpolation",
    "InterpolationUNet": "lavie.models",
    "LongVideoPipeline": "lavie.pipelines.long_video",
    "SuperResolutionPipeline": "lavie.pipelines.super_resolution",
    "SuperResolutionUNet": "lavie.models",
    "TextToVideoPipeline": "lavie.pipelines.text_to_video",
}

__all__ = [
    "BaseUNet",
    "Cascade",
    "Generation",
    "InterpolationPipeline",
    "InterpolationUNet",
    "LongVideoPipeline",
    "SuperResolutionPipeline",
    "SuperResolutionUNet",
    "TextToVideoPipeline",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lavie' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
