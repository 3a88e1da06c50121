"""LoRAs for programs, on a tiny model: trained, killed in the middle, gone on with, used."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from lavie.data.world import render_clip
from lavie.media import read_metadata
from tests.integration.studio import Studio, serving
from tests.tiny import write_tiny_cascade

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

NUM_STEPS = 120
FIRST_CHECKPOINT = 50
PROMPT = "a zog moving left over the ocean"
CAPTIONS = ["a zog in the snow", "a zog over the ocean", "a zog at night"]
"""What is said of pictures is learnt from stills, which are there sooner than clips."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    model = str(write_tiny_cascade(tmp_path_factory.mktemp("model")))
    with serving(tmp_path_factory.mktemp("studio"), "--process", "--model", model) as studio:
        yield studio


@pytest.fixture(scope="module")
def ask(client):
    return lambda endpoint, /, **arguments: client.predict(api_name=f"/{endpoint}", **arguments)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list:
    folder = tmp_path_factory.mktemp("pictures")
    files = [folder / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        Image.fromarray(render_clip(number).frames[0]).resize((128, 80)).save(file)
    return [handle_file(str(file)) for file in files]


@pytest.fixture(scope="module")
def train(ask, pictures):
    def train(**changes) -> dict:
        words = {"name": "My <b>zog</b>", "token": "zog", "seed": "3", "effort": "quick"}
        return ask(
            "train_lora",
            **{"files": pictures, **words, "captions": CAPTIONS, "num_steps": str(NUM_STEPS)}
            | changes,
        )

    return train


def kill_worker(studio: Studio) -> None:
    pid = studio.process.pid
    children = Path(f"/proc/{pid}/task").glob("*/children")
    workers = {int(child) for file in children for child in file.read_text().split()}
    (worker,) = (
        child for child in workers if b"app.jobs" in Path(f"/proc/{child}/cmdline").read_bytes()
    )
    os.kill(worker, signal.SIGKILL)


def wait_for(ask, job_id: str, is_met, seconds: float = 600) -> dict:
    end = time.monotonic() + seconds
    while not is_met(job := ask("status", job_id=job_id)):
        assert time.monotonic() < end, job
        assert job["state"] in ("queued", "running", "failed"), job
        time.sleep(0.2)
    return job


@pytest.fixture(scope="module")
def lora(ask, client, train, studio) -> dict:
    """Trained, with a worker that is killed in the middle."""
    queued = train()
    assert queued["advice"] is None
    job_id = queued["id"]

    def is_far(job) -> bool:
        assert job["state"] in ("queued", "running"), job
        return job["stage"] == "lora" and job["step"] > FIRST_CHECKPOINT

    wait_for(ask, job_id, is_far)
    kill_worker(studio)
    failed = wait_for(ask, job_id, lambda job: job["state"] == "failed")
    assert "SIGKILL" in failed["error"]
    training = ask("training", job_id=job_id)
    assert training["is_paused"]
    assert FIRST_CHECKPOINT <= training["step"] < NUM_STEPS
    ask("retry", job_id=job_id)
    job = client.submit(job_id, api_name="/follow").result(timeout=600)
    assert (job["state"], job["error"]) == ("done", None)
    training = ask("training", job_id=job_id)
    assert (training["step"], training["num_steps"]) == (NUM_STEPS, NUM_STEPS)
    steps = [step for step, _ in training["loss"]]
    assert steps == sorted(set(steps))
    (lora,) = ask("loras")
    assert lora["id"] == training["lora_id"]
    return {**lora, "job": job}


def test_a_killed_training_goes_on_and_its_video_names_the_lora(lora, ask):
    assert lora["job"]["prompt"] == lora["name"] == "My <b>zog</b>"
    assert lora["job"]["settings"]["num_steps"] == NUM_STEPS
    video = ask("files", job_id=lora["job"]["id"], format="mp4")
    (told,) = read_metadata(Path(video))["loras"]
    assert told["sha256"] == lora["sha256"]


def test_the_pictures_are_gone(lora, studio):
    end = time.monotonic() + 20
    while list((studio.data / "given").iterdir()):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert not list(studio.data.glob("results/*/*/training/*.webp"))


def test_a_video_is_made_with_it_and_its_recipe_gives_it_back(lora, ask, client):
    loras = [{"id": lora["id"], "weight": 0.8}]
    job = ask("submit", prompt=PROMPT, seed=5, num_inference_steps=2, loras=loras)
    job = client.submit(job["id"], api_name="/follow").result(timeout=300)
    assert (job["state"], job["error"], job["settings"]["loras"]) == ("done", None, loras)
    video = ask("files", job_id=job["id"], format="mp4")
    found = ask("restore", file=handle_file(video))
    assert found["notes"] == []
    again = ask("submit", **found["values"])
    assert again["settings"] == job["settings"]
    ask("cancel", job_id=again["id"])


def test_it_is_handed_out_and_taken_in_renamed_deleted_and_brought_back(lora, ask, studio):
    file = ask("export_lora", lora_id=lora["id"], format="kohya")
    assert Path(file).name == "My-b-zog-b.safetensors"
    other = ask("export_lora", lora_id=lora["id"], format="diffusers")
    assert not list((studio.data / "private" / "loras").glob(".export-*"))
    assert ask("import_lora", file=handle_file(file))["id"] == lora["id"]  # it is there
    taken = ask("import_lora", file=handle_file(other), name="A copy")
    assert (taken["name"], taken["token"]) == ("A copy", "zog")
    assert ask("rename_lora", lora_id=taken["id"], name="Other")["name"] == "Other"
    assert ask("tag_lora", lora_id=taken["id"], tags=["red"])["tags"] == ["red"]
    assert ask("delete_lora", lora_id=taken["id"])["is_deleted"]
    assert [each["id"] for each in ask("loras")] == [lora["id"]]
    ask("delete_lora", lora_id=taken["id"], undo=True)
    assert len(ask("loras")) == 2
    ask("delete_lora", lora_id=taken["id"])


def test_a_training_is_ended_early_and_kept(ask, client, train):
    job_id = train(token="zig", num_steps="5000")["id"]
    wait_for(ask, job_id, lambda job: job["stage"] == "lora")
    ask("finish_training", job_id=job_id)
    job = client.submit(job_id, api_name="/follow").result(timeout=600)
    assert (job["state"], job["error"]) == ("done", None)
    assert "zig" in [lora["token"] for lora in ask("loras")]


def test_a_training_is_thrown_away_with_its_pictures(ask, train, studio):
    job_id = train(token="zag", num_steps="5000")["id"]
    wait_for(ask, job_id, lambda job: job["state"] == "running")
    assert list((studio.data / "given").iterdir())
    assert ask("discard_training", job_id=job_id)["is_deleted"]
    assert not list((studio.data / "given").iterdir())


def test_few_pictures_are_trained_on_with_advice(train, ask, pictures):
    job = train(files=pictures[:2], captions=None)
    assert "only 2 different pictures" in job["advice"]
    assert ask("cancel", job_id=job["id"])["state"] in ("cancelled", "running")


@pytest.mark.parametrize(
    ("endpoint", "arguments", "sentence"),
    [
        ("train_lora", {"token": "fox"}, "already means something"),
        ("train_lora", {"token": "../x"}, "cannot be a trigger word"),
        ("train_lora", {"name": ""}, "no name"),
        ("train_lora", {"kind": "x"}, "no kind of LoRA"),
        ("train_lora", {"captions": ["x"]}, "1 captions for 3 pictures"),
        ("training", {"job_id": "none"}, "There is no job none"),
        ("finish_training", {"job_id": "none"}, "There is no job none"),
        ("discard_training", {"job_id": "none"}, "There is no job none"),
        ("rename_lora", {"lora_id": "../x", "name": "x"}, "There is no LoRA"),
        ("delete_lora", {"lora_id": "../../x"}, "There is no LoRA"),
        ("export_lora", {"lora_id": "/etc/passwd", "format": "kohya"}, "There is no LoRA"),
        ("submit", {"prompt": PROMPT, "loras": [{"id": "../x"}]}, "There is no LoRA"),
        ("submit", {"prompt": PROMPT, "loras": "x"}, "a list of ids"),
        ("film", {"story": "a fox | 2", "loras": [{}]}, "The id of a LoRA"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(ask, train, endpoint, arguments, sentence):
    with pytest.raises(AppError, match=sentence):
        train(**arguments) if endpoint == "train_lora" else ask(endpoint, **arguments)
