"""Several sources as one: shares by weight, and a curriculum by training step."""

from collections.abc import Iterator, Sequence
from itertools import count

import torch
from torch import Tensor

from lavie.data.config import SourceConfig
from lavie.data.sources import Draw, VideoSource, derive_generator, derive_seed
from lavie.errors import ConfigError

BLOCK = 1024  # choices that are drawn together


class Mixture(VideoSource):
    """Draws each sample from one of the sources that its training step uses.

    Which source sample k comes from depends on ``(seed, rank, k)`` alone, so a resumed run finds
    its place in every source by counting the choices made before.

    Args:
        sources: Sources, in the order of ``configs``.
        configs: Weight, first and last step of each.
        samples_per_step: Samples that one process uses in one training step.

    Raises:
        ConfigError: There is a step without any source.
    """

    def __init__(
        self,
        sources: Sequence[VideoSource],
        configs: Sequence[SourceConfig],
        samples_per_step: int,
    ) -> None:
        check_schedule(configs)
        self.sources = list(sources)
        self.configs = list(configs)
        self.samples_per_step = samples_per_step
        self.reports = tuple(report for source in self.sources for report in source.reports)
        sizes = [source.num_clips for source in self.sources]
        self.num_clips = None if None in sizes else sum(size for size in sizes if size)

    def draws(
        self, seed: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Draw]:
        """The order of the samples; ``start`` costs what it costs the sources."""
        used = self._count_choices(seed, rank, start)
        streams: dict[int, Iterator[Draw]] = {}
        for block in count(start // BLOCK):
            first = start % BLOCK if block == start // BLOCK else 0
            for choice in self._choices(seed, rank, block)[first:].tolist():
                if choice not in streams:  # a source that starts late is not opened before
                    source, source_seed = self.sources[choice], derive_seed(seed, "mix", choice)
                    streams[choice] = source.draws(source_seed, used[choice], rank, world_size)
                yield next(streams[choice])

    def _choices(self, seed: int, rank: int, block: int) -> Tensor:
        """Numbers of the sources for the samples of one block, int64 ``(BLOCK,)``."""
        steps = (block * BLOCK + torch.arange(BLOCK)) // self.samples_per_step
        rows = []
        for config in self.configs:
            is_active = steps >= config.from_step
            if config.to_step is not None:
                is_active &= steps < config.to_step
            rows.append(is_active.double() * config.weight)
        shares = torch.stack(rows).cumsum(0)  # (sources, BLOCK)
        generator = derive_generator(seed, "choice", rank, block)
        draws = torch.rand(BLOCK, dtype=torch.float64, generator=generator) * shares[-1]
        return (draws >= shares).sum(0)

    def _count_choices(self, seed: int, rank: int, stop: int) -> list[int]:
        """How many of the first ``stop`` samples came from each source."""
        totals = torch.zeros(len(self.sources), dtype=torch.int64)
        for block in range(-(-stop // BLOCK)):
            choices = self._choices(seed, rank, block)[: stop - block * BLOCK]
            totals += torch.bincount(choices, minlength=len(self.sources))
        return totals.tolist()


def check_schedule(configs: Sequence[SourceConfig]) -> None:
    """Raise unless every step has a source.

    Raises:
        ConfigError: One has none.
    """
    # It is enough to look where a source ends.
    ends = {config.to_step for config in configs if config.to_step is not None}
    for step in sorted({0, *ends}):
        if not any(config.is_active(step) for config in configs):
            raise ConfigError(
                f"No data source is used in step {step}; "
                "let one begin there (from_step) or end later (to_step)."
            )
