"""The stages of a model: each loaded when it is first asked for, each in its turn on the device."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from torch import nn

from lavie.convert.resolve import load_stage
from lavie.errors import InputError, MemoryBudgetError
from lavie.models.fingerprint import hash_weights
from lavie.pipelines.model_folder import SHARED_PARTS
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.runtime.devices import TakingTurns
from lavie.runtime.memory import is_out_of_memory
from lavie.types import StageName


class Stages:
    """The stages of a model, of which the base is loaded.

    Args:
        base: The text-to-video stage, on the device where all are to work.
        model: The name or folder it was loaded from.
        names: Those that can be loaded from there.
        low_memory: See `TakingTurns`.
        folders: Models that later stages are loaded from instead.
    """

    def __init__(
        self,
        base: TextToVideoPipeline,
        model: str,
        names: Sequence[StageName],
        low_memory: bool | None,
        folders: Mapping[StageName, str | Path] | None = None,
    ) -> None:
        self.model = model
        self.folders = folders or {}
        self.names = tuple(
            name for name in get_args(StageName) if name in {"base", *names, *self.folders}
        )
        self.hashes: dict[StageName, str] = {}
        self.turns = TakingTurns(base.device, low_memory)
        self._base = base
        self._loaded: dict[StageName, VideoPipeline] = {}
        self._add("base", base)

    def check(self, name: str) -> None:
        """Raise unless the model has a stage.

        Raises:
            InputError: It has not.
        """
        if name not in self.names:
            raise InputError(
                f"Model '{self.model}' has no stage '{name}'. It has {', '.join(self.names)}.",
                "stages",
            )

    def get(self, name: StageName) -> VideoPipeline:
        """A stage's pipeline, wherever its networks are; loaded if it was not.

        Raises:
            InputError: The model has no such stage.
            CheckpointError: The stage's folder is broken.
        """
        self.check(name)
        if name not in self._loaded:
            dtype = self._base.unet.dtype
            self._add(
                name,
                load_stage(
                    self.folders.get(name, self.model), name, dtype, self._shared_with(name)
                ),
            )
        return self._loaded[name]

    def begin(self, name: StageName) -> VideoPipeline:
        """A stage's pipeline, its networks on the device."""
        pipeline = self.get(name)
        everything = (n for loaded in self._loaded.values() for n in _networks(loaded))
        self.turns.begin(_networks(pipeline), everything)
        return pipeline

    @contextmanager
    def at_work(self, name: StageName, too_large: str, way_out: str) -> Iterator[None]:
        """A stage's turn on the device.

        Args:
            name: Which.
            too_large: Begins the sentence if memory does not suffice.
            way_out: Another sentence without its end, for then.

        Raises:
            MemoryBudgetError: It did not suffice.
        """
        try:
            self.begin(name)
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            others = len(self._loaded) > 1 and self.turns.could_wait
            also = ", or let the stages take turns on the device" if others else ""
            raise MemoryBudgetError(
                f"{too_large} the memory of {self.turns.device.type}. {way_out}{also}."
            ) from error

    def _add(self, name: StageName, pipeline: VideoPipeline) -> None:
        pipeline.set_progress_bar_config(disable=True)  # progress goes to on_event
        self._loaded[name] = pipeline
        self.hashes[name] = hash_weights(pipeline.unet, pipeline.vae, pipeline.text_encoder)

    def _shared_with(self, name: StageName) -> Mapping[str, Any]:
        """Parts of the base that a stage may use as they are.

        Super-resolution decodes in float32 always, so it does not share a VAE of another type.
        """
        parts = {part: getattr(self._base, part) for part in SHARED_PARTS}
        if name == "super_resolution" and parts["vae"].dtype.itemsize < 4:
            del parts["vae"]
        return parts


def _networks(pipeline: VideoPipeline) -> Iterable[nn.Module]:
    return [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
