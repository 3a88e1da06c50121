from dataclasses import replace
from random import Random

from app.model_card import read_model_card
from app.surprise import PROMPTS_FILE, surprise
from app.words import words_of
from lavie.pipelines.limits import check_prompt


def several(card, words):
    return {surprise(card, words, Random(seed)) for seed in range(50)}


def test_the_miniature_is_asked_for_what_it_knows_all_of():
    card = read_model_card("miniature")
    words = words_of(card)
    assert words is not None
    sentences = several(card, words)
    assert len(sentences) > 40
    for sentence in sentences:
        assert card.unknown_words(sentence) == []
        assert None not in words.find(sentence)


def test_a_model_of_open_language_is_asked_for_a_sentence_of_ours(card):
    sentences = several(replace(card, vocabulary=None), None)
    assert len(sentences) > 20
    lines = PROMPTS_FILE.read_text(encoding="utf-8").splitlines()
    assert sentences <= set(lines)
    assert all(check_prompt(sentence) and sentence[0] != "#" for sentence in sentences)
    assert len(set(lines)) == len(lines)


def test_another_small_model_is_asked_for_words_it_knows(card):
    for sentence in several(replace(card, vocabulary=frozenset(("robot", "runs"))), None):
        assert sorted(sentence.split()) == ["robot", "runs"]


def test_chance_decides_and_can_be_repeated(card):
    open_card = replace(card, vocabulary=None)
    assert surprise(open_card, None, Random(5)) == surprise(open_card, None, Random(5))
