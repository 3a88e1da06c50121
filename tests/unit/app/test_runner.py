import json

import pytest

from app.request import TextToVideoRequest
from app.runner import CascadeRunner
from lavie.errors import Cancelled
from lavie.media import read_metadata, read_video
from lavie.types import CancelToken, Preview, Progress
from tests.tiny import write_tiny_model

BASE = TextToVideoRequest(
    "a panda", "", 7, 2, 3.0, "dpm++", 32, 20, 4, False, False, smoothing_steps=2, upscaling_steps=3
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return CascadeRunner(str(write_tiny_model(tmp_path_factory.mktemp("model"))))


def test_a_run_writes_every_file_with_the_recipe_inside(runner, tmp_path):
    events = []
    (result,) = runner.run(BASE, tmp_path / "day" / "job", events.append, CancelToken())
    assert {type(event) for event in events} == {Progress, Preview}
    assert read_video(result.video).frames.shape == (4, 20, 32, 3)
    assert read_video(result.view).frames.shape == (4, 320, 512, 3)
    assert result.gif.read_bytes().startswith(b"GIF89a")
    recipe = json.loads(result.recipe.read_text())
    assert recipe == read_metadata(result.video) == read_metadata(result.view) == result.metadata
    assert recipe["prompt"] == "a panda"
    assert recipe["seed"] == result.seed == 7


def test_a_cancelled_run_leaves_nothing(runner, tmp_path):
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        list(runner.run(BASE, tmp_path / "day" / "job", lambda _: cancel.cancel(), cancel))
    assert not list(tmp_path.iterdir())


class CancelOnceFilesAreWritten(CancelToken):
    def __init__(self, folder):
        super().__init__()
        self._folder = folder

    @property
    def is_cancelled(self) -> bool:
        return any(self._folder.rglob("*.gif"))


def test_a_run_cancelled_while_its_files_are_written_leaves_none(runner, tmp_path):
    cancel = CancelOnceFilesAreWritten(tmp_path)
    with pytest.raises(Cancelled):
        list(runner.run(BASE, tmp_path / "day" / "job", lambda _: None, cancel))
    assert not list((tmp_path / "day").iterdir())


def test_a_run_cancelled_while_the_model_loads_takes_no_step(runner, tmp_path):
    cancel, events = CancelToken(), []
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(runner.run(BASE, tmp_path / "day" / "job", events.append, cancel))
    assert events == []
