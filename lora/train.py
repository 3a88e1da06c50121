"""From a few pictures to a LoRA file."""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lavie.config import dump_config
from lavie.convert.resolve import load_pipeline
from lavie.errors import Cancelled, CheckpointError, InputError
from lavie.models.fingerprint import hash_weights
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.runtime.devices import choose_device
from lavie.training.checkpoint import CHECKPOINTS, list_checkpoints, load_checkpoint
from lavie.training.loop import train
from lavie.training.record import check_record
from lavie.types import CancelToken, OnEvent, Progress
from lora.captions import Language
from lora.examples import prepare_examples
from lora.header import RESULT, read_header
from lora.memory import within_memory
from lora.metadata import DATE, make_metadata
from lora.pictures import check_pictures, check_set
from lora.settings import PersonalConfig, PersonalRun, resolve, usual_precision
from lora.stage import LoraStage, MayShow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to begin.

    Args:
        run: All its settings.
        pipeline: The model, nothing added.
        language: How sentences about the new thing are made.
        captions: All that is said of each picture.
        prior_captions: What is said of each still that the model makes of its own.
    """

    run: PersonalRun
    pipeline: TextToVideoPipeline
    language: Language
    captions: tuple[tuple[str, ...], ...]
    prior_captions: tuple[str, ...]


def train_lora(
    config: PersonalConfig,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    finish: CancelToken | None = None,
    may_show: MayShow | None = None,
) -> Path:
    """Teach a model one thing, one character or one style from pictures.

    The same call again resumes where it was stopped or killed, with the same numbers.

    Args:
        config: What to learn, and from what.
        on_event: Hears of progress (stages ``prepare`` and ``lora``), of the loss (`Measured`) and
            of sample videos (`Preview`).
        cancel: Looked at once per step, also of a sample video; a checkpoint is written before
            stopping.
        finish: Makes the step at which it is set the last one.
        may_show: Whether a sample video may be kept, told of, and be the picture of the file; None:
            each may.

    Returns:
        The LoRA, ``<output>/lora.safetensors``: the state that predicts the picture kept apart
        best, or the running average of the weights.

    Raises:
        InputError: A picture, the trigger word or a setting can't be used.
        ConfigError: The folder holds another run, or the model has no pictures of that size.
        CheckpointError: The model or the newest checkpoint is broken.
        TrainingError: The gradient is not finite.
        MemoryBudgetError: The device's memory does not suffice.
        Cancelled: ``cancel`` was set.
    """
    check_images(config.images)
    with within_memory("The model does not fit the device's memory. Close what else uses it."):
        prepared = prepare(config)
    check_record(LoraStage.name, prepared.run)  # before anything of another run is written over
    write_personal(config)
    with within_memory(_too_large(prepared.run)):
        try:
            stage = make_stage(config, prepared, on_event, cancel, may_show)
        except Cancelled as stop:
            raise Cancelled(_stopped(prepared.run)) from stop
        folder = train(stage, on_event, cancel, finish)
    target = config.output / RESULT
    if not _is_there(folder / RESULT, target):
        (folder / RESULT).replace(target)
    shutil.rmtree(folder)
    return target


def make_stage(
    config: PersonalConfig,
    prepared: Prepared,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    may_show: MayShow | None = None,
) -> LoraStage:
    """What the training loop is to train: the pictures encoded, the adapters on the model.

    Args:
        config: What was asked for.
        prepared: What that came to.
        on_event: Hears how much of the pictures is encoded.
        cancel: Looked at before each, and at every step of a sample video.
        may_show: As for `train_lora`.

    Raises:
        Cancelled: ``cancel`` was set.
    """

    def report(done: int, total: int) -> None:
        if on_event is not None:
            on_event(Progress("prepare", done, total))

    run, language = prepared.run, prepared.language
    told = prepared.captions
    if not config.tells_captions:
        told = tuple(language.own_captions("") for _ in config.images)
    examples = prepare_examples(
        run,
        prepared.pipeline,
        config.images,
        [c.strip() for c in config.captions] or [""] * len(config.images),
        prepared.prior_captions,
        report,
        cancel,
    )
    return LoraStage(
        run,
        prepared.pipeline,
        examples,
        prepared.captions,
        prepared.prior_captions,
        config.class_word,
        config.sample_prompts or language.sample_prompts(),
        make_metadata(config, run, language.phrase, told),
        cancel,
        may_show,
    )


def prepare(config: PersonalConfig) -> Prepared:
    """Load the model and decide all that was left open, without beginning anything.

    Raises:
        InputError: The trigger word or a setting can't be used.
        ConfigError: The model has no pictures of that size.
        CheckpointError: The model is broken.
    """
    device = choose_device(None)
    pipeline, base = _load(config.model, _dtype(config, device))
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    run = resolve(config, pipeline, base)
    words = config.token, config.class_word, config.kind
    language = Language.of(*words, pipeline.tokenizer)
    given = config.captions or ("",) * len(config.images)
    captions = tuple(language.own_captions(caption.strip()) for caption in given)
    moves = bool(run.motions)
    prior_captions = tuple(language.prior_captions(run.num_prior_images, run.seed, moves))
    return Prepared(run, pipeline, language, captions, prior_captions)


def _stopped(run: PersonalRun) -> str:
    """What is said where a run is stopped before it goes on, or begins."""
    found = list_checkpoints(run.output / CHECKPOINTS)
    step = load_checkpoint(found[-1], [])[0].step if found else 0
    return f"Stopped while preparing, at step {step} of {run.num_steps}; start again to resume."


def _is_there(new: Path, old: Path) -> bool:
    """Whether a file says and does what an older one does, but for the date.

    That one stays where a finished run is called again: it is the same to all who go by its hash.
    """
    try:
        read_header(old)
    except CheckpointError:
        return False
    return _without_date(new) == _without_date(old)


def _without_date(file: Path) -> tuple[dict[str, Any], bytes]:
    """What a LoRA says, in whatever order, and its weights."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.get("__metadata__", {}).pop(DATE, None)
    return header, data[start:]


