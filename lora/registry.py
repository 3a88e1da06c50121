"""LoRAs that are kept: listed, renamed, tagged, deleted for a while, handed out and taken in.

Each has a folder whose name is drawn at random, so that nothing a person types is ever part of a
path::

    <folder>/<id>/lora.safetensors     as it was trained or taken in
    <folder>/<id>/entry.json           what is known of it
    <folder>/<id>/thumbnail.jpg        if there is one

Nothing heavy is imported here, so that a page can list what there is.
"""

import base64
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lavie.errors import InputError
from lora.header import RESULT, Header, hash_file, read_header
from lora.limits import MAX_NAME_LENGTH, MAX_TAG_LENGTH, MAX_TAGS
from lora.peft_files import as_one_file, name_of
from lora.refusals import one_line

KEPT_AFTER_DELETION = timedelta(days=7)

_ID = re.compile(r"[0-9a-f]{16}")
_FILE, _ENTRY, _THUMBNAIL = RESULT, "entry.json", "thumbnail.jpg"
_JPEG = "data:image/jpeg;base64,"
_MAX_THUMBNAIL = 200_000


@dataclass(frozen=True)
class Entry:
    """A LoRA that is kept.

    Args:
        id: Drawn at random; says nothing.
        name: As people call it.
        token: The word that calls it in a prompt; empty if the file does not say.
        class_word: What follows the token in a prompt, as "dog"; empty if nothing does.
        kind: thing, character, style, or empty if unknown.
        base_model: Name of the model that it was trained on; empty if unknown.
        base_hash: Hash of that model's weights; empty if unknown.
        created: When it was added.
        owner: Whose it is; empty: everybody's.
        tags: Words to find it by.
        rank: Largest rank of its layers.
        num_bytes: Of the file.
        sha256: Of the file.
        file: Where it lies.
        thumbnail: A JPEG; None if there is none.
        deleted: When it was deleted; None: it is not.
    """

    id: str
    name: str
    token: str
    class_word: str
    kind: str
    base_model: str
    base_hash: str
    created: datetime
    owner: str
    tags: tuple[str, ...]
    rank: int
    num_bytes: int
    sha256: str
    file: Path
    thumbnail: Path | None
    deleted: datetime | None = None


