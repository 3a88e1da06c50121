"""Where the published files are: a folder as the original code keeps it, or the hub.

The original's folder::

    pretrained_models/
      lavie_base.pt  lavie_interpolation.pt  lavie_vsr.pt
      stable-diffusion-v1-4/         vae, text_encoder, tokenizer, unet/config.json
      stable-diffusion-x4-upscaler/  the same, for lavie_vsr.pt
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import get_args

from lavie.convert.download import Hub, HubError, HubFile
from lavie.convert.published import CASCADE, NETWORKS, PublishedNetwork, PublishedParts
from lavie.errors import CheckpointError, InputError
from lavie.pipelines.model_folder import is_hub_id
from lavie.pipelines.new_folder import check_space
from lavie.types import CASCADE_STAGES, OnEvent, StageName

REQUIRED_PARTS = ("vae/config.json", "text_encoder/config.json", "tokenizer/tokenizer_config.json")

_PARTS_FILES: tuple[tuple[str, ...], ...] = (
    ("unet/config.json",),
    ("vae/config.json",),
    ("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin"),
    ("text_encoder/config.json",),
    ("text_encoder/model.safetensors", "text_encoder/pytorch_model.bin"),
    ("tokenizer/vocab.json",),
    ("tokenizer/merges.txt",),
    ("tokenizer/tokenizer_config.json",),
    ("tokenizer/special_tokens_map.json",),
)
"""Of several names, the first that the repository has."""


@dataclass(frozen=True)
class Source:
    """The files of one published network, all on this machine.

    Attributes:
        network: Which one it is.
        checkpoint: Its U-Net weights.
        stable_diffusion: Folder of the Stable Diffusion that it was made from, in the diffusers
            layout.
    """

    network: PublishedNetwork
    checkpoint: Path
    stable_diffusion: Path


def is_original_folder(folder: Path) -> bool:
    """Whether a folder is laid out as the original code's ``pretrained_models/``."""
    return any((folder / network.file).is_file() for network in NETWORKS.values())


def find_source(
    path: Path, network: PublishedNetwork, stable_diffusion: Path | None = None
) -> Source:
    """Find a published network's files on this machine.

    Args:
        path: A folder in the original's layout, or the checkpoint file itself.
        network: Which network to look for.
        stable_diffusion: Folder of the network's Stable Diffusion; default: the one beside the
            checkpoint.

    Raises:
        CheckpointError: A file is missing; the sentence names it and where it comes from.
    """
    checkpoint = path / network.file if path.is_dir() else path
    if not checkpoint.is_file():
        raise CheckpointError(
            f"{checkpoint} does not exist. It is published as {network.file} in "
            f"{' and '.join(network.repositories)}."
        )
    folder = stable_diffusion or checkpoint.parent / network.parts.folder
    absent = [part for part in REQUIRED_PARTS if not (folder / part).is_file()]
    if absent:
        raise CheckpointError(
            f"{folder / absent[0]} does not exist. {network.file} needs the VAE, text encoder and "
            f"tokenizer of {network.parts.repository} in that folder."
        )
    return Source(network, checkpoint, folder)


def is_published_repository(name: str) -> bool:
    """Whether a hub id is one of those that hold a published checkpoint."""
    return any(name in network.repositories for network in NETWORKS.values())


def published_stages(where: str | Path) -> tuple[StageName, ...]:
    """The stages whose checkpoints a folder of the original's layout, or a hub id, holds."""
    stages: tuple[StageName, ...] = get_args(StageName)
    return tuple(stage for stage in stages if _holds(where, NETWORKS[stage]))


def _holds(where: str | Path, network: PublishedNetwork) -> bool:
    return str(where) in network.repositories or (Path(where) / network.file).is_file()


def choose_source(
    where: str | None, network: str | None = None, stable_diffusion: Path | None = None
) -> Source:
    """Find the files that a user means, downloading what is named by hub id or not at all.

    Args:
        where: A folder in the original's layout, a checkpoint file, or a hub id; None: the hub.
        network: Name of the published network; None: what `where` holds, else the base network.
        stable_diffusion: Folder of the network's Stable Diffusion; None: beside the checkpoint, or
            the hub.

    Raises:
        InputError: The network is unknown.
        CheckpointError: A file is missing or cannot be downloaded.
    """
    chosen = network_of(where, network)
    if where and not is_download(where):
        return find_source(Path(where), chosen, stable_diffusion)
    return download_source(chosen, repository=where, stable_diffusion=stable_diffusion)


def is_download(where: str | None) -> bool:
    """Whether the files that a user means are those on the hub."""
    return where is None or (not Path(where).exists() and is_hub_id(where))


def check_download_space(networks: Iterable[PublishedNetwork]) -> None:
    """Refuse to begin a download of several checkpoints that the disk cannot hold.

    Raises:
        CheckpointError: Those that have not been downloaded before are too large together.
    """
    from huggingface_hub import constants

    num_bytes = sum(
        network.num_bytes
        for network in networks
        if not any(is_cached(network, repository) for repository in network.repositories)
    )
    check_space(Path(constants.HF_HUB_CACHE), num_bytes)


def is_cached(network: PublishedNetwork, repository: str) -> bool:
    """Whether a hub repository's checkpoint has been downloaded before."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, network.file), str)


def bytes_here(networks: Sequence[PublishedNetwork]) -> int:
    """How much of a download the hub's cache has already, also of files that are not complete."""
    hub = Hub()
    parts = {network.parts.name: network.parts for network in networks}.values()
    files = {network.repositories: [] for network in networks}
    for network in networks:
        files[network.repositories].append(network.file)
    num_bytes = sum(
        max(hub.bytes_here(repository, names) for repository in repositories)
        for repositories, names in files.items()
    )
    return num_bytes + sum(
        hub.bytes_here(part.repository, [name for names in _PARTS_FILES for name in names])
        for part in parts
    )


