"""What a recipe tells of the files before it."""

import json

import pytest

from app.restore import read_recipe
from lavie.media import source_of, write_recipe

OWN = {"stages": ["long_video"], "settings": {"long_video": {}}, "prompt": "a fox", "seed": 1}


def chain(length):
    recipe = OWN
    for number in range(length):
        recipe = OWN | source_of(f"film-{number}.mp4", recipe)
    return recipe


def sources(recipe):
    while "source" in recipe:
        yield recipe["source"]["file"]
        recipe = recipe["source"].get("recipe", {})


@pytest.mark.parametrize("length", [1, 3, 5])
def test_the_recipes_of_files_from_files_are_kept(length):
    assert list(sources(chain(length))) == [f"film-{length - 1 - i}.mp4" for i in range(length)]


def test_a_film_made_longer_a_hundred_times_has_a_recipe_that_is_read(tmp_path):
    recipe = chain(100)
    assert list(sources(recipe)) == [f"film-{99 - i}.mp4" for i in range(6)]
    path = write_recipe(tmp_path / "film.mp4", recipe)
    assert read_recipe(path) == json.loads(path.read_text())


@pytest.mark.parametrize("source", [None, "a.mp4", {"recipe": 3}, {"file": "a.mp4"}])
def test_what_is_no_recipe_of_a_source_is_left_as_it_is(source):
    recipe = OWN | {"source": source}
    assert source_of("b.mp4", recipe)["source"]["recipe"] == recipe


@pytest.mark.parametrize("recipe", [None, {}])
def test_a_file_without_a_recipe_has_a_name_only(recipe):
    assert source_of("holiday.mp4", recipe) == {"source": {"file": "holiday.mp4"}}
