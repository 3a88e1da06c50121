"""The one training loop: every stage, every size, one process or many."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from lavie.data.sources import derive_generator
from lavie.errors import ConfigError
from lavie.training.checkpoint import (
    Progressed,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from lavie.training.config import RunConfig
from lavie.types import CancelToken, OnEvent, Progress

logger = logging.getLogger(__name__)

_STATES = ["weights", "optimizer", "schedule", "ema"]


class Stage(nn.Module):
    """What a stage gives the loop. Subclasses hold their networks as submodules.

    ``forward`` is the loss, so that wrapping the stage for several processes wraps what matters.
    """

    name: str

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[Any]:
        """Batches from number ``start`` on, always the same ones for the same arguments."""
        raise NotImplementedError

    def forward(self, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ANN401
        """Losses by name; ``loss`` is the one to minimise."""
        raise NotImplementedError

    def preview(self, folder: Path, step: int) -> None:
        """Write pictures or videos that show how far the networks are."""

    def export(self, folder: Path) -> None:
        """Write the trained networks as a model folder."""
        raise NotImplementedError


def train(
    stage: Stage,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """Train a stage until its last step, resuming from its newest checkpoint if there is one.

    All randomness of a step follows from (seed, step, process), so a resumed run sees the same
    batches and the same noise as one that never stopped.

    Args:
        stage: What to train.
        on_event: Told after every step.
        cancel: Looked at once per step; a checkpoint is written before stopping.

    Returns:
        The finished model folder.

    Raises:
        Cancelled: ``cancel`` was set.
        CheckpointError: The newest checkpoint is broken.
        ConfigError: Nothing is left to train in this stage.
    """
    # Set up
    config = stage.config
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        step_scheduler_with_optimizer=False,
    )
    parameters = [p for p in stage.parameters() if p.requires_grad]
    if not parameters:
        raise ConfigError(f"Stage '{stage.name}' has no trainable weights with these settings.")
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.optimizer.learning_rate,
        betas=config.optimizer.betas,
        weight_decay=config.optimizer.weight_decay,
    )
    schedule = get_scheduler(
        {"constant": "constant_with_warmup"}.get(
            config.optimizer.schedule, config.optimizer.schedule
        ),
        optimizer,
        num_warmup_steps=config.optimizer.warmup_steps,
        num_training_steps=config.num_steps,
    )
    wrapped, optimizer = accelerator.prepare(stage, optimizer)
    ema = EMAModel(parameters, decay=config.ema_decay, foreach=True)
    is_main = accelerator.is_main_process
    samples_per_step = (
        config.batch_size * config.gradient_accumulation_steps * accelerator.num_processes
    )

    # Resume
    checkpoints = config.output / "checkpoints"
    done = Progressed(0, 0)
    if found := list_checkpoints(checkpoints):
        done, states = load_checkpoint(found[-1], _STATES)
        _load_trainable(stage, states["weights"])
        optimizer.load_state_dict(states["optimizer"])
        schedule.load_state_dict(states["schedule"])
        ema.load_state_dict(states["ema"])
        logger.info("Resumed %s at step %d.", stage.name, done.step)
    ema.to(accelerator.device)
    metrics = Metrics(config.output, done.step) if is_main else None
    batches = stage.batches(
        done.step * config.gradient_accumulation_steps,
        accelerator.process_index,
        accelerator.num_processes,
    )
    started, step = time.monotonic(), done.step

    def checkpoint() -> None:
        accelerator.wait_for_everyone()
        if is_main:
            states = {
                "weights": _trainable(stage),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "ema": ema.state_dict(),
            }
            now = Progressed(step, done.samples + (step - done.step) * samples_per_step)
            save_checkpoint(checkpoints, now, states, config.keep_checkpoints)

    wrapped.train()
    while step < config.num_steps:
        # Accumulate
        totals: dict[str, float] = {}
        for micro in range(config.gradient_accumulation_steps):
            generator = step_generator(config.seed, step, micro, accelerator.process_index)
            torch.manual_seed(generator.initial_seed())
            with accelerator.accumulate(wrapped):
                with accelerator.autocast():
                    losses = wrapped(next(batches), generator)
                accelerator.backward(losses["loss"])
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(parameters, config.optimizer.max_grad_norm)
                    totals["grad_norm"] = float(norm)
                # Step
                optimizer.step()
                optimizer.zero_grad()
            for name, value in losses.items():
                share = float(value.detach()) / config.gradient_accumulation_steps
                totals[name] = totals.get(name, 0.0) + share
        learning_rate = schedule.get_last_lr()[0]
        schedule.step()
        ema.step(parameters)
        step += 1

        # Report
        seconds = time.monotonic() - started
        if metrics is not None:
            metrics.add(totals)
            if step % config.log_every == 0 or step == config.num_steps:
                samples = done.samples + (step - done.step) * samples_per_step
                metrics.write(step, samples, learning_rate, seconds)
        if on_event is not None and is_main:
            left = seconds / (step - done.step) * (config.num_steps - step)
            on_event(Progress(stage.name, step, config.num_steps, left))

        # Checkpoint, preview
        is_last = step == config.num_steps
        is_cancelled = cancel is not None and cancel.is_cancelled
        if step % config.checkpoint_every == 0 or is_last or is_cancelled:
            checkpoint()
        if is_cancelled and cancel is not None:
            cancel.raise_if_cancelled()
        if is_main and config.preview_every and (step % config.preview_every == 0 or is_last):
            with averaged_weights(ema, parameters, wrapped):
                stage.preview(config.output / "previews", step)

    # Export
    folder = config.output / "model"
    accelerator.wait_for_everyone()
    if is_main:
        with averaged_weights(ema, parameters, wrapped):
            stage.export(folder)
    accelerator.wait_for_everyone()
    return folder


def step_generator(seed: int, step: int, micro: int, rank: int) -> torch.Generator:
    """A CPU generator that only this forward pass of this process uses."""
    return derive_generator(seed, "step", step, micro, rank)


class averaged_weights:  # noqa: N801 - reads as a statement: with averaged_weights(...)
    """Inside the block the networks hold their averaged weights and are in eval mode."""

    def __init__(self, ema: EMAModel, parameters: list[nn.Parameter], module: nn.Module) -> None:
        self.ema, self.parameters, self.module = ema, parameters, module

    def __enter__(self) -> None:
        self.ema.store(self.parameters)
        self.ema.copy_to(self.parameters)
        self.module.eval()

    def __exit__(self, *exception: object) -> None:
        self.ema.restore(self.parameters)
        self.module.train()


class Metrics:
    """Means over the steps since the last line, appended to ``metrics.jsonl`` and TensorBoard.

    Args:
        output: The run's folder.
        step: The step the run resumes from; lines after it belong to lost steps and are dropped.
    """

    def __init__(self, output: Path, step: int) -> None:
        self.path = output / "metrics.jsonl"
        output.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        self.path.write_text("".join(f"{line}\n" for line in kept))
        self.rows: list[dict[str, float]] = []
        self.writer = _tensorboard_writer(output)

    def add(self, values: dict[str, float]) -> None:
        """Remember the numbers of one step."""
        self.rows.append(values)

    def write(self, step: int, samples: int, learning_rate: float, seconds: float) -> None:
        """Write the means of the remembered steps."""
        means = {
            name: sum(row[name] for row in self.rows) / len(self.rows) for name in self.rows[0]
        }
        self.rows = []
        line = {"step": step, "samples": samples, **means, "learning_rate": learning_rate}
        with self.path.open("a") as file:
            file.write(json.dumps({**line, "seconds": round(seconds, 1)}) + "\n")
        if self.writer is not None:
            for name, value in means.items():
                self.writer.add_scalar(name, value, step)


def _tensorboard_writer(output: Path) -> Any | None:  # noqa: ANN401 - an optional package's class
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.info("TensorBoard is not installed: metrics go to metrics.jsonl only.")
        return None
    return SummaryWriter(str(output / "tensorboard"))


def _trainable(stage: Stage) -> dict[str, Tensor]:
    return {n: p.detach() for n, p in stage.named_parameters() if p.requires_grad}


def _load_trainable(stage: Stage, weights: dict[str, Tensor]) -> None:
    own = _trainable(stage)
    if own.keys() != weights.keys():
        raise ConfigError(
            "The run's checkpoint trains other weights than these settings. Use another --output."
        )
    for name, parameter in own.items():
        parameter.copy_(weights[name])
