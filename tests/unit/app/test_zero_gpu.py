"""A stand-in for ``spaces.GPU`` forks a process for each call, as ZeroGPU does.

What other tests left in this one, such as threads that hold locks, may stop a process forked from
it for good; so each of these begins in a new one.
"""

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs.worker import Task
from app.loras.request import LoraTrainingRequest
from app.request import check_request
from app.result import Effort
from app.zero_gpu import MAX_SECONDS, MIN_SECONDS, ZeroRunner, seconds_for
from lavie.errors import Cancelled, ConfigError, InputError
from lavie.types import CancelToken, Progress
from tests.unit.app.conftest import StepRunner
from tests.unit.app.files import make_result

pytestmark = pytest.mark.new_process


class ForkedGpu:
    """Runs generators in a forked process; what they yield comes back pickled."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.processes: list[multiprocessing.Process] = []

    def __call__(self, duration):
        def decorate(function):
            def call(*arguments):
                self.asked.append(duration(*arguments))
                context = multiprocessing.get_context("fork")
                items, stop = context.Queue(), context.Event()

                def work() -> None:
                    generator = function(*arguments)
                    for item in generator:
                        if stop.is_set():
                            generator.close()
                            break
                        items.put(item)
                    items.put("end")

                process = context.Process(target=work)
                self.processes.append(process)
                process.start()
                try:
                    while (item := items.get(timeout=20)) != "end":
                        yield item
                except GeneratorExit:
                    stop.set()
                    while items.get(timeout=20) != "end":
                        pass
                    raise
                finally:
                    process.join(20)

            return call

        return decorate


class ForkableRunner(StepRunner):
    def load_all(self) -> None:
        self.loaded_in = os.getpid()

    def fail(self, prompt: str) -> None:
        if prompt == "a panda moving":
            raise InputError(f"Process {os.getpid()} refuses.", "prompt")
        time.sleep(0.01)


@pytest.fixture
def gpu() -> ForkedGpu:
    return ForkedGpu()


@pytest.fixture
def request_(card, values):
    return check_request({**values, "smooth": True}, card.ranges)


def test_a_job_runs_in_a_forked_process_and_its_events_and_results_come_back(
    gpu, request_, tmp_path
):
    inner = ForkableRunner()
    runner = ZeroRunner(inner, gpu)
    events = []
    results = list(runner.run(Task(request_, (), tmp_path), events.append, CancelToken()))
    assert [result.stage for result in results] == ["base", "interpolation"]
    steps = [(event.stage, event.step) for event in events if isinstance(event, Progress)]
    assert steps == [(stage, step) for stage in ("base", "interpolation") for step in (1, 2, 3)]
    assert inner.steps == []  # of this process
    assert [process.exitcode for process in gpu.processes] == [0]


def test_what_went_wrong_is_said_as_it_was(gpu, request_, tmp_path):
    runner = ZeroRunner(ForkableRunner(), gpu)
    task = Task(replace(request_, prompt="a panda moving"), (), tmp_path)
    with pytest.raises(InputError, match="refuses") as caught:
        list(runner.run(task, lambda _: None, CancelToken()))
    assert caught.value.field == "prompt"
    assert str(os.getpid()) not in str(caught.value)


def test_cancelling_ends_the_process_within_a_step(gpu, request_, tmp_path):
    inner = ForkableRunner(num_steps=100_000)
    cancel, events = CancelToken(), []

    def on_event(event) -> None:
        events.append(event)
        if len(events) == 6:
            cancel.cancel()

    started = time.monotonic()
    with pytest.raises(Cancelled):
        list(ZeroRunner(inner, gpu).run(Task(request_, (), tmp_path), on_event, cancel))
    assert len(events) == 6
    assert gpu.processes[0].exitcode == 0
    assert time.monotonic() - started < 15


class TurningRunner(ForkableRunner):
    """Trains so many steps, and knows by a file how many are done."""

    def __init__(self, num_steps: int, seconds_per_step: float) -> None:
        super().__init__(num_steps)
        self._seconds_per_step = seconds_per_step

    def run(self, task, on_event, cancel):
        done = task.folder / "steps"
        steps = int(done.read_text()) if done.exists() else 0
        while steps < self.num_steps and not task.is_finishing:
            cancel.raise_if_cancelled()
            time.sleep(self._seconds_per_step)
            steps += 1
            done.write_text(str(steps))
            on_event(Progress("lora", steps, self.num_steps))
        yield make_result(task.folder)


class WaitingRunner(ForkableRunner):
    """Never gets to its first step."""

    def run(self, task, on_event, cancel):
        while True:
            cancel.raise_if_cancelled()
            time.sleep(0.01)
            on_event(Progress("prepare", 1, 2))


@pytest.fixture
def a_training() -> LoraTrainingRequest:
    effort = Effort("lora", 6, 4, 40, 64)
    words = {"name": "My zog", "token": "zog", "class_word": "", "sample_prompt": "a zog"}
    return LoraTrainingRequest(
        **words,
        lora_kind="thing",
        effort="quick",
        seed=3,
        pictures=(),
        captions=(),
        keeps_pictures=False,
        training=effort,
        sample=effort,
        shelf=Path("private"),
    )


def take_short_turns(monkeypatch, seconds: float) -> None:
    monkeypatch.setattr("app.zero_gpu._SECONDS_TO_KEEP", MAX_SECONDS - seconds)


def test_a_training_takes_turns(gpu, a_training, tmp_path, monkeypatch):
    take_short_turns(monkeypatch, 0.5)
    runner, events = ZeroRunner(TurningRunner(6, 0.2), gpu), []
    (result,) = runner.run(Task(a_training, (), tmp_path), events.append, CancelToken())
    assert result.stage == "base"
    assert [event.step for event in events] == [1, 2, 3, 4, 5, 6]
    assert 2 <= len(gpu.asked) <= 6
    assert set(gpu.asked) == {MAX_SECONDS}


def test_a_training_that_gets_nowhere_in_a_turn_is_given_up(gpu, a_training, tmp_path, monkeypatch):
    take_short_turns(monkeypatch, 0.05)
    runner = ZeroRunner(WaitingRunner(), gpu)
    with pytest.raises(ConfigError, match="too short a time"):
        list(runner.run(Task(a_training, (), tmp_path), lambda _: None, CancelToken()))
    assert len(gpu.asked) == 1


def test_a_training_is_ended_early_in_a_turn_of_its_own(gpu, a_training, tmp_path):
    finish, events = CancelToken(), []

    def on_event(event) -> None:
        events.append(event)
        if event.step == 2:
            finish.cancel()

    task = Task(a_training, (), tmp_path, finish=finish)
    runner = ZeroRunner(TurningRunner(1000, 0.05), gpu)
    (result,) = runner.run(task, on_event, CancelToken())
    assert result.stage == "base"
    assert len(gpu.asked) == 2
    assert events[-1].step < 20


@pytest.mark.parametrize("button", ["finish", "cancel"])
def test_what_is_asked_of_a_training_after_its_end_changes_nothing(
    gpu, a_training, tmp_path, button
):
    tokens = {"finish": CancelToken(), "cancel": CancelToken()}
    task = Task(a_training, (), tmp_path, finish=tokens["finish"])
    runner, results = ZeroRunner(TurningRunner(2, 0.01), gpu), []
    for result in runner.run(task, lambda _: None, tokens["cancel"]):
        results.append(result)
        tokens[button].cancel()
    assert len(results) == len(gpu.asked) == 1


def test_everything_is_loaded_before_and_once(gpu):
    inner = ForkableRunner()
    runner = ZeroRunner(inner, gpu)
    runner.prepare()
    assert inner.loaded_in == os.getpid()
    inner.loaded_in = None
    runner.prepare()
    assert inner.loaded_in is None


def test_the_gpu_is_asked_for_as_long_as_the_request_needs(request_, tmp_path):
    def seconds(**changes):
        return seconds_for(Task(replace(request_, **changes), (), tmp_path))

    published = {"width": 512, "height": 320, "num_frames": 16, "smooth": False}
    assert seconds() == MIN_SECONDS  # the miniature
    base = seconds(**published, num_inference_steps=50)
    assert base == 15 + round(50 * 16.2 / 100)
    assert seconds(**published, num_inference_steps=100) > base
    large = seconds(**published, num_inference_steps=50, upscale=True, upscaling_steps=50)
    assert large == MAX_SECONDS
