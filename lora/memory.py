"""About how much memory it takes to teach the published base model something.

Counted on PyTorch's meta device, as for `lavie.runtime.profiles`; a fifth is added to what a step
computes, for what the GPU's libraries need. The tests count again.
"""

from dataclasses import dataclass

from lavie.runtime.profiles import PROFILES, estimate_peak
from lora.settings import PersonalRun

_GB = 1e9
_NUM_FROZEN = 909e6 + 83.7e6 + 123e6  # U-Net, VAE, text encoder
_NUM_LEARNT_PER_RANK = 199_296.0  # of attention within a frame and to the text
_STEP_BYTES = {True: 0.703e9, False: 2.223e9}
"""Of one still of 320x512 in half precision, with activations computed again or kept."""
_AREA = 320 * 512
_FOR_LIBRARIES = 1.2
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
) -> TrainingMemory:
    """Estimate what a training of the published base model takes, attention alone.

    Args:
        rank: Of the LoRA.
        rows: Stills of a step, those of the model's own included.
        area: Pixels of a still.
        checkpointing: Whether activations are computed again.
        half: Whether what does not learn is in half precision.
        optimizer: How AdamW keeps its means, "full" or "8-bit".
    """
    itemsize = 2 if half else 4
    learnt = rank * _NUM_LEARNT_PER_RANK * _BYTES_PER_LEARNT[optimizer]
    resident = _NUM_FROZEN * itemsize + learnt
    step = _STEP_BYTES[checkpointing] * rows * area / _AREA * itemsize / 2
    sampling = estimate_peak(PROFILES[-1], "base") - _NUM_FROZEN * 2  # its weights are counted here
    return TrainingMemory(
        resident + _FOR_LIBRARIES * step, resident + sampling * itemsize / 2 * area / _AREA
    )


def memory_lines(run: PersonalRun) -> list[str]:
    """What a dry run says of memory: of the published model with the settings of a run."""
    rows = run.batch_size + run.prior_rows
    usual, here = (
        estimate_training(),
        estimate_training(
            run.rank,
            rows,
            run.video.height * run.video.width,
            run.gradient_checkpointing,
            run.mixed_precision != "no",
            run.optimizer.memory,
        ),
    )
    return [
        "memory, estimated for the published base model at 320x512, rank 16, attention, one still "
        f"and one of its own a step, half precision: {usual.step / _GB:.1f} GB while it learns, "
        f"{usual.sample / _GB:.1f} GB while it makes a sample",
        f"the published base model with these settings: {here.peak / _GB:.1f} GB",
    ]
