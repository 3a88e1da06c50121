"""Personal LoRA: files that the world has, on the layers in space of LaVie's networks.

The public names load on first use, so that ``import lora`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lora.formats import LoraFormat as LoraFormat
    from lora.formats import read_lora as read_lora
    from lora.formats import write_lora as write_lora
    from lora.inject import attach as attach
    from lora.inject import attached as attached
    from lora.inject import detach as detach
    from lora.inject import merge as merge
    from lora.inject import set_weights as set_weights
    from lora.inject import spatial_modules as spatial_modules
    from lora.settings import PersonalConfig as PersonalConfig
    from lora.train import train_lora as train_lora
    from lora.use import with_loras as with_loras
    from lora.weights import Lora as Lora
    from lora.weights import LoraLayer as LoraLayer

_HOMES = {
    "Lora": "lora.weights",
    "LoraFormat": "lora.formats",
    "LoraLayer": "lora.weights",
    "PersonalConfig": "lora.settings",
    "attach": "lora.inject",
    "attached": "lora.inject",
    "detach": "lora.inject",
    "merge": "lora.inject",
    "read_lora": "lora.formats",
    "set_weights": "lora.inject",
    "spatial_modules": "lora.inject",
    "train_lora": "lora.train",
    "with_loras": "lora.use",
    "write_lora": "lora.formats",
}

__all__ = [
    "Lora",
    "LoraFormat",
    "LoraLayer",
    "PersonalConfig",
    "attach",
    "attached",
    "detach",
    "merge",
    "read_lora",
    "set_weights",
    "spatial_modules",
    "train_lora",
    "with_loras",
    "write_lora",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lora' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