class Registry:
    """LoRAs in a folder. Several processes may use one: every change is a rename.

    Args:
        folder: Where they lie; made when the first is added.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def list(self, owner: str | None = None) -> Sequence[Entry]:
        """All that are not deleted, the newest first.

        Args:
            owner: Only this one's; None: everybody's.
        """
        entries = [entry for entry in self._all() if entry.deleted is None]
        if owner is not None:
            entries = [entry for entry in entries if entry.owner == owner]
        return sorted(entries, key=lambda entry: (entry.created, entry.id), reverse=True)

    def count(self, owner: str) -> int:
        """How many of one owner take up room: also those that are deleted but not yet gone."""
        return sum(entry.owner == owner for entry in self._all())

    def get(self, id: str) -> Entry:  # noqa: A002 - what it is called everywhere
        """One, also if it is deleted but not yet gone.

        Raises:
            InputError: There is none.
        """
        entry = self._read(self.folder / id) if _ID.fullmatch(id) else None
        if entry is None:
            raise InputError(f"There is no LoRA '{id[:40]}'. It may have been deleted.", "lora")
        return entry

    def __contains__(self, id: object) -> bool:  # noqa: A002
        """Whether there is one, also if it is deleted but not yet gone."""
        is_id = isinstance(id, str) and _ID.fullmatch(id)
        return bool(is_id) and self._read(self.folder / str(id)) is not None

    def new_id(self) -> str:
        """An id that none has."""
        while (self.folder / (drawn := secrets.token_hex(8))).exists():
            pass
        return drawn

    def add(
        self,
        file: Path,
        name: str,
        owner: str = "",
        token: str | None = None,
        kind: str | None = None,
        tags: Iterable[str] = (),
        id: str | None = None,  # noqa: A002
    ) -> Entry:
        """Keep a copy of a LoRA file.

        Args:
            file: Safetensors, of any naming that `lora.formats` reads.
            name: As people are to call it.
            owner: Whose it is; empty: everybody's.
            token: The word that calls it; None: what the file says.
            kind: thing, character or style; None: what the file says.
            tags: Words to find it by.
            id: Of `new_id`, for whoever has to know it before; None: another.

        Raises:
            InputError: The name or a tag is none.
            CheckpointError: The file is no LoRA.
        """
        name, wanted = check_name(name), check_tags(tags)
        read_header(file)  # before it is copied
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / (id or self.new_id())
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            shutil.copyfile(file, temporary / _FILE)
            header = read_header(temporary / _FILE)  # as it is kept: nothing lies beside it there
            picture = _thumbnail_of(header.metadata)
            if picture is not None:
                (temporary / _THUMBNAIL).write_bytes(picture)
            entry = _describe(temporary, target, header, name, owner, wanted)
            entry = replace(
                entry,
                token=entry.token if token is None else token,
                kind=entry.kind if kind is None else kind,
            )
            _write(temporary, entry)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return entry

    def rename(self, id: str, name: str) -> Entry:  # noqa: A002
        """Call one otherwise.

        Raises:
            InputError: There is none, or the name is none.
        """
        name = check_name(name)
        return self._change(id, lambda entry: replace(entry, name=name))

    def tag(self, id: str, tags: Iterable[str]) -> Entry:  # noqa: A002
        """Give one other words to be found by, in place of those it has.

        Raises:
            InputError: There is none, or a tag is none.
        """
        wanted = check_tags(tags)
        return self._change(id, lambda entry: replace(entry, tags=wanted))

    def delete(self, id: str) -> Entry:  # noqa: A002
        """Delete one; for a week it can be had back.

        Raises:
            InputError: There is none.
        """
        now = datetime.now(UTC)
        return self._change(id, lambda entry: replace(entry, deleted=entry.deleted or now))

    def undelete(self, id: str) -> Entry:  # noqa: A002
        """Have one back that was deleted.

        Raises:
            InputError: It is gone for good.
        """
        return self._change(id, lambda entry: replace(entry, deleted=None))

    def export(
        self,
        id: str,  # noqa: A002
        folder: Path,
        style: str = "kohya",
        model: str = "",
    ) -> Path:
        """Write a copy that bears its name, for other programs.

        Args:
            id: Which.
            folder: Where to.
            style: "kohya", "diffusers" or "peft"; the first is the file as it is kept.
            model: Which it is for, as `lora.rewriting.rewrite` takes it.

        Returns:
            A file, or for peft a folder; both called after the LoRA, with harmless letters alone,
            and after its id too where something is called so already.

        Raises:
            InputError: There is none, or the style is unknown or does not fit.
        """
        entry = self.get(id)
        folder.mkdir(parents=True, exist_ok=True)
        stem = file_stem(entry.name)
        if any((folder / f"{stem}{suffix}").exists() for suffix in ("", ".safetensors")):
            stem = f"{stem}-{entry.id}"  # what is there may be another's
        if style == "kohya" and read_header(entry.file).is_kohya:
            target = folder / f"{stem}.safetensors"
            temporary = folder / f".{stem}.{secrets.token_hex(4)}.tmp"
            shutil.copyfile(entry.file, temporary)
            temporary.replace(target)
            return target
        from lora.rewriting import rewrite

        return rewrite(entry.file, folder / stem, style, model)

    def import_file(
        self,
        path: Path,
        name: str = "",
        owner: str = "",
        check: Callable[[Path], object] | None = None,
    ) -> Entry:
        """Take in a file: what its owner has already is given as it is, and not kept twice.

        Args:
            path: Safetensors, or a folder or zip of peft's.
            name: As people are to call it; empty: its own title, or the file's name.
            owner: Whose it is.
            check: Looks at the weights too, as `lora.rewriting.check_fits` does, and raises if they
                do not fit. None: the header alone is looked at.

        Raises:
            InputError: The name is none.
            CheckpointError: The file is no LoRA for these models; the text says what it is.
        """
        with as_one_file(path, self.folder) as file:
            about = read_header(file).metadata
            if check is not None:
                check(file)
            titles = (
                about.get("modelspec.title", ""),
                about.get("ss_output_name", ""),
                name_of(path),
                "LoRA",
            )
            sha256 = hash_file(file)
            found = next((each for each in self.list(owner) if each.sha256 == sha256), None)
            return found or self.add(file, name or next(filter(None, map(_short, titles))), owner)

    def sweep(self, now: datetime | None = None) -> int:
        """Remove what was deleted a week ago, and what a kill has left half done.

        Returns:
            How many LoRAs have gone for good.
        """
        now = now or datetime.now(UTC)
        gone = 0
        for entry in self._all():
            if entry.deleted is not None and now - entry.deleted > KEPT_AFTER_DELETION:
                _remove(self.folder / entry.id)
                gone += 1
        moment = now.timestamp() - KEPT_AFTER_DELETION.total_seconds() / 7
        for leftover in self.folder.glob(".*-*") if self.folder.is_dir() else ():
            if _was_left_before(leftover, moment):
                shutil.rmtree(leftover, ignore_errors=True)
        return gone

    def _all(self) -> Sequence[Entry]:
        if not self.folder.is_dir():
            return []
        folders = (path for path in self.folder.iterdir() if _ID.fullmatch(path.name))
        return [entry for path in folders if (entry := self._read(path)) is not None]

    def _read(self, folder: Path) -> Entry | None:
        """What is known of the LoRA in a folder; None: there is none that is whole."""
        try:
            values: dict[str, Any] = json.loads((folder / _ENTRY).read_text("utf-8"))
            deleted = values["deleted"]
            values |= {
                "id": folder.name,
                "file": folder / _FILE,
                "thumbnail": picture if (picture := folder / _THUMBNAIL).is_file() else None,
                "created": datetime.fromisoformat(values["created"]),
                "deleted": None if deleted is None else datetime.fromisoformat(deleted),
                "tags": tuple(values["tags"]),
            }
            return Entry(**values) if (folder / _FILE).is_file() else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _change(self, id: str, change: Callable[[Entry], Entry]) -> Entry:  # noqa: A002
        with self._lock:
            entry = change(self.get(id))
            _write(self.folder / entry.id, entry)
            return entry


def check_name(name: str) -> str:
    """A name as it is kept: one line, without spaces around.

    Raises:
        InputError: Nothing is left of it, or it is too long.
    """
    name = one_line(name, 10 * MAX_NAME_LENGTH)
    if not name:
        raise InputError("The LoRA has no name. Give it one.", "name")
    if len(name) > MAX_NAME_LENGTH:
        raise InputError(
            f"That name is too long. Use at most {MAX_NAME_LENGTH} characters.", "name"
        )
    return name


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags as they are kept: each once, in their order.

    Raises:
        InputError: There are too many, or one is too long.
    """
    readable = [one_line(each, 10 * MAX_TAG_LENGTH) for each in tags]
    wanted = tuple(dict.fromkeys(each for each in readable if each))
    if len(wanted) > MAX_TAGS:
        raise InputError(f"{len(wanted)} tags are too many. Use at most {MAX_TAGS}.", "tags")
    for each in wanted:
        if len(each) > MAX_TAG_LENGTH:
            raise InputError(
                f"Tag '{each[:MAX_TAG_LENGTH]}' is too long. A tag has at most {MAX_TAG_LENGTH} "
                "characters; shorten it.",
                "tags",
            )
    return wanted


