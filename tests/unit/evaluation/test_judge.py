import json

import numpy as np
import pytest
import torch

from lavie.data.world import PLACES, STYLES, SUBJECTS, render_clip, render_still
from lavie.errors import CheckpointError, InputError
from lavie.evaluation.judge import Judge, judge_clips, to_images
from lavie.evaluation.judge_training import train_judge
from lavie.evaluation.spoiling import SPOILINGS, STATES, spoil_path


@pytest.fixture(scope="module")
def judge():
    return Judge.from_folder()


@pytest.mark.parametrize("seed", range(4))
def test_the_bundled_judge_reads_a_clip(judge, seed):
    clip = render_clip(seed, "validation")
    (verdict,) = judge_clips(judge, [clip.frames])
    seen = {name: getattr(verdict, name) for name in clip.attributes}
    assert seen == clip.attributes
    assert verdict.is_one_whole


def test_the_bundled_judge_reads_a_still_without_a_motion(judge):
    still = render_still(3)
    (verdict,) = judge_clips(judge, [still.frames])
    assert verdict.subject == still.attributes["subject"]
    assert verdict.motion is None
    assert verdict.path_error is None


@pytest.mark.parametrize("spoiling", SPOILINGS)
def test_the_bundled_judge_rejects_what_is_spoiled(judge, spoiling):
    frames = spoil_path("panda", "grass", "right", spoiling, np.random.default_rng(0))
    (verdict,) = judge_clips(judge, [frames])
    assert not verdict.is_one_whole


def test_two_bad_frames_of_sixteen_are_one_too_many(judge):
    frames = spoil_path("fox", "ocean", "left", None, np.random.default_rng(0))
    empty = spoil_path("fox", "ocean", "left", "removed", np.random.default_rng(0))
    verdicts = []
    for count in (1, 2):
        mixed = frames.copy()
        mixed[:count] = empty[:count]
        verdicts += judge_clips(judge, [mixed])
    assert [verdict.is_one_whole for verdict in verdicts] == [True, False]


def test_a_subject_that_turns_into_another_is_not_one_whole(judge):
    rng = np.random.default_rng(0)
    fox, pig = (spoil_path(name, "grass", "up", None, rng) for name in ("fox", "pig"))
    (verdict,) = judge_clips(judge, [np.concatenate([fox[:8], pig[8:]])])
    assert not verdict.is_one_whole


def test_another_size_is_refused(judge):
    with pytest.raises(InputError, match="64x40"):
        judge_clips(judge, [np.zeros((2, 80, 128, 3), np.uint8)])


def test_readings_have_an_answer_for_every_word():
    readings = Judge(width=8).eval()(to_images(np.zeros((3, 40, 64, 3), np.uint8)))
    sizes = [part.shape for part in readings]
    expected = [len(SUBJECTS) + 1, len(PLACES), len(STYLES), len(STATES), 3]
    assert sizes == [(3, size) for size in expected]


def test_saving_and_loading_changes_nothing(tmp_path):
    judge = Judge(width=8).eval()
    judge.save_pretrained(tmp_path)
    images = torch.rand(2, 3, 40, 64)
    for before, after in zip(judge(images), Judge.from_folder(tmp_path)(images), strict=True):
        assert torch.equal(before, after)


def test_a_judge_of_another_world_is_refused(tmp_path):
    Judge(width=8).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["subjects"][0] = "dragon"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="another world"):
        Judge.from_folder(tmp_path)


def test_a_missing_judge_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="train-judge"):
        Judge.from_folder(tmp_path / "nothing")


def test_training_is_the_same_for_the_same_seed():
    events = []
    first, second = (train_judge(2, seed=3, on_event=events.append) for _ in range(2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert [event.step for event in events] == [1, 2, 1, 2]
