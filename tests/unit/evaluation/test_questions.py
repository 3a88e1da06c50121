import pytest

from lavie.data.world import MOTIONS, PLACES, STILL_ONLY_SUBJECTS, caption_words, triples
from lavie.errors import InputError
from lavie.evaluation.questions import CAPTION_SETS, make_questions


def _triples(questions):
    return [tuple(q.attributes[k] for k in ("subject", "place", "motion")) for q in questions]


@pytest.mark.parametrize(("caption_set", "split"), [("seen", "train"), ("held_out", "test")])
def test_clips_are_asked_for_from_their_split_only(caption_set, split):
    asked = _triples(make_questions(caption_set, 50))
    assert set(asked) <= set(triples(split))


def test_every_combination_is_asked_for_before_one_comes_twice():
    combinations = triples("test")
    asked = _triples(make_questions("held_out", 2 * len(combinations)))
    assert set(asked[: len(combinations)]) == set(combinations)
    assert set(asked[len(combinations) :]) == set(combinations)


def test_still_only_subjects_are_set_in_motion():
    count = len(STILL_ONLY_SUBJECTS) * len(PLACES) * len(MOTIONS)
    asked = {q.attributes["subject"] for q in make_questions("still_only", count)}
    assert asked == set(STILL_ONLY_SUBJECTS)


def test_stills_have_no_motion():
    assert all("motion" not in q.attributes for q in make_questions("stills", 20))


@pytest.mark.parametrize("caption_set", CAPTION_SETS)
def test_half_are_in_canonical_words_and_all_in_words_of_the_world(caption_set):
    questions = make_questions(caption_set, 40)
    assert sum(q.is_canonical for q in questions) == 20
    words = {word.strip(",") for q in questions for word in q.caption.split()}
    assert words <= caption_words()


def test_seeds_repeat_between_sets_and_differ_within():
    seen, held_out = make_questions("seen", 30), make_questions("held_out", 30)
    assert [q.seed for q in seen] == [q.seed for q in held_out]
    assert len({q.seed for q in seen}) == 30


def test_another_seed_asks_in_another_order():
    assert make_questions("seen", 5, seed=1) == make_questions("seen", 5, seed=1)
    assert make_questions("seen", 5, seed=1) != make_questions("seen", 5, seed=2)


@pytest.mark.parametrize(("caption_set", "count"), [("unseen", 3), ("seen", 0)])
def test_bad_requests_are_one_sentence(caption_set, count):
    with pytest.raises(InputError, match="Use"):
        make_questions(caption_set, count)