def _load(model: str, dtype: torch.dtype) -> tuple[TextToVideoPipeline, str]:
    """The model, and the hash by which others know it: of weights that are not rounded to bf16."""
    is_rounded = dtype == torch.bfloat16
    pipeline = load_pipeline(model, torch.float32 if is_rounded else dtype)
    networks: tuple[nn.Module, ...] = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    base = hash_weights(*networks)
    if is_rounded:
        for network in networks:
            network.bfloat16()
    return pipeline, base


def _too_large(run: PersonalRun) -> str:
    """What is said where a training does not fit: what it is, and what would be less."""
    rows, video = run.batch_size + run.prior_rows, run.video
    shown = "clips" if run.motions else "stills"
    return (
        f"Learning from {shown} of {video.height}x{video.width}, {rows} a step, does not fit the "
        "device's memory. Use a smaller height and width, a smaller batch_size, "
        + ("moves=false, or " if run.motions else "or ")
        + "gradient_checkpointing."
    )


def _dtype(config: PersonalConfig, device: torch.device) -> torch.dtype:
    """Of the weights that do not learn: half precision on a GPU, unless told otherwise."""
    precision = config.mixed_precision or (usual_precision() if device.type == "cuda" else "no")
    return {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def check_images(images: Sequence[Path]) -> None:
    """Raise unless all pictures can be used.

    Raises:
        InputError: One can't.
    """
    checks = check_pictures(images)
    problem = check_set(checks) or next((c.problem for c in checks if c.problem), None)
    if problem is not None:
        raise InputError(problem, "images")


def write_personal(config: PersonalConfig) -> None:
    """Keep what was asked for in the run's folder, as a file that ``--config`` takes."""
    config.output.mkdir(parents=True, exist_ok=True)
    path = config.output / "personal.yaml"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        f"# python -m lora train --config {path}\n{dump_config(config)}", encoding="utf-8"
    )
    temporary.replace(path)
