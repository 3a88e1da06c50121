"""What LaVie's pipelines owe to diffusers: model folders, checked before they are loaded."""

from pathlib import Path
from typing import Any, Self

import torch
from diffusers import DiffusionPipeline
from torch import nn

from lavie.errors import CheckpointError
from lavie.pipelines.model_folder import (
    check_weights,
    download_model_folder,
    find_model_folder,
    loading_error,
    read_model_index,
)

_DOWNLOAD_OPTIONS = ("revision", "cache_dir", "token", "local_files_only")


class VideoPipeline(DiffusionPipeline):
    """A pipeline with a VAE whose model folder is complete, harmless and made for it."""

    vae: Any

    def register_modules(self, **kwargs) -> None:
        """Register components; our networks under their public module, so that files may move."""
        super().register_modules(**kwargs)
        for name in kwargs:
            library, class_name = self.config[name]
            if library is not None and library.startswith("lavie.models."):
                self.register_to_config(**{name: ("lavie.models", class_name)})

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs) -> Self:
        """Load a model folder.

        Args:
            pretrained_model_name_or_path: A folder, ``"miniature"``, or a hub id, which is
                downloaded on first use.
            **kwargs: As in diffusers: ``dtype`` (float32 unless said, whatever the files hold),
                ``revision``, ``cache_dir``, components, ...

        Raises:
            CheckpointError: The folder is missing, broken, or for another pipeline.
        """
        model = pretrained_model_name_or_path
        if not {"dtype", "torch_dtype"} & kwargs.keys():
            kwargs["dtype"] = torch.float32  # else the text encoder alone would follow the files
        folder = find_model_folder(model)
        usual_dtype = torch.get_default_dtype()
        try:
            if folder is None:
                options = {name: kwargs[name] for name in _DOWNLOAD_OPTIONS if name in kwargs}
                folder = download_model_folder(str(model), **options)
            read_model_index(folder, cls.__name__, passed=kwargs)
            pipeline = super().from_pretrained(str(folder), use_safetensors=True, **kwargs)
        except CheckpointError:
            raise
        except Exception as error:  # every library below has its own exceptions for a bad file
            torch.set_default_dtype(usual_dtype)  # diffusers leaves the one it was building in
            raise loading_error(model, error) from error
        if "quantization_config" not in kwargs:  # a quantised module has other tensors
            for name, module in pipeline.components.items():
                if isinstance(module, nn.Module) and name not in kwargs:
                    check_weights(folder, name, module)
        return pipeline

    @property
    def vae_scale_factor(self) -> int:
        """How many pixels one latent cell is wide."""
        return 2 ** (len(self.vae.config["block_out_channels"]) - 1)
