"""A video's own file is enough to make the video again."""

import numpy as np
import pytest

from app.jobs.worker import Task
from app.model_card import read_model_card
from app.request import TextToVideoRequest, check_request
from app.restore import form_values, read_recipe
from app.runner import CascadeRunner
from lavie.types import CancelToken, StageFinished

pytestmark = pytest.mark.integration


def test_a_video_made_from_the_recipe_in_a_file_has_the_same_frames(tmp_path):
    card, runner = read_model_card("miniature"), CascadeRunner("miniature")
    asked = {name: limits.default for name, limits in card.ranges.items()} | {
        "prompt": "a fox moving left over the ocean",
        "negative_prompt": "snow",
        "scheduler": "euler",
        "seed": "7",
        "num_inference_steps": 3,
        "guidance_scale": 2.5,
        "width": 48,
        "num_frames": 6,
        "smooth": True,
        "upscale": True,
        "upscaling_steps": 2,
    }

    def make(values, name):
        request, events = check_request(values, card.ranges), []
        assert isinstance(request, TextToVideoRequest)
        results = list(runner.run(Task(request, (), tmp_path / name), events.append, CancelToken()))
        frames = [event.frames for event in events if isinstance(event, StageFinished)]
        return request, results, frames

    request, results, frames = make(asked, "first")
    for result in results:
        for file in (result.video, result.view, result.recipe, result.frames):
            if file is not None:
                recipe = read_recipe(file)
                assert recipe == result.metadata
        values, notes = form_values(recipe, card)
        assert notes == []
    again, results_again, frames_again = make(values, "again")
    assert again == request
    assert [result.metadata for result in results] == [made.metadata for made in results_again]
    assert len(frames) == 3
    for first, second in zip(frames, frames_again, strict=True):
        assert np.array_equal(first, second)
