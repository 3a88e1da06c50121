from dataclasses import replace

import numpy as np
import pytest

from lavie.data.world import render_clip
from lavie.evaluation.judge import Judge
from lavie.evaluation.still_films import (
    CUT,
    StillStory,
    make_picture_stories,
    make_transition_stories,
    measure_still,
)


@pytest.fixture(scope="module")
def judge():
    return Judge.from_folder()


@pytest.fixture(scope="module")
def clip():
    return next(
        clip
        for clip in (render_clip(seed, "test") for seed in range(60))
        if clip.attributes["motion"] == "bounce"
    )


def story_of(clip, start=0):
    words = clip.attributes
    picture = clip.frames[start]
    return StillStory(clip.caption, picture, None, words["subject"], words["motion"], "picture", 0)


def test_a_true_film_keeps_its_picture_and_does_what_is_asked(judge, clip):
    measured = measure_still(judge, story_of(clip), clip.frames)
    assert measured.first_psnr == 100
    assert measured.reading.subject == clip.attributes["subject"]
    assert measured.reading.motion == "bounce"
    assert measured.largest_change is None


def test_frozen_films_and_other_pictures_are_told(judge, clip):
    frozen = np.stack([clip.frames[0]] * 16)
    measured = measure_still(judge, story_of(clip), frozen)
    assert measured.reading.motion is None
    assert measured.reading.is_motion_in_view
    other = render_clip(0, "test").frames
    assert measure_still(judge, story_of(clip), other).first_psnr < 25


def test_a_cut_is_told_from_a_dissolve(judge):
    for story in make_transition_stories(6):
        shares = np.linspace(0, 1, 16)[:, None, None, None]
        dissolve = (1 - shares) * story.start + shares * story.end
        measured = measure_still(judge, story, dissolve.round().astype(np.uint8))
        assert measured.largest_change < 0.2
        assert measured.last_psnr == 100
        cut = np.stack([story.start] * 8 + [story.end] * 8)
        assert measure_still(judge, story, cut).largest_change == pytest.approx(1)
        stopped = measure_still(judge, story, np.stack([story.start] * 16))
        assert stopped.last_psnr < 25


def test_clips_of_the_world_have_no_cut(judge):
    for seed in range(30):
        clip = render_clip(seed, "test")
        if clip.attributes["motion"] != "bounce":  # which ends where it began
            story = replace(story_of(clip), end=clip.frames[-1], kind="same")
            assert measure_still(judge, story, clip.frames).largest_change < CUT


def test_pictures_ask_for_all_motions_in_turn():
    stories = make_picture_stories(12)
    assert len({story.motion for story in stories}) == 6
    assert all(story.subject in story.prompt for story in stories)
    assert make_picture_stories(2, seed=1)[0].seed != stories[0].seed
