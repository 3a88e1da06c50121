from itertools import product

import numpy as np
import pytest

from app.model_card import read_model_card
from app.words import Words, compose, words_of
from lavie.data.world import compose_caption


@pytest.fixture(scope="module")
def words() -> Words:
    words = words_of(read_model_card("miniature"))
    assert words is not None
    return words


def test_every_sentence_that_can_be_clicked_is_found_again(words):
    lists = words.subjects, words.motions, words.places, words.styles
    for chosen in product(*([name for _, name in choices] for choices in lists)):
        assert words.find(compose(*chosen)) == chosen


def test_any_wording_of_the_world_is_found(words):
    rng = np.random.default_rng(0)
    for motion in (name for _, name in words.motions):
        for _ in range(20):
            caption = compose_caption("bear", "night", motion, "sepia", rng)
            assert words.find(caption) == ("bear", motion, "night", "sepia")


def test_parts_of_words_are_not_found(words):
    assert words.find("A carpet bearing pandas, upright") == (None, None, None, "colour")
    assert words.find("") == (None, None, None, "colour")


def test_what_was_not_clicked_is_filled_in_and_the_look_stays_plain(words):
    *_, place, style = words.complete(place="snow")
    assert (place, style) == ("snow", "colour")
    assert words.complete("fox", "left", "snow", "sepia") == ("fox", "left", "snow", "sepia")
