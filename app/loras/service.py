"""What the studio can do with LoRAs for anyone who asks. No web page in here."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from app.jobs.job import Job
from app.loras.check import check_name, check_training, training_effort
from app.loras.choice import is_made_for
from app.loras.exporting import exported
from app.loras.pictures import keep_pictures, look_at, show_pictures
from app.loras.request import LoraEffort, LoraTrainingRequest
from app.loras.view import LoraView, view_training
from app.service import Service
from app.texts import lora_rules as texts
from app.uploads import LORA, LORA_ZIP, check_upload
from lavie.errors import CheckpointError, InputError
from lora.header import is_of_other_weights

if TYPE_CHECKING:
    from lora.pictures import PictureCheck
    from lora.registry import Entry

_FORMATS = ("kohya", "diffusers", "peft")
_SECONDS_TO_STOP = 10.0


class Loras:
    """Trains LoRAs, and lists, changes and hands out those that there are.

    Args:
        service: Keeps the jobs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._shelf = service.shelf

    # Trainings

    @property
    def why_not(self) -> str | None:
        """Why nothing is trained here, in a sentence; None where it is."""
        return None if self._service.policy.has_training else texts.NO_TRAINING

    def check_pictures(self, files: Sequence[str | Path]) -> "list[PictureCheck]":
        """Say of every picture whether it can be used, and whether it teaches much."""
        height = self._service.card.ranges["height"].default
        return look_at([Path(file) for file in files], int(height or 0))

    def check_set(self, checks: "Sequence[PictureCheck]") -> str | None:
        """Why pictures cannot be used as a whole, in a sentence; None where they can."""
        from lora.pictures import check_set

        return check_set(checks)

    def advise_set(self, checks: "Sequence[PictureCheck]") -> str | None:
        """What would make pictures teach more, in a sentence; None where nothing is known."""
        from lora.pictures import advise_set

        return advise_set(checks)

    def check(self, values: Mapping[str, object]) -> LoraTrainingRequest | list[InputError]:
        """Turn the values of a form into a training, or into everything wrong with them.

        Args:
            values: Of `app.loras.check.LORA_FIELDS`, as typed; an empty seed asks for a new one.
        """
        if self.why_not is not None:
            return [InputError(self.why_not, "pictures")]
        return check_training(values, self._service.card, self._service.data)

    def submit(self, values: Mapping[str, object], owner: str = "", address: str = "") -> Job:
        """Queue a training.

        Args:
            values: As for `check`.
            owner: Who asks.
            address: From where, if that is known.

        Raises:
            InputError: The first thing that is wrong with the values; the same is being learnt
                already, and no seed tells them apart; the queue or the disk is full, or a public
                server was asked for too much.
        """
        self._shelf.check_room(owner)
        request = self.check(values)
        if isinstance(request, list):
            raise request[0]
        kept = keep_pictures([picture.file for picture in request.pictures], self._service.data)
        request = replace(request, pictures=kept, owner=owner)
        if values.get("seed") in (None, ""):
            self._check_is_new(request)
        job = self._service.add(request, owner, address)
        show_pictures(request, self._service.data / job.folder)
        return job

    def estimate(self, effort: object) -> float | None:
        """Seconds that a training takes on this computer, if that is known.

        Raises:
            InputError: There is no such effort.
        """
        if effort not in get_args(LoraEffort):
            raise InputError(texts.NOT_AN_EFFORT, "effort")
        asked = training_effort(self._service.card, effort)  # type: ignore[arg-type]  # one of them
        return self._service.seconds_for(asked)

    def view(self, job: Job, owner: str = "") -> LoraView | None:
        """The training that a job is; None if it is something else.

        Args:
            job: As it is now.
            owner: Who looks: of a public server, the pictures are their owner's alone.
        """
        view = view_training(job, self._service.data)
        is_foreign = self._service.policy.is_public and job.owner != owner
        return replace(view, pictures=()) if view is not None and is_foreign else view

    def unfinished(self, owner: str = "") -> "list[LoraView]":
        """The trainings that run, wait or have stopped, in this order.

        Args:
            owner: Whose, on a public server.
        """
        at_hand = [status.job for status in self._service.queue(owner)]
        stopped = self._service.stopped(LoraTrainingRequest.kind, owner)
        views = [self.view(job, owner) for job in (*at_hand, *stopped)]
        return [view for view in views if view is not None]

    def pause(self, job_id: str, owner: str = "") -> Job:
        """Stop a training within a step; what it has learnt is there to be gone on with.

        Raises:
            InputError: There is no such job, it is somebody else's, or no training.
        """
        self._check_is_training(job_id)
        return self._service.cancel(job_id, owner)

    def finish(self, job_id: str, owner: str = "", address: str = "") -> Job:
        """Stop a training, and keep what it has learnt so far as a LoRA. See `Service.finish`."""
        return self._service.finish(job_id, owner, address)

    def discard(self, job_id: str, owner: str = "") -> Job:
        """Stop a training for good, and throw away what it has learnt and its pictures.

        Raises:
            InputError: There is no such job, it is somebody else's, no training, done before it
                could be stopped, or does not stop.
        """
        self.pause(job_id, owner)
        self._service.wait(job_id, _SECONDS_TO_STOP)
        return self._service.discard(job_id, owner)

    def _check_is_new(self, request: LoraTrainingRequest) -> None:
        for status in self._service.queue(request.owner):
            asked = status.job.request
            if (
                isinstance(asked, LoraTrainingRequest)
                and replace(asked, seed=request.seed) == request
            ):
                raise InputError(texts.LEARNT_ALREADY, "name")

    def _check_is_training(self, job_id: str) -> None:
        if not isinstance(self._service.get(job_id).request, LoraTrainingRequest):
            raise InputError(texts.NOT_A_TRAINING, "job_id")

    # LoRAs

    def list(self, owner: str = "") -> "list[Entry]":
        """Those that somebody may use, the newest first."""
        return self._shelf.list(owner)

    def get(self, lora_id: object, owner: str = "") -> "Entry":
        """One that somebody may use.

        Raises:
            InputError: There is none of that id for this one. Also raised by all that follow.
        """
        return self._shelf.get(lora_id, owner)

    def is_of_other_weights(self, entry: "Entry") -> bool:
        """Whether a LoRA is for this model and was made on other weights of it, as far as known."""
        card = self._service.card
        is_other = is_of_other_weights(entry.base_hash, card.model_hash)
        return is_other and is_made_for(entry, card.name, card.model_hash)

    def rename(self, lora_id: object, name: object, owner: str = "") -> "Entry":
        """Call a LoRA something else."""
        return self._shelf.registry.rename(self.get(lora_id, owner).id, check_name(name))

    def tag(self, lora_id: object, tags: object, owner: str = "") -> "Entry":
        """Give a LoRA other tags."""
        return self._shelf.registry.tag(self.get(lora_id, owner).id, _check_tags(tags))

    def delete(self, lora_id: object, owner: str = "") -> "Entry":
        """Throw a LoRA away; `undelete` brings it back for a while."""
        return self._shelf.registry.delete(self.get(lora_id, owner).id)

    def undelete(self, lora_id: object, owner: str = "") -> "Entry":
        """Bring back what was thrown away."""
        return self._shelf.registry.undelete(self._shelf.find(lora_id, owner).id)

    def formats(self, entry: "Entry") -> tuple[str, ...]:
        """What `export` can write a LoRA as; nothing if its file is not to be read."""
        from lora.header import read_header

        try:
            header = read_header(entry.file)
        except CheckpointError:
            return ()
        return tuple(style for style in _FORMATS if style != "peft" or header.is_of_unet)

    def export(
        self, lora_id: object, style: object = "kohya", owner: str = ""
    ) -> AbstractContextManager[Path]:
        """A LoRA as a file for other programs, for a block; nobody can fetch it where it lies."""
        entry = self.get(lora_id, owner)
        if not isinstance(style, str) or style not in _FORMATS:
            raise InputError(texts.NO_SUCH_FORMAT, "format")
        card = self._service.card
        for_it = card.name if is_made_for(entry, card.name, card.model_hash) else ""
        return exported(self._shelf.registry, entry.id, style, for_it)

    def import_file(self, file: object, name: object = "", owner: str = "") -> "Entry":
        """Take in a LoRA that was made elsewhere; one that its owner has is given as it is.

        Args:
            file: Where it was put: safetensors, or the zip that `export` makes for peft.
            name: What to call it; empty: as the file calls itself, or is called.
            owner: Whose it will be.

        Raises:
            InputError: It is no such file, or cannot be used with this model.
        """
        if not isinstance(file, str | Path) or not str(file):
            raise InputError(texts.LORA_FILE_WRONG_KIND, "file")
        path = Path(file)
        check_upload(path, [LORA, LORA_ZIP], self._service.policy.is_public)
        self._shelf.check_room(owner)
        called = check_name(name) if name not in (None, "") else ""
        try:
            return self._shelf.registry.import_file(path, called, owner, self._check_fits)
        except CheckpointError as error:
            raise InputError(str(error), "file") from error

    def _check_fits(self, file: Path) -> None:
        """Raise unless a LoRA fits the model; torch, which takes seconds, is first needed here."""
        from lora.rewriting import check_fits

        card = self._service.card
        check_fits(file, card.name, card.model_hash)


def _check_tags(tags: object) -> tuple[str, ...]:
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise InputError(texts.TAGS_UNREADABLE, "tags")
    return tuple(tags)
