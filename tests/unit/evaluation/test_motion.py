import numpy as np
import pytest

from lavie.data.world import MOTIONS
from lavie.data.world.clips import motion_path
from lavie.evaluation.motion import read_motion


def _path(motion, num_frames=16, seed=7):
    poses = motion_path(motion, num_frames, np.random.default_rng(seed))
    return np.array([(pose.x, pose.y, pose.height) for pose in poses])


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("num_frames", [8, 16, 61])
def test_real_paths_are_read(motion, num_frames):
    read, distance = read_motion(_path(motion, num_frames))
    assert read == motion
    assert distance < 1e-6


@pytest.mark.parametrize("motion", MOTIONS)
def test_where_a_path_lies_and_a_little_noise_do_not_matter(motion):
    noise = np.random.default_rng(0).normal(0, 0.7, (16, 3))
    assert read_motion(_path(motion) + np.array([4, -3, 2]) + noise)[0] == motion


@pytest.mark.parametrize("motion", MOTIONS)
def test_two_lost_frames_do_not_change_the_motion(motion):
    path = _path(motion)
    path[[3, 11]] = [32, 20, 20]
    assert read_motion(path)[0] == motion


def test_standing_still_is_no_motion():
    assert read_motion(np.tile([30.0, 20.0, 20.0], (16, 1)))[0] is None


def test_jumping_about_is_no_motion():
    path = np.random.default_rng(0).uniform([10, 10, 18], [54, 30, 22], (16, 3))
    assert read_motion(path)[0] is None


def test_turning_round_halfway_is_no_motion():
    path = np.concatenate([_path("left")[:8], _path("right")[8:]])
    assert read_motion(path)[0] is None
