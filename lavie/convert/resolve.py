"""From whatever a user calls a model to a model that runs."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch

from lavie.convert.build import check_loadable, load_published
from lavie.convert.published import NETWORKS
from lavie.convert.sources import (
    Source,
    choose_source,
    download_notice,
    find_source,
    is_cached,
    is_original_folder,
    is_published_repository,
    network_of,
    published_stages,
)
from lavie.convert.stages import find_stages
from lavie.errors import CheckpointError
from lavie.pipelines.model_folder import (
    MINIATURE,
    MINIATURE_FOLDER,
    find_borrowed_parts,
    get_model_folder,
    read_model_index,
)
from lavie.pipelines.stages import PIPELINES
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.pipelines.video_pipeline import VideoPipeline
from lavie.types import StageName

logger = logging.getLogger(__name__)

FoundKind = Literal["bundled", "model folder", "published files"]


@dataclass(frozen=True)
class FoundModel:
    """A model on this machine.

    Attributes:
        name: What ``--model`` takes.
        kind: Where it comes from.
        num_bytes: Of all its files.
        stages: Those it has, in their order.
    """

    name: str
    kind: FoundKind
    num_bytes: int
    stages: tuple[StageName, ...]


def load_pipeline(model: str | Path, dtype: torch.dtype = torch.float32) -> TextToVideoPipeline:
    """Load any text-to-video model: the base stage, see `load_stage`."""
    return cast(TextToVideoPipeline, load_stage(model, "base", dtype))


def load_stage(
    model: str | Path,
    stage: StageName,
    dtype: torch.dtype = torch.float32,
    shared: Mapping[str, Any] | None = None,
) -> VideoPipeline:
    """Load one stage of any model.

    Args:
        model: A model folder; ``"miniature"``; a folder in the original's ``pretrained_models/``
            layout; the hub id of a model folder or of the published checkpoints.
        stage: Which one.
        dtype: Of all weights.
        shared: Components of the base, by name. Those that the stage has in common with the base
            are taken from here instead of being loaded again.

    Raises:
        CheckpointError: There is no such model or stage, or it is broken or unsafe.
    """
    path = Path(model)
    pipeline_class = PIPELINES[stage]
    if stage != "base" and stage not in find_stages(model):
        raise CheckpointError(f"Model '{model}' has no stage '{stage}'.")
    if is_original_folder(path):
        return load_published(find_source(path, NETWORKS[stage]), dtype, shared)
    if is_published_repository(str(model)) and not path.exists():
        return load_published(_download(str(model), stage), dtype, shared)
    folder = get_model_folder(model, pipeline_class.__name__)
    index = read_model_index(folder, pipeline_class.__name__)
    borrowed = find_borrowed_parts(folder, index).keys() & (shared or {}).keys()
    return pipeline_class.from_pretrained(
        folder, dtype=dtype, **{name: (shared or {})[name] for name in borrowed}
    )


def find_models(*places: Path) -> list[FoundModel]:
    """List the models on this machine: the bundled one, those in folders, those in the hub's cache.

    Args:
        *places: Folders that may be models or hold models.
    """
    found = []
    if (MINIATURE_FOLDER / "model_index.json").is_file():
        found.append(_found(MINIATURE, "bundled", MINIATURE_FOLDER))
    for place in places:
        found.extend(find_models_in(place))
    return found + _cached_models()


def find_models_in(place: Path) -> list[FoundModel]:
    """List the models that a folder is or holds, without loading them."""
    found = []
    for folder in [place, *_subfolders(place)]:
        if is_original_folder(folder):
            found.append(_found(str(folder), "published files", folder))
        elif _is_ours(folder):
            found.append(_found(str(folder), "model folder", folder))
    return found


def _found(name: str, kind: FoundKind, folder: Path) -> FoundModel:
    return FoundModel(name, kind, _size(folder), find_stages(folder))


def _download(repository: str, stage: StageName) -> Source:
    """A published checkpoint from the hub, after telling what comes."""
    network = NETWORKS[stage]
    if repository not in network.repositories:
        check_loadable(network_of(repository))
    if not is_cached(network, repository):
        for line in download_notice(network):
            logger.warning("Downloading %s", line)
    return choose_source(repository, stage)


def _cached_models() -> list[FoundModel]:
    from huggingface_hub import constants, scan_cache_dir

    if not Path(constants.HF_HUB_CACHE).is_dir():
        return []
    found = []
    for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos:
        if is_published_repository(repo.repo_id):
            stages = published_stages(repo.repo_id)
            cached = [stage for stage in stages if is_cached(NETWORKS[stage], repo.repo_id)]
            found.append((repo, "published files", cached))
        elif any(_is_ours(folder) for folder in _subfolders(repo.repo_path / "snapshots")):
            found.append((repo, "model folder", find_stages(repo.repo_id)))
    return [
        FoundModel(repo.repo_id, kind, repo.size_on_disk, tuple(stages))
        for repo, kind, stages in sorted(found, key=lambda entry: entry[0].repo_id)
    ]


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a LaVie model, and not one of the many others in diffusers' layout."""
    index = folder / "model_index.json"
    return index.is_file() and b'"lavie.models' in index.read_bytes()


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
