import numpy as np
import pytest

from lavie.errors import InputError
from lavie.evaluation.kept_films import KeptFilms


def test_a_film_is_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"frames": np.arange(4)}

    for _ in range(2):
        kept = KeptFilms(tmp_path / "films", {"seed": 0})
        assert kept.get("film-0000", make)["frames"].tolist() == [0, 1, 2, 3]
    assert len(made) == 1
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == [
        "film-0000.npz",
        "settings.json",
    ]


def test_films_of_other_settings_are_not_mixed_in(tmp_path):
    KeptFilms(tmp_path, {"seed": 0, "steps": 4})
    with pytest.raises(InputError, match="made with another steps"):
        KeptFilms(tmp_path, {"seed": 0, "steps": 5})


def test_settings_are_compared_as_they_are_kept(tmp_path):
    for _ in range(2):
        KeptFilms(tmp_path, {"size": (40, 64)})
    with pytest.raises(InputError, match="made with another steps"):
        KeptFilms(tmp_path, {"size": (40, 64), "steps": None})
