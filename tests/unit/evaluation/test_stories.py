import pytest

from lavie.errors import InputError
from lavie.evaluation.stories import CHANGES, make_stories


def test_stories_change_what_their_kind_says():
    stories = make_stories(60)
    assert {story.change for story in stories} == set(CHANGES)
    for story in stories:
        differs = {
            name
            for name in ("place", "motion")
            if getattr(story.first, name) != getattr(story.second, name)
        }
        assert differs == set(story.new_words)
        assert differs == ({"place", "motion"} if story.change == "both" else {story.change})
        assert all(story.subject in prompt for prompt in story.prompts)


def test_fewer_stories_are_the_first_of_more():
    assert make_stories(10, seed=3)[:4] == make_stories(4, seed=3)
    assert make_stories(300, seed=3)[:4] == make_stories(4, seed=3)  # all words, and some again
    assert make_stories(4, seed=4) != make_stories(4, seed=3)


def test_all_words_take_turns():
    stories = make_stories(288)
    assert len({(story.subject, *story.first) for story in stories}) == 288


def test_no_stories_measure_nothing():
    with pytest.raises(InputError, match="Use 1 or more"):
        make_stories(0)
