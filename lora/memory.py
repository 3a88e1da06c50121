"""Memory for teaching a model: about how much the published one takes, and what if it runs out.

Counted on PyTorch's meta device, as for `lavie.runtime.profiles`; a fifth is added to what a step
computes, for what the GPU's libraries need. The tests count again.
"""

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from lavie.errors import MemoryBudgetError
from lavie.runtime.memory import is_out_of_memory
from lavie.runtime.profiles import (
    FOR_LIBRARIES,
    GB,
    HALF,
    NUMBERS,
    PROFILES,
    SMALL_FRAME,
    TEXT_ENCODER,
    VAE,
    estimate_peak,
)
from lora.inject import SpatialPart
from lora.settings import PersonalRun

_NUM_FROZEN = NUMBERS["unet"] + VAE + TEXT_ENCODER
_NUM_LEARNT_PER_RANK: Mapping[SpatialPart, int] = {
    "attention": 199_296,
    "feed_forward": 174_720,
    "projections": 49_920,
    "convolutions": 578_560,
    "conditioning": 48_320,
}
_NUM_TEMPORAL_PER_RANK, _NUM_TEXT_PER_RANK = 99_840, 73_728
_NUM_WHOLE: Mapping[SpatialPart, int] = {
    "attention": 93_511_680,
    "feed_forward": 148_684_800,
    "projections": 24_780_800,
    "convolutions": 564_224_000,
    "conditioning": 25_804_800,
}
_NUM_WHOLE_TEMPORAL, _NUM_WHOLE_TEXT = 49_561_600, 28_311_552
_STEP_BYTES = {True: 0.703e9, False: 2.223e9}
"""Of one still of 320x512 in half precision, with activations computed again or kept, where
attention alone learns."""
_MOST_STEP_BYTES = {True: 0.754e9, False: 2.756e9}
"""Where all layers do; taken for whatever is more than attention."""
_AREA = SMALL_FRAME[0] * SMALL_FRAME[1]
_BYTES_PER_LEARNT = {"full": 20, "8-bit": 14}
"""The weight, its gradient, AdamW's two means and the running average."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes at the fullest moments of a training.

    Args:
        step: While it learns.
        sample: While it makes a sample video.
    """

    step: float
    sample: float

    @property
    def peak(self) -> float:
        """The most of all."""
        return max(self.step, self.sample)


def estimate_training(
    rank: int = 16,
    rows: int = 2,
    area: int = _AREA,
    checkpointing: bool = True,
    half: bool = True,
    optimizer: str = "full",
    parts: Collection[SpatialPart] = ("attention",),
    also_temporal: bool = False,
    train_text_encoder: bool = False,
    whole: bool = False,
) -> TrainingMemory:
    """Estimate what a training of the published base model takes.

    Args:
        rank: Of the LoRA.
        rows: Stills of a step, those of the model's own included.
        area: Pixels of a still.
        checkpointing: Whether activations are computed again.
        half: Whether what does not learn is in half precision.
        optimizer: How AdamW keeps its means, "full" or "8-bit".
        parts: Which spatial layers learn.
        also_temporal: Whether attention over time learns too.
        train_text_encoder: Whether the text encoder's attention does.
        whole: Whether layers learn as a whole instead of a LoRA on them.
    """
    itemsize = 2 if half else 4
    if whole:
        learnt = sum(_NUM_WHOLE[part] for part in set(parts))
        learnt += also_temporal * _NUM_WHOLE_TEMPORAL + train_text_encoder * _NUM_WHOLE_TEXT
    else:
        learnt = sum(_NUM_LEARNT_PER_RANK[part] for part in set(parts))
        learnt += also_temporal * _NUM_TEMPORAL_PER_RANK + train_text_encoder * _NUM_TEXT_PER_RANK
        learnt *= rank
    num_frozen = _NUM_FROZEN - learnt * whole
    resident = num_frozen * itemsize + learnt * _BYTES_PER_LEARNT[optimizer]
    resident += learnt * itemsize * (whole and half)  # autocast keeps a copy of each weight
    is_usual = set(parts) <= {"attention"} and not also_temporal
    per_still = (_STEP_BYTES if is_usual else _MOST_STEP_BYTES)[checkpointing]
    step = per_still * rows * area / _AREA * itemsize / HALF
    sampling = estimate_peak(PROFILES[-1], "base") - _NUM_FROZEN * HALF  # counted here
    return TrainingMemory(
        resident + FOR_LIBRARIES * step, resident + sampling * itemsize / HALF * area / _AREA
    )


def memory_lines(run: PersonalRun) -> list[str]:
    """What a dry run says of memory: of the published model with the settings of a run."""
    rows = (run.batch_size + run.prior_rows) * run.num_frames
    usual, here = (
        estimate_training(),
        estimate_training(
            run.rank,
            rows,
            run.video.height * run.video.width,
            run.gradient_checkpointing,
            run.mixed_precision != "no",
            run.optimizer.memory,
            run.parts,
            run.also_temporal,
            run.train_text_encoder,
            run.whole,
        ),
    )
    return [
        "memory, estimated for the published base model at 320x512, rank 16, attention, one still "
        f"and one of its own a step, half precision: {usual.step / GB:.1f} GB while it learns, "
        f"{usual.sample / GB:.1f} GB while it makes a sample",
        f"the published base model with these settings: {here.peak / GB:.1f} GB",
    ]


@contextmanager
def within_memory(too_large: str) -> Generator[None]:
    """Work in a block, and say so in a sentence if memory does not suffice for it.

    Args:
        too_large: What does not fit, and the way out.

    Raises:
        MemoryBudgetError: It did not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryBudgetError(too_large) from error
