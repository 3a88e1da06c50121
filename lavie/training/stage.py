"""What a training stage is, as the loop sees it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from transformers import PreTrainedModel

from lavie.data.joint import JointBatch, load_batches
from lavie.data.sources import VideoSource
from lavie.errors import ConfigError
from lavie.training.config import RunConfig
from lavie.types import Frames


class Stage(nn.Module):
    """What a stage gives the loop. Subclasses hold their networks as submodules.

    ``forward`` is the loss, so that wrapping the stage for several processes wraps what matters.
    """

    name: str
    command = "python -m lavie train {stage} --config {path}"
    previews = "previews"  # folder of the run that they go to

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[Any]:
        """Batches from number ``start`` on, always the same ones for the same arguments."""
        raise NotImplementedError

    def forward(self, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ANN401
        """Losses by name; ``loss`` is the one to minimise."""
        raise NotImplementedError

    def load(
        self,
        videos: VideoSource | None,
        images: VideoSource | None,
        num_images: int,
        share: tuple[int, int, int],
    ) -> Iterator[JointBatch]:
        """Batches as the settings say.

        Args:
            videos: See `load_batches`, as for the next two.
            images: Stills.
            num_images: Stills in each row.
            share: The arguments of `batches`.
        """
        config, (start, rank, world_size) = self.config, share
        return load_batches(
            videos,
            images,
            batch_size=config.batch_size,
            num_images=num_images,
            seed=config.seed,
            start=start,
            rank=rank,
            world_size=world_size,
            num_threads=config.num_data_threads,
        )

    def take_examples(self) -> object:
        """Keep of the data what previews and the export need: it may be gone when they are due."""

    def parameter_groups(self, parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
        """What learns, as the optimizer takes it: all alike, unless a stage says otherwise."""
        return [{"params": parameters}]

    def evaluate(self, step: int) -> dict[str, float]:
        """Numbers on data kept apart, with the averaged weights; none without such data."""
        return {}

    def is_done(self, step: int) -> bool:
        """Whether to stop before the last step, as going on would make nothing better."""
        return False

    def preview(self, folder: Path, step: int) -> Sequence[Frames] | None:
        """Write pictures or videos that show how far the networks are; give those to be shown."""

    def export(self, folder: Path) -> None:
        """Write the trained networks as a model folder."""
        raise NotImplementedError

    def save_memory(self) -> None:
        """Let the networks that learn recompute their activations in the backward pass."""
        for network in self._learning_networks():
            if isinstance(network, ModelMixin):
                network.enable_gradient_checkpointing()
            else:
                older = (
                    network.gradient_checkpointing_enable
                )  # its name in the first of transformers 5
                enable = getattr(network, "activation_checkpointing_enable", older)
                enable({"use_reentrant": False})

    def compile_networks(self) -> None:
        """Compile the repeated blocks of the networks that learn.

        Nothing else: the compiler gives an auto-encoder's decoder, whole, wrong gradients on CPUs
        (torch 2.13).

        Raises:
            ConfigError: No network names repeated blocks.
        """
        networks = [n for n in self._learning_networks() if getattr(n, "_repeated_blocks", None)]
        if not networks:
            raise ConfigError(f"Stage '{self.name}' has nothing to compile; set compile to false.")
        for network in networks:
            network.compile_repeated_blocks()

    def _learning_networks(self) -> list[Any]:
        return [
            module
            for module in self.modules()
            if isinstance(module, ModelMixin | PreTrainedModel)
            and any(parameter.requires_grad for parameter in module.parameters())
        ]
