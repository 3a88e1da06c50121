"""Values as JSON, for the job store and for the wire between server and workers."""

import logging
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from lavie.errors import first_line

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Document(Generic[T]):
    """Values of one type as JSON; file names in it are relative to the data folder.

    So a data folder can be moved, and be at another place on the machines of other workers.

    Args:
        kind: Type of the values: a dataclass.
        data: The data folder of this process.
        exclude: Fields that are left out.
    """

    def __init__(self, kind: type[T], data: Path, exclude: tuple[str, ...] = ()) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
        self._context = {"data": data}
        self._exclude = set(exclude)
        self._unreadable: set[str] = set()

    def write(self, value: T) -> str:
        """The JSON of a value."""
        text = self._adapter.dump_json(value, exclude=self._exclude, context=self._context)
        return text.decode()

    def read(self, text: str | bytes) -> T:
        """The value of a JSON.

        Raises:
            ValueError: It is not of this type, or names a file outside the data folder.
        """
        return self._adapter.validate_json(text, context=self._context)

    def read_if_valid(self, text: str | bytes, name: str) -> T | None:
        """`read`, or None where that raises: the log says so once for each ``name``."""
        try:
            return self.read(text)
        except ValueError as error:
            if name not in self._unreadable:
                self._unreadable.add(name)
                logger.error("%s cannot be read and is left out: %s", name, first_line(error))
            return None
