import numpy as np
import pytest

from lavie.data import world
from lavie.data.world.continuations import DISSOLVE_FRAMES, MAX_BEFORE
from lavie.errors import InputError


def centres(clip):
    """Column and row of the subject in each frame; NaN where it is out of the picture."""
    rows, columns = np.mgrid[: clip.focus.shape[1], : clip.focus.shape[2]]
    weight = clip.focus.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        x = (clip.focus * columns).sum(axis=(1, 2)) / weight
        y = (clip.focus * rows).sum(axis=(1, 2)) / weight
    return x, y


def with_motion(motion, count=8, **arguments):
    clips = (world.render_continuation(seed, **arguments) for seed in range(120))
    found = [clip for clip in clips if clip.attributes["motion"] == motion]
    return found[:count]


def test_the_same_seed_draws_the_same_clip_and_splits_share_nothing():
    first, again = world.render_continuation(5), world.render_continuation(5)
    assert np.array_equal(first.frames, again.frames)
    assert (first.caption, first.begins_at) == (again.caption, again.begins_at)
    for split in world.SPLITS:
        for seed in range(20):
            words = world.render_continuation(seed, split).attributes
            triple = (words["subject"], words["place"], words["motion"])
            assert world.split_of(*triple) == split


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)]
)
def test_from_its_beginning_on_the_subject_moves_as_the_caption_says(motion, axis, sign):
    for clip in with_motion(motion):
        place = centres(clip)[axis][clip.begins_at - 1 :]
        steps = np.diff(place)
        steps = steps[np.isfinite(steps) & (abs(steps) < 10)]  # it may leave and come in again
        assert np.median(steps) * sign > 0.4


def test_a_subject_that_grows_does():
    for clip in with_motion("grow"):
        area = clip.focus.sum(axis=(1, 2))
        if area[clip.begins_at - 1] < 250:
            assert area[-1] > area[clip.begins_at - 1]


def test_many_that_grow_have_grown_before_and_stand_still():
    clips = [world.render_continuation(seed, motions=["grow"]) for seed in range(60)]
    heights = [clip.focus.max(axis=2).sum(axis=1) for clip in clips]  # (F,) each
    still = [height for height in heights if np.ptp(height) == 0]
    assert 8 <= len(still) <= 30
    assert max(height[0] for height in still) > 28


def test_a_new_place_comes_in_a_dissolve_after_what_was_before():
    num_changes = 0
    for seed in range(60):
        clip = world.render_continuation(seed)
        ground = clip.frames[:, clip.focus.max(axis=0) == 0].astype(int)  # never covered
        steps = abs(np.diff(ground, axis=0)).max(axis=(1, 2))
        dissolve = slice(clip.begins_at - 1, clip.begins_at - 1 + DISSOLVE_FRAMES)
        is_changing = np.zeros(len(steps), bool)
        is_changing[dissolve] = True
        assert steps[~is_changing].max(initial=0) == 0
        assert steps[is_changing].max() < 60
        num_changes += steps.any()
    assert 5 <= num_changes <= 30


def test_some_frames_show_what_came_before():
    begins = {world.render_continuation(seed).begins_at for seed in range(60)}
    assert begins == set(range(1, MAX_BEFORE + 1))


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match="Use at least 7"):
        world.render_continuation(0, num_frames=MAX_BEFORE)


def test_a_story_begins_as_clips_do_and_every_line_goes_on_from_the_last():
    lines = [world.Line("snow", "left"), world.Line("night", "left")]
    frames = world.render_story(3, "fox", lines, [16, 12])
    steps = abs(np.diff(frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert frames.shape == (28, world.HEIGHT, world.WIDTH, 3)
    assert steps.max() < 3 * np.median(steps) + 20  # a dissolve, no cut
    ground = frames[:, -3:].astype(int)  # below the lane
    assert abs(np.diff(ground[:16], axis=0)).max() == 0
    assert abs(ground[16 + DISSOLVE_FRAMES :] - ground[-1]).max() == 0
    assert abs(ground[15] - ground[-1]).mean() > 20
    assert np.array_equal(frames, world.render_story(3, "fox", lines, [16, 12]))


def test_a_story_of_one_line_stays_in_its_place():
    frames = world.render_story(0, "panda", [world.Line("grass", "grow")], [40])
    assert abs(np.diff(frames[25:].astype(int), axis=0)).max() == 0  # as large as it gets
