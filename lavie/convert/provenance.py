"""What a model folder says of where it comes from and who may do what with it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lavie.convert.published import NETWORKS, PublishedNetwork

PROVENANCE_FILE = "provenance.json"
"""In a model folder that was converted by us."""


@dataclass(frozen=True)
class Provenance:
    """Where a model folder comes from.

    Attributes:
        networks: Names of the published networks in it.
        repositories: Where these and their Stable Diffusion are published.
        licences: Of all of them, in words.
    """

    networks: tuple[str, ...]
    repositories: tuple[str, ...]
    licences: tuple[str, ...]


def provenance_of(networks: Iterable[PublishedNetwork]) -> Provenance:
    """What is known of published networks, each thing once."""
    networks = list(networks)
    parts = [network.parts for network in networks]
    return Provenance(
        tuple(network.name for network in networks),
        _each_once([n.repositories[0] for n in networks] + [p.repository for p in parts]),
        _each_once([network.licence for network in networks] + [part.licence for part in parts]),
    )


def write_provenance(folder: Path, networks: Iterable[PublishedNetwork]) -> None:
    """Note in a model folder what it was made of."""
    content = json.dumps(asdict(provenance_of(networks)), indent=2)
    (folder / PROVENANCE_FILE).write_text(content + "\n", encoding="utf-8")


def read_provenance(folder: Path) -> Provenance | None:
    """What a folder's own note says; None: there is none, or it is broken."""
    try:
        names = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))["networks"]
        return provenance_of(NETWORKS[name] for name in names)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _each_once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
