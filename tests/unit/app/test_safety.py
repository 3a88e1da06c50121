import sys

import numpy as np
import pytest

from app.jobs.worker import Task
from app.request import TextToVideoRequest
from app.runner import CascadeRunner
from app.safety import PART_FRAMES, check_frames, check_name, load_checker
from lavie.errors import ConfigError, InputError
from lavie.types import CancelToken, Preview, Progress
from tests.tiny import write_tiny_cascade

FRAMES = np.zeros((2, 4, 4, 3), np.uint8)
REQUEST = TextToVideoRequest(
    "a panda", "", 7, 2, 3.0, "dpm++", 32, 20, 4, True, False, smoothing_steps=1, upscaling_steps=1
)
CHECKERS = """
seen = []

def passes(frames):
    seen.append((frames.dtype.name, frames.shape))
    frames[:] = 0

def refuses_long_ones(frames):
    return "It is <b>too long</b>.\\x07" if len(frames) > 4 else None

def breaks(frames):
    raise ZeroDivisionError

def says_true(frames):
    return True

number = 5
"""


@pytest.fixture
def checkers(tmp_path, monkeypatch):
    (tmp_path / "own_checkers.py").write_text(CHECKERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: f"own_checkers:{name}"
    sys.modules.pop("own_checkers", None)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_cascade(tmp_path_factory.mktemp("model")))


def run(model, safety, folder, is_checked=True):
    """The results there are before an error, the events, and the error."""
    events, results = [], []
    task = Task(REQUEST, (), folder, is_checked=is_checked)
    try:
        results.extend(CascadeRunner(model, safety).run(task, events.append, CancelToken()))
    except Exception as error:
        return results, events, error
    return results, events, None


def test_every_stage_is_looked_at_and_nothing_is_previewed(model, checkers, tmp_path):
    results, events, error = run(model, checkers("passes"), tmp_path / "job")
    assert error is None
    assert sys.modules["own_checkers"].seen == [
        ("uint8", (4, 20, 32, 3)),
        ("uint8", (13, 20, 32, 3)),
    ]
    assert [result.stage for result in results] == ["base", "interpolation"]
    assert Preview not in {type(event) for event in events}
    assert Progress in {type(event) for event in events}


def test_what_is_refused_leaves_no_file(model, checkers, tmp_path):
    results, _, error = run(model, checkers("refuses_long_ones"), tmp_path / "job")
    assert [result.stage for result in results] == ["base"]
    assert str(error) == "This video was not kept. It is <b>too long</b>."
    assert not list((tmp_path / "job").glob("*smooth*"))


@pytest.mark.parametrize(
    ("name", "error"), [("breaks", ZeroDivisionError), ("says_true", TypeError)]
)
def test_a_checker_that_does_not_answer_lets_nothing_pass(model, checkers, tmp_path, name, error):
    results, _, raised = run(model, checkers(name), tmp_path / "job")
    assert (results, type(raised)) == ([], error)
    assert not (tmp_path / "job").exists()


def test_a_worker_without_a_checker_does_not_do_what_has_to_be_checked(model, tmp_path):
    results, _, error = run(model, None, tmp_path / "job")
    assert results == []
    assert isinstance(error, ConfigError)
    assert "--safety" in str(error)


def test_a_checker_cannot_change_the_video():
    frames = FRAMES + 1

    def paint(given):
        given[:] = 7

    check_frames(paint, frames)
    assert (frames == 1).all()
    with pytest.raises(InputError, match=r"not kept\. No\."):
        check_frames(lambda _: "No.", frames)


class Film:
    """Frames that are read as they are asked for, of which few may be in memory at a time."""

    shape, dtype = (130, 4, 4, 3), np.dtype(np.uint8)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        places = range(len(self))[part]
        assert len(places) <= PART_FRAMES
        return np.stack([np.full((4, 4, 3), place, np.uint8) for place in places])


def test_a_long_video_is_looked_at_part_by_part():
    seen = []
    check_frames(lambda frames: seen.extend(frames[:, 0, 0, 0].tolist()), Film())
    assert seen == list(range(130))
    with pytest.raises(InputError, match="The last one"):
        check_frames(lambda frames: "The last one." if frames[-1].max() == 129 else None, Film())


def test_no_stage_gives_a_checker_more_than_a_part(model, checkers, tmp_path, monkeypatch):
    monkeypatch.setattr("app.safety.PART_FRAMES", 5)
    monkeypatch.setattr("app.long_results.MANY_FRAMES", 3)
    assert run(model, checkers("passes"), tmp_path / "job")[2] is None
    lengths = [shape[0] for _, shape in sys.modules["own_checkers"].seen]
    assert lengths == [4, 5, 5, 3]


@pytest.mark.parametrize("name", ["", "json", "json:", ":dumps", "no.such:thing", "a b:c", "..x:y"])
def test_a_name_that_names_nothing_is_refused(name):
    with pytest.raises(ConfigError, match="There is no safety checker"):
        check_name(name)
    check_name("json:dumps")


@pytest.mark.parametrize("name", ["absent", "number"])
def test_a_checker_that_is_none_is_said(checkers, name):
    with pytest.raises(ConfigError, match=f"The safety checker 'own_checkers:{name}'"):
        load_checker(checkers(name))
