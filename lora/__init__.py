"""Personal LoRA: files that the world has, on the layers in space of LaVie's networks."""

from lora.formats import LoraFormat, read_lora, write_lora
from lora.inject import attach, attached, detach, merge, set_weights, spatial_modules
from lora.weights import Lora, LoraLayer

__all__ = [
    "Lora",
    "LoraFormat",
    "LoraLayer",
    "attach",
    "attached",
    "detach",
    "merge",
    "read_lora",
    "set_weights",
    "spatial_modules",
    "write_lora",
]
