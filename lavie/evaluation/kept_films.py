"""Films on disk, so that a long evaluation can go on where it stopped."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lavie.errors import InputError

Arrays = dict[str, np.ndarray]


class KeptFilms:
    """A folder of films that were all made in one way.

    Args:
        folder: Made if it is not there.
        settings: How films are made, JSON-serialisable.

    Raises:
        InputError: Films that were made in another way lie there.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "settings.json"
        text = json.dumps(settings, indent=1, sort_keys=True)
        if path.is_file():
            old, new = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
            for name in {**old, **new}:
                if (name in old, old.get(name)) != (name in new, new.get(name)):
                    raise InputError(
                        f"The films in '{folder}' were made with another {name}. Use another "
                        "--output, or delete them.",
                        "output",
                    )
        path.write_text(text + "\n", encoding="utf-8")

    def get(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a film, made now if they are not there.

        Args:
            name: Of the film.
            make: Makes it.
        """
        path = self._folder / f"{name}.npz"
        if not path.is_file():
            made: dict[str, Any] = {**make()}
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.savez_compressed(file, **made)
            part.replace(path)
        with np.load(path) as arrays:
            return {key: arrays[key] for key in arrays.files}