def download_notice(*networks: PublishedNetwork) -> list[str]:
    """What a person should know before the download: what, how large, under which licence."""
    checkpoints = [
        f"{network.file}: about {network.num_bytes / 1e9:.2f} GB from "
        f"{network.repositories[0]}; licence: {network.licence}"
        for network in networks
    ]
    parts = [
        f"{parts.name} (VAE, text encoder): about {sum(parts.num_bytes.values()) / 1e9:.2f} GB "
        f"from {parts.repository}; licence: {parts.licence}"
        for parts in {network.parts.folder: network.parts for network in networks}.values()
    ]
    return checkpoints + parts


def networks_of(where: str | None, name: str | None = None) -> list[PublishedNetwork]:
    """The networks that a user means: by name, else all stages a folder holds, else see below.

    Args:
        where: A folder in the original's layout, a checkpoint file, or a hub id; None: the hub.
        name: Of a network, or ``"cascade"`` for the three stages; None: what `where` holds.

    Raises:
        InputError: There is none of that name, or the base is not among several.
    """
    stages = published_stages(where) if where and not name and Path(where).is_dir() else ()
    if name == CASCADE:
        stages = CASCADE_STAGES
        if where and Path(where).is_file():
            raise InputError(
                f"{where} is one file, and the cascade is three. Give the folder that holds them.",
                "source",
            )
    if len(stages) < 2:
        return [network_of(where, name)]
    if "base" not in stages:
        raise InputError(
            f"{where} holds {' and '.join(stages)}, but not {NETWORKS['base'].file}, into whose "
            "model folder they would go. Choose one with --network.",
            "network",
        )
    return [NETWORKS[stage] for stage in stages]


def network_of(where: str | None, name: str | None = None) -> PublishedNetwork:
    """The network that a user means: by name, by hub id, file or folder, else the base network.

    Raises:
        InputError: There is none of that name.
    """
    if name:
        if name not in NETWORKS:
            known = ", ".join((*NETWORKS, CASCADE))
            raise InputError(f"Network {name!r} is unknown. Known: {known}.", "network")
        return NETWORKS[name]
    for network in NETWORKS.values():
        if where and (Path(where).name == network.file or _holds(where, network)):
            return network
    return NETWORKS["base"]


def download_source(
    network: PublishedNetwork,
    *,
    repository: str | None = None,
    stable_diffusion: Path | None = None,
    hub: Hub | None = None,
) -> Source:
    """Get one published network's files, see `download_sources`."""
    (source,) = download_sources([network], repository, [stable_diffusion], hub)
    return source


def download_sources(
    networks: Sequence[PublishedNetwork],
    repository: str | None = None,
    folders: Sequence[Path | None] | None = None,
    hub: Hub | None = None,
    on_event: OnEvent | None = None,
) -> list[Source]:
    """Get the files of published networks from the hub, or from its cache on this machine.

    Args:
        networks: Which networks to get.
        repository: Hub id; None: the network's own, then its mirrors.
        folders: For each network a folder that has its Stable Diffusion; None: download it.
        hub: Where from; None: the usual hub.
        on_event: Hears of the bytes of all files together.

    Raises:
        CheckpointError: Nothing can be reached, a file is absent or damaged, or the disk is too
            small.
        Cancelled: The hub's token was set.
    """
    hub = hub or Hub()
    folders = folders or [None] * len(networks)
    own = {
        network.parts.folder: network.parts
        for network, folder in zip(networks, folders, strict=True)
        if folder is None
    }
    checkpoints = [_find_checkpoint(hub, network, repository) for network in networks]
    parts = {name: _find_parts(hub, parts) for name, parts in own.items()}
    try:
        paths = hub.fetch([*checkpoints, *chain.from_iterable(parts.values())], on_event)
    except HubError as error:
        raise CheckpointError(f"The download did not finish: {error}.") from error
    homes = {name: paths[files[0]].parents[1] for name, files in parts.items()}
    return [
        find_source(paths[file], network, folder or homes[network.parts.folder])
        for file, network, folder in zip(checkpoints, networks, folders, strict=True)
    ]


def _find_checkpoint(hub: Hub, network: PublishedNetwork, repository: str | None) -> HubFile:
    """The checkpoint in the first repository that answers."""
    failures = []
    for name in (repository,) if repository else network.repositories:
        try:
            return hub.find(name, network.file)
        except HubError as error:
            failures.append(f"{name}: {error}")
            if error.is_unreachable:
                break  # then a mirror won't answer either
    raise CheckpointError(
        f"{network.file} could not be downloaded ({'; '.join(failures)}). Check the "
        "connection, or put the file into a folder pretrained_models/ and name that folder."
    )


def _find_parts(hub: Hub, parts: PublishedParts) -> list[HubFile]:
    """What is used of a Stable Diffusion, and nothing else."""
    try:
        return [_find_any(hub, parts.repository, names) for names in _PARTS_FILES]
    except HubError as error:
        raise CheckpointError(
            f"{parts.repository} could not be downloaded ({error}). Check the "
            f"connection, or put its folder beside the checkpoint as {parts.folder}/."
        ) from error


def _find_any(hub: Hub, repository: str, names: tuple[str, ...]) -> HubFile:
    for name in names[:-1]:
        try:
            return hub.find(repository, name)
        except HubError:  # it has none, or cannot be asked, while another may be in the cache
            continue
    return hub.find(repository, names[-1])
