"""The models of this machine and those that can be had: found, downloaded, converted, deleted."""

import json
import logging
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from app import texts
from lavie.convert.provenance import PROVENANCE_FILE, Provenance, provenance_of, read_provenance
from lavie.convert.published import CASCADE, NETWORKS, PublishedNetwork
from lavie.convert.sources import Source, bytes_here, find_source, is_original_folder, networks_of
from lavie.errors import InputError
from lavie.pipelines.model_folder import MINIATURE, MINIATURE_FOLDER
from lavie.types import CancelToken, OnEvent, StageName

if TYPE_CHECKING:
    from lavie.convert.resolve import FoundModel

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,58}[A-Za-z0-9])?")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?|miniature")  # Windows' devices
_CHECKPOINTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
_LONGEST_PATH = 4096
_MAX_FOLDERS = 100


@dataclass(frozen=True)
class InstalledModel:
    """A model on this machine.

    Attributes:
        name: What `lavie.Cascade.from_pretrained` takes.
        path: Its folder; None: it is in the hub's cache.
        stages: What it can do, in order.
        num_bytes: Of its files.
        licence: In words.
        where: ``bundled``, ``model folder`` or ``published files``.
        is_bundled: Whether it came with the program.
        can_be_deleted: Whether it was downloaded or converted here.
    """

    name: str
    path: Path | None
    stages: tuple[StageName, ...]
    num_bytes: int
    licence: str
    where: str
    is_bundled: bool
    can_be_deleted: bool


@dataclass(frozen=True)
class Offer:
    """A published model that can be downloaded.

    Attributes:
        network: What `ModelLibrary.install` takes.
        title: For people.
        repository: Hub id.
        mirrors: Hub ids that have the same.
        num_bytes: Of the whole download, with the Stable Diffusion that it needs.
        num_bytes_here: How much of it is on this machine already.
        licences: Each in its own words, with what it means in plain ones.
        installed: Folders that were made of it.
    """

    network: str
    title: str
    repository: str
    mirrors: tuple[str, ...]
    num_bytes: int
    num_bytes_here: int
    licences: tuple[tuple[str, str], ...]
    installed: tuple[Path, ...]


