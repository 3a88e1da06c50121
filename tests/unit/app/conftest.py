import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from app.jobs.crew import ThreadCrew
from app.jobs.worker import Task
from app.loras.files import learnt_file
from app.model_card import ModelCard, read_model_card
from app.result import Result
from app.service import Service
from app.tabs.long_video import TAB_ID, create_long_video_tab
from app.tabs.lora import TAB_ID as LORA_TAB_ID
from app.tabs.lora import create_lora_tab
from lavie.errors import Cancelled, MemoryBudgetError
from lavie.types import Preview, Progress
from tests.unit.app.files import make_result, write_card_files
from tests.unit.app.loras.files import write_lora

WORDS = "a an the fox panda moving left right in on over ocean snow"


@pytest.fixture
def model_folder(tmp_path) -> Path:
    tokens = ["<|startoftext|>", "o", *(f"{word}</w>" for word in WORDS.split())]
    return write_card_files(tmp_path / "model", tokens)


@pytest.fixture
def card(model_folder) -> ModelCard:
    return read_model_card(str(model_folder))


class StepRunner:
    """A runner without a network: takes steps, can be held up at one, fails for certain prompts."""

    setup = None

    def __init__(self, num_steps: int = 3) -> None:
        self.num_steps = num_steps
        self.seconds_after = 0.0
        self.model = ""
        self.num_steps_of: dict[str, int] = {}
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.steps: list[tuple[str, int]] = []
        self.tasks: list[Task] = []
        self.is_abandoned = False

    def prepare(self) -> None:
        pass

    def run(self, task, on_event, cancel) -> Iterator[Result]:
        request = task.request
        self.tasks.append(task)
        for stage in request.stages[len(task.results) :]:
            num_steps = self.num_steps_of.get(stage, self.num_steps)
            for step in range(1, num_steps + 1):
                cancel.raise_if_cancelled()
                if self.is_abandoned:
                    raise Cancelled
                self.fail(request.prompt)
                self.steps.append((stage, step))
                on_event(Progress(stage, step, num_steps, seconds_left=1.0))
                on_event(Preview(stage, step, np.zeros((2, 4, 4, 3), np.uint8)))
                assert self.may_go_on.wait(10)
            cancel.raise_if_cancelled()
            task.folder.mkdir(parents=True, exist_ok=True)
            if request.kind == "lora":
                learnt_file(task.folder).parent.mkdir(exist_ok=True)
                write_lora(learnt_file(task.folder))
            stages = request.stages[: request.stages.index(stage) + 1]
            result = make_result(task.folder, stage, request.seed, stages)
            metadata = {**result.metadata, "model": self.model}
            yield replace(result, metadata=metadata, seconds_after=self.seconds_after)

    def fail(self, prompt: str) -> None:
        if prompt == "a snow panda":
            raise ZeroDivisionError("a fault of ours")
        if prompt == "a snow fox" and not self.tasks[-1].is_memory_short:
            raise MemoryBudgetError("It does not fit. Use less.")


@pytest.fixture
def values(card) -> dict[str, object]:
    """A form as it is filled in when the page opens, with a prompt."""
    defaults = {name: limits.default for name, limits in card.ranges.items()}
    text = {"prompt": "a panda", "negative_prompt": "", "scheduler": "dpm++", "seed": "7"}
    return {**defaults, **text, "smooth": False, "upscale": False, "loras": ""}


@pytest.fixture
def film_tab_and_tabs(card):
    async def create():  # in a loop of ours: Gradio would make one and leave it open
        with gr.Blocks(analytics_enabled=False), gr.Tabs() as tabs, gr.Tab(id=TAB_ID):
            return create_long_video_tab(card, None), tabs

    return asyncio.run(create())


@pytest.fixture
def lora_tab_and_tabs():
    async def create():
        with gr.Blocks(analytics_enabled=False), gr.Tabs() as tabs, gr.Tab(id=LORA_TAB_ID):
            return create_lora_tab([]), tabs

    return asyncio.run(create())


@pytest.fixture
def wait_until():
    def wait(is_met, timeout: float = 10.0) -> None:
        end = time.monotonic() + timeout
        while not is_met():
            assert time.monotonic() < end, "took too long"
            time.sleep(0.005)

    return wait


@pytest.fixture
def write_model(tmp_path):
    return lambda tokens: write_card_files(tmp_path / "other", tokens)


@pytest.fixture
def runner() -> Iterator[StepRunner]:
    runner = StepRunner()
    yield runner
    runner.is_abandoned = True  # by a server that was left as if it had been killed


@pytest.fixture
def service(card, runner, tmp_path):
    service = Service(card, ThreadCrew(runner), tmp_path / "data")
    service.start()
    yield service
    runner.may_go_on.set()
    service.stop()
