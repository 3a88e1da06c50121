import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from app.jobs import Result
from app.model_card import ModelCard, read_model_card
from app.service import Service
from lavie.types import Preview, Progress

WORDS = "a an the fox panda moving left right in on over ocean snow"


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_card_files(folder: Path, tokens: list[str]) -> Path:
    """The small JSON files of a model folder, without weights."""
    index = {"_class_name": "TextToVideoPipeline", "default_height": 40, "default_width": 64}
    write_json(folder / "model_index.json", {**index, "default_num_inference_steps": 4})
    write_json(folder / "vae" / "config.json", {"block_out_channels": [8, 16, 16]})
    vocabulary = {token: number for number, token in enumerate(tokens)}
    write_json(folder / "tokenizer" / "tokenizer.json", {"model": {"vocab": vocabulary}})
    return folder


@pytest.fixture
def model_folder(tmp_path) -> Path:
    tokens = ["<|startoftext|>", "o", *(f"{word}</w>" for word in WORDS.split())]
    return write_card_files(tmp_path / "model", tokens)


@pytest.fixture
def card(model_folder) -> ModelCard:
    return read_model_card(str(model_folder))


class StepRunner:
    """A runner without a network: takes steps, can be held up at one, fails for certain prompts."""

    def __init__(self, num_steps: int = 3) -> None:
        self.num_steps = num_steps
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.steps: list[tuple[str, int]] = []

    def prepare(self) -> None:
        pass

    def run(self, request, folder, on_event, cancel) -> Result:
        for step in range(1, self.num_steps + 1):
            cancel.raise_if_cancelled()
            if request.prompt == "a snow panda":
                raise ZeroDivisionError("a fault of ours")
            self.steps.append((request.prompt, step))
            on_event(Progress("base", step, self.num_steps, seconds_left=1.0))
            on_event(Preview("base", step, np.zeros((2, 4, 4, 3), np.uint8)))
            assert self.may_go_on.wait(10)
        cancel.raise_if_cancelled()
        folder.mkdir(parents=True)
        files = [folder / f"video.{suffix}" for suffix in ("mp4", "mp4", "gif", "json")]
        return Result(*files, metadata={"prompt": request.prompt}, seed=request.seed)


@pytest.fixture
def values(card) -> dict[str, object]:
    """A form as it is filled in when the page opens, with a prompt."""
    defaults = {name: limits.default for name, limits in card.ranges.items()}
    text = {"prompt": "a panda", "negative_prompt": "", "scheduler": "dpm++", "seed": "7"}
    return {**defaults, **text}


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
def runner() -> StepRunner:
    return StepRunner()


@pytest.fixture
def service(card, runner, tmp_path):
    service = Service(card, runner, tmp_path / "data")
    service.start()
    yield service
    runner.may_go_on.set()
    service.stop()
