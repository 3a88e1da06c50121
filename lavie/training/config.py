"""The knobs that every training stage shares."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from diffusers.optimization import get_scheduler
from pydantic import Field

from lavie.config import Config
from lavie.errors import MissingDependencyError

_Decay = Annotated[float, Field(ge=0, lt=1)]


class OptimizerConfig(Config):
    """AdamW and its learning-rate schedule."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Peak learning rate."""
    betas: tuple[_Decay, _Decay] = (0.9, 0.999)
    """Decay of AdamW's running mean and variance."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled weight decay."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this norm."""
    memory: Literal["full", "8-bit"] = "full"
    """How AdamW keeps its means; 8-bit needs bitsandbytes and a GPU."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the learning rate does after the warm-up; the last two end at 0."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the learning rate rises linearly from 0."""

    def build(
        self, groups: list[dict[str, Any]], num_steps: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        """The optimizer and its schedule over the steps of a run.

        Args:
            groups: As PyTorch's optimizers take them: ``params``, and what differs for them.
            num_steps: Of the whole run.

        Raises:
            MissingDependencyError: The memory is to be 8-bit, and bitsandbytes is not installed.
        """
        optimizer = (torch.optim.AdamW if self.memory == "full" else _adamw_8bit())(
            groups,
            lr=self.learning_rate,
            betas=self.betas,
            weight_decay=self.weight_decay,
        )
        name = "constant_with_warmup" if self.schedule == "constant" else self.schedule
        return optimizer, get_scheduler(name, optimizer, None, self.warmup_steps, num_steps)


def _adamw_8bit() -> Any:  # noqa: ANN401 - a class of an optional package
    try:
        bitsandbytes = importlib.import_module("bitsandbytes")
    except ImportError:
        raise MissingDependencyError(
            "An 8-bit optimizer needs bitsandbytes. Use pip install bitsandbytes, or set "
            "optimizer.memory to full."
        ) from None
    return bitsandbytes.optim.AdamW8bit


class RunConfig(Config):
    """What the training loop needs to know, whatever the stage."""

    made_of: ClassVar[Mapping[str, str]] = {}
    """Settings that nobody types: what is said of a folder whose run has others."""
    output: Path
    """Folder of this run: checkpoints, metrics, previews and the finished model folder."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the initial weights, the order of the data and all noise."""
    num_steps: Annotated[int, Field(ge=1)]
    """Optimizer steps."""
    batch_size: Annotated[int, Field(ge=1)] = 1
    """Samples per process and forward pass."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 1
    """Forward passes per optimizer step."""
    num_data_threads: Annotated[int, Field(ge=1)] = 1
    """Threads per process that decode clips, and as many again that decode stills."""
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    """Arithmetic of the forward pass; weights stay float32."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile the network's repeated blocks with torch.compile; not for stage vae."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    """Decay of the running average of the weights, which is what is exported."""
    optimizer: OptimizerConfig = OptimizerConfig()
    log_every: Annotated[int, Field(ge=1)] = 10
    """Steps between two lines of metrics.jsonl."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    """Steps between two checkpoints: the most that a kill can lose."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    """How many checkpoints stay on disk."""
    evaluate_every: Annotated[int, Field(ge=0)] = 0
    """Steps between two looks at data kept apart, by stages that keep some; 0 never looks."""
    preview_every: Annotated[int, Field(ge=0)] = 1000
    """Steps between two previews; 0 makes none."""
