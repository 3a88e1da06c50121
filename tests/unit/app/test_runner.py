import json
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.films.request import Windows
from app.jobs.worker import Task
from app.request import StageRequest, TextToVideoRequest
from app.runner import CascadeRunner, _time_one_step
from lavie.errors import Cancelled, ConfigError, InputError
from lavie.media import read_metadata, read_video
from lavie.runtime.profiles import next_smaller
from lavie.types import CancelToken, Preview, Progress, StageFinished
from tests.tiny import write_tiny_cascade
from tests.unit.app.files import A_FILM

BASE = TextToVideoRequest(
    "a panda", "", 7, 2, 3.0, "dpm++", 32, 20, 4, False, False, smoothing_steps=2, upscaling_steps=3
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return CascadeRunner(str(write_tiny_cascade(tmp_path_factory.mktemp("model"))))


def test_a_run_writes_every_file_with_the_recipe_inside(runner, tmp_path):
    events = []
    (result,) = runner.run(Task(BASE, (), tmp_path / "day" / "job"), events.append, CancelToken())
    assert {type(event) for event in events} == {Progress, Preview, StageFinished}
    assert read_video(result.video).frames.shape == (4, 20, 32, 3)
    assert read_video(result.view).frames.shape == (4, 320, 512, 3)
    for picture, is_moving in ((result.poster, False), (result.thumbnail, True)):
        with Image.open(picture) as image:
            assert (image.format, image.size) == ("WEBP", (320, 200))
            assert image.is_animated == is_moving
    recipe = json.loads(result.recipe.read_text())
    assert recipe == read_metadata(result.video) == read_metadata(result.view) == result.metadata
    assert 0 < result.seconds_after < result.seconds  # it writes files after its last step
    assert recipe["prompt"] == "a panda"
    assert recipe["seed"] == result.seed == 7


def test_a_cancelled_run_leaves_nothing(runner, tmp_path):
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        list(
            runner.run(Task(BASE, (), tmp_path / "day" / "job"), lambda _: cancel.cancel(), cancel)
        )
    assert not list(tmp_path.iterdir())


class CancelOnceFilesAreWritten(CancelToken):
    def __init__(self, folder):
        super().__init__()
        self._folder = folder

    @property
    def is_cancelled(self) -> bool:
        return any(self._folder.rglob("*.webp"))


def test_a_run_cancelled_while_its_files_are_written_leaves_none(runner, tmp_path):
    cancel = CancelOnceFilesAreWritten(tmp_path)
    with pytest.raises(Cancelled):
        list(runner.run(Task(BASE, (), tmp_path / "day" / "job"), lambda _: None, cancel))
    assert not list((tmp_path / "day").iterdir())


def test_a_run_cancelled_while_the_model_loads_takes_no_step(runner, tmp_path):
    cancel, events = CancelToken(), []
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(runner.run(Task(BASE, (), tmp_path / "day" / "job"), events.append, cancel))
    assert events == []


def run(runner, request, folder, cancel=None):
    results = request.given if isinstance(request, StageRequest) else ()
    task = Task(request, results, folder)
    return list(runner.run(task, lambda _: None, cancel or CancelToken()))


def test_a_worker_without_a_stage_of_the_servers_refuses_what_takes_it(runner, tmp_path):
    film = replace(A_FILM, windows=Windows(8.0, 4, 20, 32))
    task = Task(film, (), tmp_path / "job", stages=("base", "long_video"))
    with pytest.raises(ConfigError, match="Start it with --long-video, too"):
        list(runner.run(task, lambda _: None, CancelToken()))
    assert not (tmp_path / "job").exists()
    others = replace(task, request=replace(BASE, num_inference_steps=1))
    assert len(list(runner.run(others, lambda _: None, CancelToken()))) == 1


def test_every_stage_leaves_files_of_its_own(runner, tmp_path):
    request = replace(BASE, smooth=True, upscale=True)
    events, folder = [], tmp_path / "job"
    task = Task(request, (), folder)
    base, smooth, upscaled = runner.run(task, events.append, CancelToken())
    assert base.comparison is None
    shapes = [read_video(result.video).frames.shape for result in (base, smooth, upscaled)]
    assert shapes == [(4, 20, 32, 3), (13, 20, 32, 3), (13, 80, 128, 3)]
    assert [read_video(result.video).fps for result in (base, smooth, upscaled)] == [8, 32, 32]
    assert [result.video.name for result in (base, smooth, upscaled)] == [
        "lavie-job-base.mp4",
        "lavie-job-smooth.mp4",
        "lavie-job-upscaled.mp4",
    ]
    assert upscaled.metadata["stages"] == ["base", "interpolation", "super_resolution"]
    assert (upscaled.effort.num_steps, upscaled.effort.height) == (3, 80)
    assert upscaled.seconds > 0
    assert {path.suffix for path in (tmp_path / "job").iterdir()} == {
        ".mp4",
        ".mkv",
        ".webp",
        ".json",
    }
    assert len(list((tmp_path / "job").iterdir())) == 6 + 7 + 6
    made = [event.frames for event in events if isinstance(event, StageFinished)]
    for result, frames, fps in zip((base, smooth), made, (8, 32), strict=False):
        kept = read_video(result.frames)
        assert np.array_equal(kept.frames, frames)
        assert (kept.fps, kept.metadata) == (fps, result.metadata)
    assert upscaled.frames is None  # nothing comes after it


def test_before_and_after_play_in_step(runner, tmp_path):
    _, smooth, upscaled = run(runner, replace(BASE, smooth=True, upscale=True), tmp_path / "job")
    for result in (smooth, upscaled):
        both, after = read_video(result.comparison), read_video(result.view)
        assert both.frames.shape == (13, 320, 2 * 512 + 4, 3)
        assert both.fps == after.fps
        for number, picture in enumerate(both.frames[:, :, -512:].astype(int)):
            assert np.abs(picture - after.frames).mean((1, 2, 3)).argmin() == number


def test_a_stage_run_later_makes_the_same_frames(runner, tmp_path):
    at_once = run(runner, replace(BASE, smooth=True), tmp_path / "at-once")
    given = run(runner, BASE, tmp_path / "first")
    later = run(runner, StageRequest(tuple(given), "interpolation", 2), tmp_path / "later")
    (smooth,) = later
    assert smooth.metadata == at_once[-1].metadata
    frames = [read_video(result.frames).frames for result in (smooth, at_once[-1])]
    assert np.array_equal(*frames)
    assert smooth.video.parent == tmp_path / "later"


def test_a_stage_is_run_after_a_restart(runner, tmp_path):
    given = run(runner, BASE, tmp_path / "first")
    (at_once,) = run(runner, StageRequest(tuple(given), "interpolation", 2), tmp_path / "at-once")
    another = CascadeRunner(runner._model)
    (later,) = run(another, StageRequest(tuple(given), "interpolation", 2), tmp_path / "later")
    frames = [read_video(result.frames).frames for result in (at_once, later)]
    assert np.array_equal(*frames)


def test_a_job_goes_on_after_the_stages_that_are_done(runner, tmp_path):
    request = replace(BASE, smooth=True, upscale=True)
    whole = run(runner, request, tmp_path / "whole")
    (first, *_) = run(runner, request, tmp_path / "job")
    rest = list(
        runner.run(Task(request, (first,), tmp_path / "job"), lambda _: None, CancelToken())
    )
    assert [result.metadata for result in rest] == [result.metadata for result in whole[1:]]
    exact = [read_video(results[-2].frames).frames for results in (rest, whole)]
    assert np.array_equal(*exact)


def test_a_video_whose_frames_are_gone_is_said_kindly(runner, tmp_path):
    given = run(runner, BASE, tmp_path / "first")
    given[0].frames.unlink()
    with pytest.raises(InputError, match="gone from the disk"):
        run(runner, StageRequest(tuple(given), "interpolation", 2), tmp_path / "later")
    assert not (tmp_path / "later").exists()


def test_a_run_cancelled_in_a_later_stage_keeps_what_was_finished(runner, tmp_path):
    cancel, results = CancelToken(), []
    task = Task(replace(BASE, smooth=True), (), tmp_path / "job")
    stages = runner.run(task, lambda _: None, cancel)
    results.append(next(stages))
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(stages)
    assert read_video(results[0].view).frames.shape == (4, 320, 512, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["job"]


def test_a_sample_tells_how_fast_this_computer_is(runner, monkeypatch):
    effort, seconds = runner.prepare()  # quick enough for a whole video
    assert (effort.stage, effort.num_steps, effort.num_frames) == ("base", 1, 16)
    assert seconds > 0
    monkeypatch.setattr("app.runner._SECONDS_OF_A_QUICK_STEP", 0.0)
    assert runner.prepare()[0].num_frames == 4


def test_a_sample_is_not_misled_by_steps_that_had_to_wait():
    class BusyComputer:
        def generate(self, *_, num_inference_steps, on_event, cancel, **__):
            for step, seconds in enumerate((0.3, 0.2, 0.01, 0.15)[:num_inference_steps]):
                time.sleep(seconds)
                on_event(Progress("base", step + 1, num_inference_steps, None))
                cancel.raise_if_cancelled()

    assert _time_one_step(BusyComputer(), num_frames=4) < 0.1


def test_when_memory_runs_short_the_next_smaller_profile_is_taken_for_good(runner, tmp_path):
    another = CascadeRunner(runner._model)
    another.prepare()
    usual = another._cascade.profile
    for is_memory_short in (True, True, False):
        task = Task(BASE, (), tmp_path / "job", is_memory_short)
        assert len(list(another.run(task, lambda _: None, CancelToken()))) == 1
        assert another._cascade.profile == (next_smaller(usual) or usual)


def test_the_profile_is_that_of_the_runner_or_of_the_job(runner, tmp_path):
    another = CascadeRunner(runner._model, profile="12gb")
    assert another.setup is None
    another.prepare()
    seen = []
    for profile, is_memory_short in (
        (None, False),
        ("16gb", False),
        ("16gb", True),
        ("16gb", False),
        (None, False),
    ):
        task = Task(BASE, (), tmp_path / "job", is_memory_short, profile=profile)
        assert len(list(another.run(task, lambda _: None, CancelToken()))) == 1
        seen.append((another.setup.asked, another.setup.profile, another.setup.ran_short))
        assert another._cascade.profile.name == another.setup.profile
    assert seen == [
        ("12gb", "12gb", False),
        ("16gb", "16gb", False),
        ("16gb", "12gb", True),
        ("16gb", "12gb", True),
        ("12gb", "12gb", False),
    ]
    assert another.setup.device
    assert another.setup.model_hash == another._cascade.model_hash
