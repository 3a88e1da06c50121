import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.jobs.crew import ThreadCrew
from app.loras.files import has_learnt
from app.loras.service import Loras
from app.model_card import read_model_card
from app.policy import Policy
from app.runner import CascadeRunner
from app.service import Service
from lora import efforts
from tests.tiny import write_tiny_cascade

LONG = 120  # seconds to wait at most


@dataclass
class Studio:
    service: Service
    loras: Loras

    def train(self, values, **changes):
        job = self.loras.submit({**values, **changes})
        return self.service.wait(job.id, LONG)

    def folder(self, job) -> Path:
        return self.service.data / job.folder

    def has_learnt(self, job) -> bool:
        return has_learnt(self.folder(job))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_cascade(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def cascade_runner(model) -> Iterator[CascadeRunner]:
    with pytest.MonkeyPatch.context() as patch:
        few = {"num_prior_images": 1, "num_variants": 3}  # clips, that take as long as many steps
        patch.setattr(efforts, "_MOVING", {**efforts._MOVING, **few})
        yield CascadeRunner(model)


def write_pictures(folder: Path, count: int = 3) -> list[str]:
    folder.mkdir(exist_ok=True)
    chance = np.random.default_rng(0)
    files = [folder / f"picture {number}.png" for number in range(count)]
    for file in files:
        Image.fromarray(chance.integers(0, 256, (40, 64, 3), np.uint8)).save(file)
    return [str(file) for file in files]


@pytest.fixture
def pictures(tmp_path) -> list[str]:
    return write_pictures(tmp_path / "pictures")


def said_of(pictures: list[str]) -> dict[str, object]:
    """What a form says of a training, of few steps."""
    words = {"name": "My zog", "token": "zog", "class_word": "", "captions": []}
    return {
        **words,
        "pictures": pictures,
        "kind": "thing",
        "effort": "quick",
        "keeps_pictures": False,
        "seed": "3",
        "num_steps": 6,
        "prompt": "a zog moving left",
    }


@pytest.fixture
def training(pictures) -> dict[str, object]:
    return said_of(pictures)


@pytest.fixture(scope="module")
def running_on(model, cascade_runner):
    @contextmanager
    def running_on(data: Path, policy: Policy | None = None):
        service = Service(
            read_model_card(model), ThreadCrew(cascade_runner), data, policy or Policy()
        )
        service.start()
        yield Studio(service, Loras(service))
        service.stop()

    return running_on


@pytest.fixture
def running(running_on, tmp_path):
    """A studio on the same data each time."""
    return partial(running_on, tmp_path / "data")


@pytest.fixture
def studio(running):
    with running() as studio:
        yield studio


@pytest.fixture(scope="module")
def taught(running_on, tmp_path_factory) -> Path:
    """Data of a studio that has learnt a zog."""
    folder = tmp_path_factory.mktemp("taught")
    with running_on(folder / "data") as studio:
        assert studio.train(said_of(write_pictures(folder / "pictures"))).state == "done"
    return folder / "data"


@pytest.fixture
def knowing(taught, running, tmp_path):
    """As `running`, a studio that has learnt a zog."""
    shutil.copytree(taught, tmp_path / "data")
    return running


@pytest.fixture
def knows_zog(knowing, wait_until):
    with knowing() as studio:
        wait_until(lambda: studio.service.card.model_hash, LONG)  # said once the model is loaded
        yield studio


def form(service: Service, **changes) -> dict[str, object]:
    """What a form says of a video."""
    usual = {name: limits.default for name, limits in service.card.ranges.items()}
    words = {"prompt": "a fox", "negative_prompt": "", "scheduler": "ddim", "seed": "7"}
    return {**usual, **words, "smooth": False, "upscale": False, "num_frames": 4, **changes}