def file_stem(name: str) -> str:
    """A file name that any system takes, made from a name that anybody typed."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60]
    return plain or "lora"


def _said_behind_the_word(about: Mapping[str, str]) -> str:
    """The class word, unless the file says that prompts do without it: a small model's do."""
    word = about.get("lavie.class_word", "")
    return word if word in about.get("modelspec.trigger_phrase", word) else ""


def _describe(
    folder: Path, target: Path, header: Header, name: str, owner: str, tags: tuple[str, ...]
) -> Entry:
    about = header.metadata
    return Entry(
        id=target.name,
        name=name,
        token=_short(about.get("lavie.trigger_word") or header.word),
        class_word=_short(_said_behind_the_word(about)),
        kind=_short(about.get("lavie.kind", "")),
        base_model=_short(about.get("lavie.base_model") or about.get("ss_sd_model_name", "")),
        base_hash=_short(about.get("lavie.base_model_hash", "")),
        created=datetime.now(UTC),
        owner=owner,
        tags=tags,
        rank=header.rank,
        num_bytes=(folder / _FILE).stat().st_size,
        sha256=hash_file(folder / _FILE),
        file=target / _FILE,
        thumbnail=target / _THUMBNAIL if (folder / _THUMBNAIL).exists() else None,
    )


def _thumbnail_of(about: Mapping[str, str]) -> bytes | None:
    """The picture in a file's own words, made anew so that nothing else hides in it."""
    import io

    from PIL import Image

    text = about.get("modelspec.thumbnail", "")
    if not text.startswith("data:image/") or len(text) > _MAX_THUMBNAIL:
        return None
    try:
        data = base64.b64decode(text.partition(",")[2], validate=True)
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > 1 << 20:
                return None
            small = image.convert("RGB")
            small.thumbnail((256, 256))
            file = io.BytesIO()
            small.save(file, "JPEG", quality=85)
            return file.getvalue()
    except Exception:  # whatever it is, it is no picture
        return None


def _write(folder: Path, entry: Entry) -> None:
    values = asdict(entry)
    for name in ("id", "file", "thumbnail"):  # the folder says these
        del values[name]
    values["created"] = entry.created.isoformat()
    values["deleted"] = None if entry.deleted is None else entry.deleted.isoformat()
    handle, name = tempfile.mkstemp(prefix=".entry-", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(values, file, ensure_ascii=False)
    Path(name).replace(folder / _ENTRY)


def _was_left_before(folder: Path, moment: float) -> bool:
    """Whether nothing was done in a folder since; one that is just gone is nobody's leftover."""
    try:
        return folder.is_dir() and folder.stat().st_mtime < moment
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    """First out of sight, then file by file."""
    going = folder.with_name(f".gone-{folder.name}")
    folder.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def _short(text: str) -> str:
    """What a file says of itself, which may be anything, as far as it fits into a line."""
    return one_line(text, MAX_NAME_LENGTH)
