"""The one training loop: every stage, every size, one process or many."""

import logging
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers.training_utils import EMAModel
from torch import nn

from lavie.data.sources import derive_generator
from lavie.errors import Cancelled, ConfigError, LaVieError, TrainingError
from lavie.models.fingerprint import hash_weights
from lavie.training.checkpoint import (
    CHECKPOINTS,
    Progressed,
    list_checkpoints,
    load_checkpoint,
    load_trainable_weights,
    replace_folder,
    save_checkpoint,
    trainable_weights,
)
from lavie.training.metrics import Metrics
from lavie.training.processes import keep_layouts, mean_over_processes
from lavie.training.record import check_record, warn_of_other_processes, write_record
from lavie.training.stage import Stage
from lavie.types import CancelToken, Measured, OnEvent, Preview, Progress

logger = logging.getLogger(__name__)


def train(
    stage: Stage,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    finish: CancelToken | None = None,
) -> Path:
    """Train a stage until its last step, resuming from its newest checkpoint if there is one.

    All randomness of a step follows from (seed, step, process), so a resumed run sees the same
    batches and the same noise as one that never stopped.

    Args:
        stage: What to train.
        on_event: Told after every step, in the main process.
        cancel: Looked at once per step; a checkpoint is written before stopping. With several
            processes one token is enough to stop all.
        finish: Makes the step at which it is set the last one: what is learnt is exported.

    Returns:
        The finished model folder.

    Raises:
        Cancelled: ``cancel`` was set.
        CheckpointError: The newest checkpoint is broken.
        ConfigError: The settings don't fit the run's folder, the machine or the stage.
        TrainingError: The gradient is not finite.
    """
    # Set up
    config, weights_at_start = stage.config, hash_weights(stage)
    check_record(stage.name, config)
    parameters = [p for p in stage.parameters() if p.requires_grad]
    if not parameters:
        raise ConfigError(f"Stage '{stage.name}' has no trainable weights with these settings.")
    AcceleratorState._reset_state()  # else a process can train in one precision only
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        step_scheduler_with_optimizer=False,
    )
    scaler, is_main = accelerator.scaler, accelerator.is_main_process
    if config.mixed_precision == "fp16" and scaler is None:
        raise ConfigError(f"mixed_precision fp16 needs a GPU, not {accelerator.device}. Use bf16.")
    if config.gradient_checkpointing:
        stage.save_memory()
    if config.compile:
        stage.compile_networks()
    optimizer, schedule = config.optimizer.build(
        stage.parameter_groups(parameters), config.num_steps
    )
    wrapped, optimizer = accelerator.prepare(stage, optimizer)
    if accelerator.num_processes > 1:
        keep_layouts(parameters)
    ema = EMAModel(parameters, decay=config.ema_decay, foreach=True)

    # Resume
    checkpoints = config.output / CHECKPOINTS
    done = Progressed(0, 0)
    if found := list_checkpoints(checkpoints):
        names = ["weights", "optimizer", "schedule", "ema", *(["scaler"] if scaler else [])]
        done, states = load_checkpoint(found[-1], names)
        load_trainable_weights(stage, states["weights"])
        optimizer.load_state_dict(states["optimizer"])
        schedule.load_state_dict(states["schedule"])
        ema.load_state_dict(states["ema"])
        if scaler:
            scaler.load_state_dict(states["scaler"])
        warn_of_other_processes(done, accelerator.num_processes)
        logger.info("Resumed stage %s at step %d.", stage.name, done.step)
    ema.to(accelerator.device)
    accelerator.wait_for_everyone()  # all have read the record and the checkpoint
    if is_main:
        write_record(stage.name, config, weights_at_start, stage.command)
        stage.take_examples()
    metrics = Metrics(config.output, done) if is_main else None
    batches = stage.batches(
        done.step * config.gradient_accumulation_steps,
        accelerator.process_index,
        accelerator.num_processes,
    )
    samples_per_step = (
        config.batch_size * config.gradient_accumulation_steps * accelerator.num_processes
    )
    started, step = time.monotonic(), done.step

    def progress() -> Progressed:
        return Progressed(
            step=step,
            samples=done.samples + (step - done.step) * samples_per_step,
            seconds=round(done.seconds + time.monotonic() - started, 1),
            num_processes=accelerator.num_processes,
            rows=tuple(metrics.rows) if metrics is not None else (),
        )

    def checkpoint() -> None:
        if is_main:
            states = {
                "weights": trainable_weights(stage),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "ema": ema.state_dict(),
            }
            if scaler:
                states["scaler"] = scaler.state_dict()
            save_checkpoint(checkpoints, progress(), states, config.keep_checkpoints)

    wrapped.train()
    is_last = step == config.num_steps
    while not is_last:
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
                    max_norm = config.optimizer.max_grad_norm
                    total: Any = accelerator.clip_grad_norm_(parameters, max_norm)
                    totals["grad_norm"] = norm = float(total)
                    if scaler is None and not math.isfinite(norm):  # a scaler skips such steps
                        raise TrainingError(
                            f"The gradient is {norm} after {step} steps. Lower the learning rate "
                            "or look at the data; the checkpoints are whole."
                        )
                # Step
                optimizer.step()
                optimizer.zero_grad()
            for name, value in losses.items():
                share = float(value.detach()) / config.gradient_accumulation_steps
                totals[name] = totals.get(name, 0.0) + share
        learning_rate = float(schedule.get_last_lr()[0])
        if not optimizer.step_was_skipped:
            schedule.step()
        ema.step(parameters)
        step += 1

        # Evaluate
        measured: dict[str, float] = {}
        every = config.evaluate_every
        if is_main and every and (step % every == 0 or step == config.num_steps):
            with averaged_weights(ema, parameters, wrapped), accelerator.autocast():
                measured = stage.evaluate(step)

        # Report
        totals["is_cancelled"] = float(cancel is not None and cancel.is_cancelled)
        is_finished = (finish is not None and finish.is_cancelled) or stage.is_done(step)
        totals["is_finished"] = float(is_finished)
        totals = mean_over_processes(totals, accelerator)
        is_cancelled = totals.pop("is_cancelled") > 0
        is_last = totals.pop("is_finished") > 0 or step == config.num_steps
        if metrics is not None:
            totals |= measured
            metrics.add(totals)
            if step % config.log_every == 0 or is_last:
                now = progress()
                means = metrics.write(
                    step, samples=now.samples, learning_rate=learning_rate, seconds=now.seconds
                )
                logger.info("Step %d of %d: loss %s.", step, config.num_steps, means["loss"])
        if on_event is not None and is_main:
            seconds_per_step = (time.monotonic() - started) / (step - done.step)
            left = seconds_per_step * (config.num_steps - step)
            on_event(Measured(stage.name, step, totals))
            on_event(Progress(stage.name, step, config.num_steps, left))

        # Checkpoint, preview
        if step % config.checkpoint_every == 0 or is_last or is_cancelled:
            checkpoint()
        if is_cancelled:
            break
        if is_main and config.preview_every and (step % config.preview_every == 0 or is_last):
            with averaged_weights(ema, parameters, wrapped), accelerator.autocast():
                _preview(stage, step, on_event)

    # Finish
    if metrics is not None:
        metrics.close()
    if not is_last:
        raise Cancelled(f"Stopped at step {step} of {config.num_steps}; start again to resume.")
    folder = config.output / "model"
    if is_main:
        with averaged_weights(ema, parameters, wrapped):
            _export(stage, folder)
    accelerator.wait_for_everyone()
    return folder


def step_generator(seed: int, step: int, micro: int, rank: int) -> torch.Generator:
    """A CPU generator that only this forward pass of this process uses."""
    return derive_generator(seed, "step", step, micro, rank)


@contextmanager
def averaged_weights(
    ema: EMAModel, parameters: list[nn.Parameter], module: nn.Module
) -> Iterator[None]:
    """Inside the block the networks hold their averaged weights and are in eval mode."""
    ema.store(parameters)
    ema.copy_to(parameters)
    module.eval()
    try:
        yield
    finally:
        ema.restore(parameters)
        module.train()


def _preview(stage: Stage, step: int, on_event: OnEvent | None) -> None:
    """A preview that can't be made is no reason to lose a run."""
    try:
        shown = stage.preview(stage.config.output / stage.previews, step)
    except (LaVieError, OSError, RuntimeError, ValueError):
        logger.exception("The preview of step %d failed; training goes on.", step)
        return
    if on_event is not None:
        for frames in shown or ():
            on_event(Preview(stage.name, step, frames))


def _export(stage: Stage, folder: Path) -> None:
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    stage.export(temporary)
    replace_folder(temporary, folder)
