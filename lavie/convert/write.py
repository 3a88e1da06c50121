"""The command's work: published files in, a model folder out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from lavie.convert.build import load_published, read_checkpoint
from lavie.convert.provenance import write_provenance
from lavie.convert.published import CASCADE, NetworkName
from lavie.convert.sources import Source
from lavie.models.keys import KeyReport
from lavie.pipelines.model_folder import forget_paths, save_stage
from lavie.pipelines.new_folder import check_space, check_target, new_folder
from lavie.types import CancelToken, OnEvent, Progress

DTYPES: dict[str, torch.dtype] = {"fp16": torch.float16, "fp32": torch.float32}
DtypeName = Literal["fp16", "fp32"]
CONVERT = "convert"
"""The stage that `Progress` events of a conversion name; their steps are networks."""


@dataclass(frozen=True)
class Converted:
    """A model folder that was written.

    Attributes:
        folder: Where it is.
        reports: The published networks it holds, and how their keys and shapes agreed.
        dtype: Of its weights.
        num_bytes: Of its weights.
        seconds: What it took.
    """

    folder: Path
    reports: Mapping[NetworkName, KeyReport]
    dtype: DtypeName
    num_bytes: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The same, in types that JSON has."""
        return {
            "output": str(self.folder),
            "network": CASCADE if len(self.reports) > 1 else next(iter(self.reports)),
            "networks": list(self.reports),
            "dtype": self.dtype,
            "bytes": self.num_bytes,
            "keys": sum(report.num_found for report in self.reports.values()),
            "seconds": round(self.seconds, 3),
        }


def convert(
    sources: Sequence[Source],
    target: Path,
    dtype: DtypeName = "fp16",
    *,
    overwrite: bool = False,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Converted:
    """Write published networks as one model folder, whole or not at all.

    Args:
        sources: The published files: of any one network, or of the base and later stages, which go
            into sub-folders without what they share with it.
        target: The folder to make.
        dtype: ``fp16`` is what the release computes in; ``fp32`` keeps every bit of the files.
        overwrite: Replace a model folder that is there.
        on_event: Hears of every network that is done, the first time of none.
        cancel: Looked at before every network.

    Raises:
        CheckpointError: A file does not fit or is unsafe, or the disk is too small.
        InputError: The target may not be written.
        Cancelled: ``cancel`` was set.
    """
    # The door: every file is looked at before the first is read
    started = time.monotonic()
    check_target(target, overwrite=overwrite)
    checkpoints = [read_checkpoint(source) for source in sources]
    num_values = sum(checkpoint.num_values for checkpoint in checkpoints)
    folders = {source.stable_diffusion for source in sources}
    check_space(
        target, num_values * DTYPES[dtype].itemsize + sum(map(_num_bytes_of_parts, folders))
    )

    # The work
    with new_folder(target, overwrite=overwrite) as folder:
        for index, source in enumerate(sources):
            if cancel is not None:
                cancel.raise_if_cancelled()
            if on_event is not None:
                on_event(Progress(CONVERT, index, len(sources)))
            if index == 0:
                load_published(source, DTYPES[dtype]).save_pretrained(folder)
            else:
                save_stage(load_published(source, DTYPES[dtype]), folder)
        forget_paths(folder)
        write_provenance(folder, [source.network for source in sources])
        if cancel is not None:
            cancel.raise_if_cancelled()
        num_bytes = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    if on_event is not None:
        on_event(Progress(CONVERT, len(sources), len(sources), 0.0))
    reports: dict[NetworkName, KeyReport] = {
        source.network.name: checkpoint.report
        for source, checkpoint in zip(sources, checkpoints, strict=True)
    }
    return Converted(target, reports, dtype, num_bytes, time.monotonic() - started)


def _num_bytes_of_parts(stable_diffusion: Path) -> int:
    """What the VAE and the text encoder take on disk at most: as much as they do now."""
    return sum(
        max((file.stat().st_size for file in (stable_diffusion / part).iterdir()), default=0)
        for part in ("vae", "text_encoder")
    )
