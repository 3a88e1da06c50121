import json

import numpy as np
import pytest
import torch

from lavie import Cascade, __version__
from lavie.cascade import choose_device, choose_dtype
from lavie.errors import Cancelled, InputError, MemoryBudgetError
from lavie.types import CancelToken, Preview, Progress


@pytest.fixture(scope="module")
def cascade(model_folder):
    return Cascade.from_pretrained(model_folder, device="cpu")


def test_recipe_makes_the_video_again(cascade, small):
    first = cascade.generate("a fox", seed=5, negative_prompt="a car", scheduler="euler", **small)
    recipe = json.loads(json.dumps(first.metadata))
    second = cascade.generate(
        recipe["prompt"],
        stages=recipe["stages"],
        seed=recipe["seed"],
        negative_prompt=recipe["negative_prompt"],
        fps=recipe["fps"],
        **recipe["settings"]["base"],
    )
    assert np.array_equal(first.frames, second.frames)
    assert first.metadata == second.metadata


def test_recipe_says_what_the_model_filled_in(cascade):
    generation = cascade.generate("a fox", num_inference_steps=1)
    assert generation.frames.shape == (16, 40, 64, 3)
    assert (generation.fps, generation.seed) == (8, 0)
    assert generation.metadata == {
        "version": __version__,
        "model": cascade.model,
        "model_hash": cascade.model_hash,
        "model_hashes": {"base": cascade.model_hash},
        "stages": ["base"],
        "prompt": "a fox",
        "negative_prompt": "",
        "seed": 0,
        "fps": 8,
        "settings": {
            "base": {
                "height": 40,
                "width": 64,
                "num_frames": 16,
                "num_inference_steps": 1,
                "guidance_scale": 3.0,
                "scheduler": "ddim",
            }
        },
        "dtype": "float32",
        "device": "cpu",
    }


def test_every_step_brings_progress_and_a_preview(cascade, small):
    events = []
    cascade.generate("a fox", on_event=events.append, **small)
    progress = [event for event in events if isinstance(event, Progress)]
    previews = [event for event in events if isinstance(event, Preview)]
    assert [(event.stage, event.step, event.total) for event in progress] == [
        ("base", 1, 2),
        ("base", 2, 2),
    ]
    assert progress[0].seconds_left > 0
    assert progress[-1].seconds_left == 0
    assert [preview.frames.shape for preview in previews] == [(2, 4, 8, 3)] * 2


def test_cancel_stops_within_a_step(cascade, small):
    cancel, events = CancelToken(), []

    def on_event(event):
        events.append(event)
        cancel.cancel()

    with pytest.raises(Cancelled):
        cascade.generate("a fox", on_event=on_event, cancel=cancel, **small)
    assert {event.step for event in events} == {1}
    assert cascade.generate("a fox", **small).frames.shape == (2, 16, 32, 3)


@pytest.mark.parametrize(
    ("arguments", "field", "sentence"),
    [
        ({"stages": ["base", "interpolation"]}, "stages", "has no stage 'interpolation'"),
        ({"stages": ["bass"]}, "stages", "has no stage 'bass'"),
        ({"stages": []}, "stages", "needs the stage 'base'"),
        ({"seed": -1}, "seed", "Seed -1"),
        ({"fps": 0}, "fps", "Fps 0"),
        ({"width": 1}, "width", "Width 1"),
    ],
)
def test_a_wrong_request_is_refused_with_its_field(cascade, arguments, field, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        cascade.generate("a fox", **arguments)
    assert caught.value.field == field


def test_dtype_defaults_to_half_only_on_cuda():
    assert choose_dtype(torch.device("cuda")) == torch.float16
    assert choose_dtype(torch.device("cpu")) == torch.float32


def test_an_absent_device_is_refused():
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="Device 'xpu' is not on this machine"):
        choose_device("xpu")


def test_a_full_memory_is_a_sentence_with_a_way_out(cascade, small):
    def fill_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = cascade.base.unet.register_forward_pre_hook(fill_memory)
    try:
        with pytest.raises(MemoryBudgetError, match="2 frames of 32x16 do not fit .* smaller size"):
            cascade.generate("a fox", **small)
    finally:
        hook.remove()
    assert cascade.generate("a fox", **small).frames.shape == (2, 16, 32, 3)
