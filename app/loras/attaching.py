"""The LoRAs of a job on the networks that make its first version, for as long as that takes."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

from app.loras.use import LoraUse
from app.texts import lora_rules as texts
from lavie.errors import InputError
from lavie.types import StageName

if TYPE_CHECKING:
    from lavie.cascade import Cascade
    from lavie.pipelines.text_to_video import TextToVideoPipeline

_SPATIAL: tuple[StageName, ...] = ("base", "long_video")
"""The stages whose networks have the layers of a LoRA; later ones sharpen what is there."""


@contextmanager
def loras_on(cascade: "Cascade", loras: Sequence[LoraUse], stage: StageName) -> Iterator[None]:
    """Have LoRAs on while a stage runs; with none, it runs as if there never had been any.

    Args:
        cascade: The model.
        loras: Which, and how much of each.
        stage: Which stage is about to run.

    Raises:
        InputError: The file of one is gone.
        CheckpointError: One is for another model.
        MemoryBudgetError: They do not fit the device's memory beside the model.
    """
    if not loras or stage not in _SPATIAL:
        yield
        return
    for use in loras:
        if not use.file.is_file():
            raise InputError(texts.lora_is_gone(use.name), "loras")
    from lora.memory import within_memory
    from lora.use import with_loras

    needs_both = stage == "long_video" and cascade.goes_on_from_frames
    names: tuple[StageName, ...] = _SPATIAL if needs_both else ("base",)
    pipelines = [cast("TextToVideoPipeline", cascade.loaded.get(name)) for name in names]
    chosen = [(use.file, use.weight) for use in loras]
    on = with_loras(pipelines, chosen, cascade.model_hash)
    with ExitStack() as block:
        with within_memory(texts.LORAS_TOO_LARGE):  # what the stage itself takes, it says itself
            block.enter_context(on)
        yield