class ModelLibrary:
    """What the page knows of models. Whoever may call this may read and write this machine's disk.

    Args:
        home: The folder in which models are made, and from which alone they are deleted.
        file: Keeps the folders that a user has added; neither it nor its folder need exist.
        folders: Others to look into, which can't be removed.
        endpoint: Address of the hub; None: ``HF_ENDPOINT``, else the public one.
        offline: Whether nothing may be downloaded; None: as ``HF_HUB_OFFLINE`` says.
    """

    def __init__(
        self,
        home: Path,
        file: Path,
        folders: tuple[Path, ...] = (),
        endpoint: str | None = None,
        offline: bool | None = None,
    ) -> None:
        self._home = home
        self._file = file
        self._folders = folders
        self._endpoint = endpoint
        self._offline = offline
        self._lock = threading.Lock()

    @property
    def is_offline(self) -> bool:
        """Whether nothing may be downloaded."""
        from huggingface_hub import is_offline_mode

        return is_offline_mode() if self._offline is None else self._offline

    @property
    def custom_folders(self) -> tuple[Path, ...]:
        """Those that a user has added, in that order."""
        try:
            saved = json.loads(self._file.read_text(encoding="utf-8"))["folders"]
            return tuple(Path(folder) for folder in saved if isinstance(folder, str))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("%s with the model folders is not read: %s.", self._file.name, error)
            return ()

    def installed(self) -> tuple[InstalledModel, ...]:
        """The models on this machine, the bundled one first; no weights are read."""
        from lavie.convert.resolve import find_models  # torch takes seconds

        places = (self._home, *self._folders, *self.custom_folders)
        found = find_models(*dict.fromkeys(place for place in places if place.is_dir()))
        models = (self._describe(model) for model in found)
        return tuple({model.path or model.name: model for model in models}.values())

    def offers(self) -> tuple[Offer, ...]:
        """The published models; the hub is not asked."""
        made = {path: read_provenance(path) for path in _subfolders(self._home)}
        return tuple(self._offer(network, made) for network in texts.MODEL_TITLES)

    def add_folder(self, text: str) -> Path:
        """Look for models in another folder from now on.

        Args:
            text: Its path, as a user typed it.

        Raises:
            InputError: There is no such folder, no model in it, or the list cannot be saved.
        """
        from lavie.convert.resolve import find_models_in

        folder = _check_path(text)
        if not folder.is_dir() or not find_models_in(folder):
            raise InputError(texts.no_models_in(text), "folder")
        with self._lock:
            folders = self.custom_folders
            if folder not in folders:
                self._keep((*folders, folder)[-_MAX_FOLDERS:])
        return folder

    def remove_folder(self, text: str) -> None:
        """No longer look into a folder that was added; what is in it stays as it is."""
        with self._lock:
            folders = self.custom_folders
            kept = tuple(folder for folder in folders if str(folder) != text)
            if kept != folders:
                self._keep(kept)

    def install(
        self,
        network: str,
        name: str | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> InstalledModel:
        """Download a published model and make a model folder of it, see `lavie.convert.install`.

        Args:
            network: Of an `Offer`.
            name: Of the folder; None: after the network.
            on_event: Hears of the bytes, then of the conversion.
            cancel: Stops a download within a second.

        Raises:
            InputError: There is no such offer, or the name is none or taken.
            CheckpointError: See `lavie.convert.install`.
            Cancelled: ``cancel`` was set.
        """
        from lavie.convert.install import install

        if network not in texts.MODEL_TITLES:
            raise InputError(texts.unknown_offer(network), "network")
        target = self._free_place(name or _usual_name(network))
        install(
            network,
            target,
            on_event,
            cancel,
            offline=self._offline,
            endpoint=self._endpoint,
        )
        return self._made(target)

    def convert(
        self,
        text: str,
        name: str | None = None,
        network: str | None = None,
        stable_diffusion: str | None = None,
        on_event: OnEvent | None = None,
        cancel: CancelToken | None = None,
    ) -> InstalledModel:
        """Make a model folder of published files that are on this machine.

        Args:
            text: Path of a checkpoint file or of an original ``pretrained_models`` folder.
            name: Of the folder to make; None: after what is in it.
            network: Which network a file holds, or which of a folder's to take; None: as the names
                of the files say.
            stable_diffusion: Folder of the network's Stable Diffusion; None: beside the checkpoint.
            on_event: Hears of every network.
            cancel: Looked at before every network.

        Raises:
            InputError: A path leads nowhere, there is nothing to convert, or the name is taken.
            CheckpointError: A file does not fit or is unsafe, or the disk is too small.
            Cancelled: ``cancel`` was set.
        """
        from lavie.convert.write import convert

        sources, target = self.check_conversion(text, name, network, stable_diffusion)
        convert(sources, target, on_event=on_event, cancel=cancel)
        return self._made(target)

    def check_conversion(
        self,
        text: str,
        name: str | None = None,
        network: str | None = None,
        stable_diffusion: str | None = None,
    ) -> tuple[list[Source], Path]:
        """What `convert` is to read and where to write it; nothing is read yet.

        Args:
            text: As in `convert`, like all others.
            name: Of the folder to make.
            network: Which network.
            stable_diffusion: Folder of its Stable Diffusion.

        Raises:
            InputError: A path leads nowhere, there is nothing to convert, or the name is taken.
            CheckpointError: A file that is needed is missing.
        """
        path = _check_path(text)
        is_file = path.is_file() and path.suffix in _CHECKPOINTS
        if not is_file and not (path.is_dir() and is_original_folder(path)):
            raise InputError(texts.not_to_convert(text), "path")
        networks = networks_of(str(path), network)
        chosen = CASCADE if len(networks) > 1 else networks[0].name
        target = self._free_place(name or _usual_name(chosen))
        parts = _check_path(stable_diffusion) if stable_diffusion else None
        return [find_source(path, network, parts) for network in networks], target

    def delete(self, name: str) -> None:
        """Delete a model folder that was made here.

        Args:
            name: Of an `InstalledModel`.

        Raises:
            InputError: It was not made here.
        """
        folder = next((path for path in _subfolders(self._home) if str(path) == name), None)
        if folder is None or not self._can_be_deleted(folder):
            raise InputError(texts.not_ours_to_delete(name), "model")
        dying = folder.with_name(f".{uuid4().hex}")  # nobody finds half a model
        folder.rename(dying)
        shutil.rmtree(dying, ignore_errors=True)

    def _made(self, folder: Path) -> InstalledModel:
        from lavie.convert.resolve import find_models_in

        (found,) = find_models_in(folder)
        return self._describe(found)

    def _describe(self, model: "FoundModel") -> InstalledModel:
        path = MINIATURE_FOLDER if model.kind == "bundled" else Path(model.name)
        is_here = path.is_dir()
        return InstalledModel(
            name=model.name,
            path=path.resolve() if is_here else None,
            stages=model.stages,
            num_bytes=model.num_bytes,
            licence=_licence(model, path),
            where=model.kind,
            is_bundled=model.name == MINIATURE,
            can_be_deleted=is_here and self._can_be_deleted(path),
        )

    def _offer(self, network: str, made: dict[Path, Provenance | None]) -> Offer:
        networks = networks_of(None, network)
        names = provenance_of(networks).networks
        first = networks[0]
        licences = provenance_of(networks).licences
        return Offer(
            network=network,
            title=texts.MODEL_TITLES[network],
            repository=first.repositories[0],
            mirrors=first.repositories[1:],
            num_bytes=_download_bytes(networks),
            num_bytes_here=min(bytes_here(networks), _download_bytes(networks)),
            licences=tuple((licence, texts.LICENCE_MEANINGS[licence]) for licence in licences),
            installed=tuple(path for path, note in made.items() if note and note.networks == names),
        )

    def _free_place(self, name: str) -> Path:
        """Where a model of that name is to be made.

        Raises:
            InputError: The name is none, or taken.
        """
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise InputError(texts.not_a_model_name(name), "name")
        target = self._home / name
        if target.exists() or target.is_symlink():
            raise InputError(texts.model_name_taken(name), "name")
        return target

    def _can_be_deleted(self, folder: Path) -> bool:
        is_own = folder.absolute().parent == self._home.absolute() and not folder.is_symlink()
        return is_own and (folder / PROVENANCE_FILE).is_file()

    def _keep(self, folders: tuple[Path, ...]) -> None:
        from lavie.media import replace_when_complete  # torch takes seconds

        content = json.dumps({"folders": [str(folder) for folder in folders]}, indent=1)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with replace_when_complete(self._file) as temporary:
                temporary.write_text(content, encoding="utf-8")
        except (OSError, UnicodeEncodeError) as error:
            reason = getattr(error, "strerror", None) or texts.PATH_IS_NO_TEXT
            raise InputError(texts.folders_cannot_be_kept(reason), "folder") from error


def _check_path(text: str) -> Path:
    """The file or folder that a user means.

    Raises:
        InputError: There is none.
    """
    is_possible = 0 < len(text.strip()) <= _LONGEST_PATH and "\0" not in text
    try:
        path = Path(text.strip()).expanduser() if is_possible else None
        if path is not None and path.is_absolute() and path.exists():
            return path.resolve()
    except (OSError, RuntimeError, ValueError):  # too long a name, a circle of links, no such user
        pass
    raise InputError(texts.not_a_path(text), "path")


def _usual_name(network: str) -> str:
    return "lavie" if network == CASCADE else f"lavie-{network}"


def _download_bytes(networks: list[PublishedNetwork]) -> int:
    parts = {network.parts.name: network.parts for network in networks}.values()
    return sum(network.num_bytes for network in networks) + sum(
        sum(part.num_bytes.values()) for part in parts
    )


def _licence(model: "FoundModel", path: Path) -> str:
    if model.kind == "bundled":
        return texts.BUNDLED_LICENCE
    note = read_provenance(path)
    if model.kind == "published files":
        note = provenance_of(NETWORKS[stage] for stage in model.stages)
    return "; ".join(note.licences) if note and note.licences else texts.UNKNOWN_LICENCE


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir())
