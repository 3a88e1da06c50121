"""The networks of LaVie; published parameter names, diffusers' ways of saving and loading."""

# diffusers loads a component of model_index.json by finding its base class beside it
from diffusers import ModelMixin

from lavie.models.base_unet import BaseUNet

__all__ = ["BaseUNet", "ModelMixin"]
