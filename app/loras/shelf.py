"""The LoRAs of a studio: everybody sees their own, on a server of one's own all."""

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.loras.choice import FindLora
from app.loras.files import entry_of, learnt_file, note_entry
from app.loras.request import LoraTrainingRequest
from app.policy import Policy
from app.texts import lora_rules as texts
from lavie.errors import InputError

if TYPE_CHECKING:
    from lora.registry import Entry, Registry

LORAS_FOLDER = Path("private") / "loras"
"""Inside the data folder; nothing of it is ever served."""

MAX_OWN = 50
"""Of a visitor of a public studio; also those that lie there for a while after deletion."""


class Shelf:
    """The registry of LoRAs, as somebody may see it.

    Args:
        data: The data folder.
        policy: Whether visitors are told apart.
    """

    def __init__(self, data: Path, policy: Policy) -> None:
        self._folder = data / LORAS_FOLDER
        self._policy = policy

    @cached_property
    def registry(self) -> "Registry":
        """Where all of them are."""
        from lora.registry import Registry

        return Registry(self._folder)

    def list(self, owner: str) -> "list[Entry]":
        """Those that somebody may use, the newest first."""
        return [entry for entry in self.registry.list() if self._is_for(entry, owner)]

    def get(self, lora_id: object, owner: str) -> "Entry":
        """One that somebody may use.

        Raises:
            InputError: There is none of that id, it was thrown away, or it is somebody else's,
                which sounds the same.
        """
        entry = self.find(lora_id, owner)
        if entry.deleted is not None:
            raise InputError(texts.no_such_lora(lora_id), "loras")
        return entry

    def find(self, lora_id: object, owner: str) -> "Entry":
        """As `get`, but also one that was thrown away and can be brought back."""
        if not isinstance(lora_id, str):
            raise InputError(texts.NOT_A_LORA_ID, "loras")
        try:
            entry = self.registry.get(lora_id)
        except InputError as error:
            raise InputError(texts.no_such_lora(lora_id), "loras") from error
        if not self._is_for(entry, owner):
            raise InputError(texts.no_such_lora(lora_id), "loras")
        return entry

    def finder(self, owner: str) -> FindLora:
        """What gives an entry by its id, if somebody may use it: see `get`."""
        return partial(self.get, owner=owner)

    def check_room(self, owner: str) -> None:
        """See that somebody may have one more.

        Raises:
            InputError: A visitor of a public studio has enough.
        """
        if self._policy.is_public and self.registry.count(owner) >= MAX_OWN:
            raise InputError(texts.too_many_of_yours(MAX_OWN))

    def _is_for(self, entry: "Entry", owner: str) -> bool:
        return not self._policy.is_public or entry.owner == owner


def put_on_shelf(request: LoraTrainingRequest, folder: Path) -> None:
    """Enter what a training has made in the registry: once, however often this is called.

    Its id is noted before, so that this goes on from wherever it was killed.

    Args:
        request: Of the training.
        folder: Of its job.

    Raises:
        CheckpointError: There is no LoRA, or it is broken.
        OSError: It can't be written.
    """
    from lora.registry import Registry

    registry, lora_id = Registry(request.shelf), entry_of(folder)
    if not lora_id:
        lora_id = registry.new_id()
        note_entry(folder, lora_id)
    if lora_id not in registry:
        registry.add(
            learnt_file(folder),
            name=request.name,
            token=request.token,
            owner=request.owner,
            kind=request.lora_kind,
            id=lora_id,
        )
