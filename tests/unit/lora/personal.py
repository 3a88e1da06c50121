"""Personal LoRAs that train in seconds: a tiny model, small pictures, two steps."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lavie.errors import Cancelled
from lavie.training.checkpoint import list_checkpoints, load_checkpoint
from lavie.types import CancelToken, Progress
from lora.header import RESULT
from lora.settings import PersonalConfig
from lora.train import train_lora

QUICK = {
    "num_steps": 4,
    "batch_size": 2,
    "whole": False,
    "rank": 2,
    "num_variants": 3,
    "num_prior_images": 2,
    "prior_rows": 1,
    "sample_every": 0,
    "checkpoint_every": 1,
    "learning_rate": 1e-2,
    "ema_decay": 0.5,
    "height": 16,
    "width": 24,
}


def draw_pictures(folder, count=3, size=(24, 16)):
    """Red squares at other places of grey grounds."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        pixels = np.full((size[1] * 4, size[0] * 4, 3), 120 + 30 * index, np.uint8)
        left = 8 + 16 * index
        pixels[16:44, left : left + 28] = (220, 30 + 20 * index, 20)
        pixels[20:26, left + 6 : left + 12] = 0
        paths.append(folder / f"{index}.png")
        Image.fromarray(pixels).save(paths[-1])
    return tuple(paths)


def personal_config(output, model, images, **changes):
    named = {"output": output, "model": str(model), "images": images, "name": "My thing"}
    return PersonalConfig(**{**named, "token": "zog", **QUICK, **changes})


def steps_of(events):
    """The optimizer steps that were heard of."""
    return [e.step for e in events if isinstance(e, Progress) and e.stage == "lora"]


def stop_after(step, token):
    def hear(event):
        if step in steps_of([event]):
            token.cancel()

    return hear


def stop_and_go_on(config, at):
    """Train, stopped in the step after ``at``, and called again, which begins with the next one."""
    token, heard = CancelToken(), []
    with pytest.raises(Cancelled, match="resume"):
        train_lora(config, stop_after(at, token), token)
    assert list_checkpoints(config.output / "checkpoints")[-1].name == f"step-{at + 1:08d}"
    path = train_lora(config, heard.append)
    assert steps_of(heard)[:1] == [at + 2]
    return path


def assert_equal_runs(first, second):
    """That two runs came to the same file, and to the same checkpoint, which has all digits.

    Args:
        first: Folder of the one.
        second: Of the other.
    """
    newest = [list_checkpoints(run / "checkpoints")[-1] for run in (first, second)]
    assert newest[0].name == newest[1].name
    states = [load_checkpoint(folder, ["weights", "ema"])[1] for folder in newest]
    assert all(map(torch.equal, *(state["ema"]["shadow_params"] for state in states)))
    files = [load_file(result_of(run)) for run in (first, second)]
    for ours, theirs in ([state["weights"] for state in states], files):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def result_of(run):
    """Where the LoRA of a run lies, also before `train_lora` has put it into its place."""
    return run / RESULT if (run / RESULT).exists() else run / "model" / RESULT
