import numpy as np
import pytest

from lavie.evaluation.tracking import Track

NUM_FRAMES, BORDER = 40, 16


def straight(velocity=(2.4, 0.0), start=(14.0, 20.0), num_frames=NUM_FRAMES):
    places = np.array(start) + np.arange(num_frames)[:, None] * np.array(velocity)
    places = (places + 10) % (84, 60) - 10
    path = np.column_stack([places, np.full(num_frames, 20.0)])
    return Track.of(path, ("whole",) * num_frames)


def changed(track, frames, path=None, is_seen=None):
    new_path, new_seen = track.path.copy(), track.is_seen.copy()
    if path is not None:
        new_path[frames] = path
    if is_seen is not None:
        new_seen[frames] = is_seen
    return Track(new_path, new_seen)


def test_who_is_at_the_edge_or_absent_is_not_seen():
    track = Track.of(
        np.array([[3.0, 20, 20], [30, 20, 20], [30, 20, 20]]), ("whole", "whole", "absent")
    )
    assert track.is_seen.tolist() == [False, True, False]


@pytest.mark.parametrize("velocity", [(2.4, 0), (-2.4, 0), (0, 1.2), (0, 0)])
def test_a_course_goes_on_over_a_border(velocity):
    in_the_middle = 32.0 - velocity[0] * BORDER, 20.0 - velocity[1] * BORDER
    assert straight(velocity, in_the_middle).continues_at(BORDER) is True


def test_who_leaves_on_one_side_and_comes_in_on_the_other_goes_on():
    track = straight((2.4, 0), (30.0, 20.0))
    assert not track.is_seen[BORDER]
    assert track.is_out[~track.is_seen].all()
    assert track.continues_at(BORDER) is None  # nobody can tell
    assert track.continues_at(20) is True


def test_what_a_window_is_given_may_not_show_who_is_out_of_the_picture():
    track = straight((2.4, 0), (30.0, 20.0))
    assert track.is_out_before(BORDER, 4)
    back = BORDER + np.flatnonzero(track.is_seen[BORDER:])[0]
    assert not track.is_out_before(back + 1, 4)
    lost = changed(straight((0.5, 0)), slice(BORDER - 4, None), is_seen=False)
    assert not lost.is_out_before(BORDER, 4)


def coming_in(velocity, start):
    """As the judge sees it: of one that is partly outside, the visible part is taken for all."""
    places = np.array(start) + np.arange(NUM_FRAMES)[:, None] * np.array(velocity)
    places = (places + 10) % (84, 60) - 10
    inside = np.minimum(places, (64, 40) - places).min(axis=1)
    path = np.column_stack([places.clip(7, (57, 33)), np.full(NUM_FRAMES, 20.0)])
    return Track.of(path, tuple(np.where(inside > 4, "whole", "absent")))


@pytest.mark.parametrize("velocity", [(2.4, 0), (-2.4, 0), (0, 1.2), (0, -1.2)])
def test_who_comes_in_goes_on_wherever_the_border_is(velocity):
    steps = np.arange(-10, 74 if velocity[0] else 50, 0.7)
    starts = [(step, 20.0) if velocity[0] else (32.0, step) for step in steps]
    tracks = [coming_in(velocity, start) for start in starts]
    known = [track for track in tracks if track.course_before(BORDER) is not None]
    answers = [track.continues_at(BORDER) for track in known]
    assert False not in answers
    assert answers.count(True) > len(answers) // 4


@pytest.mark.parametrize("jump", [(0, 9), (9, 0), (-9, 0)])
def test_who_has_just_come_in_can_jump_too(jump):
    track = coming_in((2.4, 0), (5 - 15 * 2.4, 18.0))
    assert track.continues_at(BORDER) is True
    jumped = track.path[BORDER:] + np.array([*jump, 0])
    assert changed(track, slice(BORDER, None), jumped).continues_at(BORDER) is False


def test_who_is_on_the_way_out_is_no_break():
    track = changed(straight((0, 1.2), (32.0, 14.0)), slice(BORDER, None), is_seen=False)
    assert track.is_seen[BORDER - 1]
    assert track.continues_at(BORDER) is None


def test_a_jump_is_a_break():
    track = straight((0.5, 0))
    jumped = changed(track, slice(BORDER, None), track.path[BORDER:] + np.array([9, 0, 0]))
    assert jumped.continues_at(BORDER) is False


def test_turning_round_and_stopping_are_breaks():
    track = straight((1.2, 0))
    back = track.path[BORDER - 2 :: -1]
    turned = changed(track, slice(BORDER, BORDER + 12), back[:12])
    assert turned.continues_at(BORDER) is False
    stopped = changed(track, slice(BORDER, None), track.path[BORDER - 1])
    assert stopped.continues_at(BORDER) is False


def test_who_vanishes_in_the_middle_is_lost_and_not_out_of_view():
    track = changed(straight((0.5, 0)), slice(BORDER, None), is_seen=False)
    assert not track.is_out.any()
    assert track.continues_at(BORDER) is False
    assert track.continues_at(BORDER + 12) is False


def test_who_does_not_come_back_is_lost():
    track = straight((2.4, 0), (14.0, 20.0), 80)
    first_hidden = np.flatnonzero(~track.is_seen)[0]
    gone = changed(track, slice(first_hidden, None), is_seen=False)
    assert gone.is_out[first_hidden : first_hidden + 8].all()
    assert not gone.is_out[first_hidden + 24 :].any()


def test_a_film_without_a_subject_has_only_breaks():
    nobody = Track(np.zeros((40, 3)), np.zeros(40, bool))
    assert nobody.continues_at(BORDER) is False
    assert not nobody.is_out.any()
