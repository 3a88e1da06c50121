"""The networks of LaVie; published parameter names, diffusers' ways of saving and loading."""

# diffusers loads a component of model_index.json by finding its base class beside it
from diffusers import ModelMixin

from lavie.models.base_unet import BaseUNet
from lavie.models.interpolation_unet import InterpolationUNet
from lavie.models.super_resolution_unet import SuperResolutionUNet

__all__ = ["BaseUNet", "InterpolationUNet", "ModelMixin", "SuperResolutionUNet"]
