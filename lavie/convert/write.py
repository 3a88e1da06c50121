"""The command's work: published files in, a model folder out."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch
from torch import nn

from lavie.convert.build import load_components
from lavie.convert.published import NetworkName, PublishedNetwork
from lavie.convert.sources import Source
from lavie.models.keys import KeyReport
from lavie.pipelines.new_folder import check_space, check_target, new_folder
from lavie.pipelines.text_to_video import TextToVideoPipeline

DTYPES: dict[str, torch.dtype] = {"fp16": torch.float16, "fp32": torch.float32}
DtypeName = Literal["fp16", "fp32"]


@dataclass(frozen=True)
class Converted:
    """A model folder that was written.

    Attributes:
        folder: Where it is.
        network: Which published network it holds.
        dtype: Of its weights.
        num_bytes: Of its weights.
        seconds: What it took.
        report: How the keys and shapes agreed.
    """

    folder: Path
    network: NetworkName
    dtype: DtypeName
    num_bytes: int
    seconds: float
    report: KeyReport

    def as_json(self) -> dict[str, Any]:
        """The same, in types that JSON has."""
        return {
            "output": str(self.folder),
            "network": self.network,
            "dtype": self.dtype,
            "bytes": self.num_bytes,
            "keys": self.report.num_found,
            "seconds": round(self.seconds, 3),
        }


def convert(
    source: Source, target: Path, dtype: DtypeName = "fp16", *, overwrite: bool = False
) -> Converted:
    """Write a published network as a model folder, whole or not at all.

    Args:
        source: The published files.
        target: The folder to make.
        dtype: ``fp16`` is what the release computes in; ``fp32`` keeps every bit of the files.
        overwrite: Replace a model folder that is there.

    Raises:
        CheckpointError: A file does not fit or is unsafe, or the disk is too small.
        InputError: The target may not be written.
    """
    started = time.monotonic()
    check_target(target, overwrite=overwrite)
    components, report = load_components(source, DTYPES[dtype])
    num_bytes = sum(
        parameter.numel() * parameter.itemsize
        for part in components.values()
        if isinstance(part, nn.Module)
        for parameter in part.state_dict().values()
    )
    check_space(target, num_bytes)
    with new_folder(target, overwrite=overwrite) as folder:
        if source.network.name == "base":
            pipeline = TextToVideoPipeline(**components, **source.network.defaults)
            pipeline.save_pretrained(folder, safe_serialization=True)
        else:
            _write_parts(folder, source.network, components)
    seconds = time.monotonic() - started
    return Converted(target, source.network.name, dtype, num_bytes, seconds, report)


def _write_parts(folder: Path, network: PublishedNetwork, components: dict[str, Any]) -> None:
    """Write the folder of a pipeline by hand, in the layout of ``save_pretrained``.

    A model folder names the pipeline it is for, and other pipelines refuse it by that name.
    """
    index: dict[str, Any] = {
        "_class_name": network.pipeline_class,
        "_diffusers_version": diffusers.__version__,
        **network.defaults,
    }
    for name, part in components.items():
        part.save_pretrained(folder / name)
        library = type(part).__module__.split(".")[0]
        index[name] = ["lavie.models" if library == "lavie" else library, type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
