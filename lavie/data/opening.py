"""From settings to data sources."""

from collections.abc import Sequence
from pathlib import Path

from lavie.data.config import SourceConfig
from lavie.data.handheld import HandheldSource
from lavie.data.listed import open_folder, open_metadata
from lavie.data.mixing import Mixture
from lavie.data.sources import ClipReader, VideoSource
from lavie.errors import ConfigError


def open_source(
    config: SourceConfig, num_frames: int, height: int, width: int, fps: float
) -> VideoSource:
    """The source that the settings describe, giving samples of one fixed shape.

    Args:
        config: What to read.
        num_frames: Frames of a clip; stills have one, unless they are handheld.
        height: Height of every sample.
        width: Width of every sample.
        fps: Frames per second of a clip.

    Raises:
        ConfigError: The shape is impossible.
        InputError: The files are missing or nothing in them can be used.
    """
    if min(num_frames, height, width) < 1 or not fps > 0:
        shape = f"{num_frames} frames of {width}x{height} at {fps} frames per second"
        raise ConfigError(f"Samples of {shape} don't exist; use numbers above 0.")
    reader = ClipReader(
        num_frames=1 if config.stills else num_frames,
        height=height,
        width=width,
        fps=fps,
        random_moment=config.moment == "random",
        random_crop=config.crop == "random",
    )
    source = _open_files(config, reader, num_frames)
    return HandheldSource(source, num_frames) if config.handheld else source


def _open_files(config: SourceConfig, reader: ClipReader, num_frames: int) -> VideoSource:
    path = config.path or Path()
    match config.kind:
        case "world":
            from lavie.data.world_source import WorldSource

            size = (reader.height, reader.width)
            moving = "continuations" if config.continuations else "clips"
            still = "strangers" if config.strangers else "stills"
            kind = still if config.stills else moving
            return WorldSource(
                config.split,
                num_frames,
                *size,
                kind,
                config.subjects,
                config.any_size,
                config.motions,
            )
        case "folder":
            return open_folder(path, reader, config.stills, config.shuffle)
        case "metadata":
            return open_metadata(path, reader, config.stills, config.shuffle)
        case "webdataset":
            from lavie.data.webdataset_source import WebDatasetSource

            return WebDatasetSource(
                config.urls, reader, config.stills, config.shuffle, config.shuffle_buffer
            )


def open_mixture(
    configs: Sequence[SourceConfig],
    num_frames: int,
    height: int,
    width: int,
    fps: float,
    samples_per_step: int,
) -> Mixture:
    """All sources of a run as one, mixed by their weights and steps.

    Args:
        configs: The sources.
        num_frames: As for `open_source`, like the next three.
        height: See above.
        width: See above.
        fps: See above.
        samples_per_step: Samples that one process uses in one training step: batch size times
            accumulation, for stills also times images in a row.

    Raises:
        ConfigError: The shape is impossible, or a step has no source.
        InputError: The files of a source are missing or unusable.
    """
    sources = [open_source(config, num_frames, height, width, fps) for config in configs]
    return Mixture(sources, configs, samples_per_step)
