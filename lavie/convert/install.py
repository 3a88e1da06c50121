"""From the hub to a model folder in one call."""

from collections.abc import Sequence
from pathlib import Path

from lavie.convert.download import Hub
from lavie.convert.published import PublishedNetwork
from lavie.convert.sources import check_download_space, download_sources, networks_of
from lavie.convert.write import DTYPES, Converted, DtypeName, convert
from lavie.pipelines.new_folder import check_space, check_target
from lavie.types import CancelToken, OnEvent

_PUBLISHED_ITEMSIZE = 4  # float32


def install(
    network: str | None,
    folder: Path,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    *,
    repository: str | None = None,
    parts: Sequence[Path | None] | None = None,
    dtype: DtypeName = "fp16",
    overwrite: bool = False,
    offline: bool | None = None,
    cache_dir: Path | None = None,
    endpoint: str | None = None,
) -> Converted:
    """Download a published network with its Stable Diffusion and make a model folder of it.

    What was downloaded stays in the hub's cache, also of a download that did not finish: the next
    call goes on from there. The folder appears whole or not at all.

    Args:
        network: Name of a published network; ``"cascade"`` for the three stages; None: the one of
            the repository, or the base.
        folder: The model folder to make.
        on_event: Hears of the bytes of the ``"download"``, then of the networks that ``"convert"``
            has done, with the seconds left.
        cancel: Ends a download within a second, and conversion after the network it is at.
        repository: Hub id; None: the network's own, then its mirrors.
        parts: For each network a folder that has its Stable Diffusion; None: download it.
        dtype: See `convert`.
        overwrite: Replace a model folder that is there.
        offline: As `Hub` takes it, and so the last two.
        cache_dir: The hub's cache.
        endpoint: Address of the hub.

    Raises:
        InputError: There is no such network, or the folder may not be written.
        CheckpointError: The hub does not answer, a file is absent, damaged or unsafe, or the disk
            is too small.
        Cancelled: ``cancel`` was set.
    """
    networks = networks_of(repository, network)
    check_target(folder, overwrite=overwrite)
    check_download_space(networks)
    check_space(folder, expected_bytes(networks, dtype))
    hub = Hub(cache_dir, endpoint, offline, cancel)
    sources = download_sources(networks, repository, parts, hub, on_event)
    return convert(sources, folder, dtype, overwrite=overwrite, on_event=on_event, cancel=cancel)


def expected_bytes(networks: Sequence[PublishedNetwork], dtype: DtypeName = "fp16") -> int:
    """About what a model folder of published networks takes."""
    parts = {network.parts.name: network.parts for network in networks}
    published = sum(network.num_bytes for network in networks)
    published += sum(sum(part.num_bytes.values()) for part in parts.values())
    return published * DTYPES[dtype].itemsize // _PUBLISHED_ITEMSIZE
