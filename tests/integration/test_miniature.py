"""The bundled miniature: it loads, it listens to its words, and it stays within its budget."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lavie import Cascade, TextToVideoPipeline
from lavie.data.world import caption_words
from lavie.evaluation.judge import JUDGE_FOLDER, Judge, judge_clips
from lavie.pipelines.model_folder import MINIATURE_FOLDER

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def pipeline() -> TextToVideoPipeline:
    pipeline = TextToVideoPipeline.from_pretrained("miniature")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_all_weights_together_stay_within_the_budget():
    sizes = [path.stat().st_size for path in MINIATURE_FOLDER.rglob("*.safetensors")]
    assert sum(sizes) < 30e6


def test_no_config_names_a_folder_of_the_machine_it_was_made_on():
    for path in MINIATURE_FOLDER.rglob("*.json"):
        assert "_name_or_path" not in json.loads(path.read_text()), path


def test_every_word_of_the_world_is_one_token(pipeline):
    for word in sorted({word.strip(",") for word in caption_words()}):
        assert len(pipeline.tokenizer(word).input_ids) == 3, word  # start, word, end


def test_one_seed_gives_one_video_alone_or_in_a_batch(pipeline):
    def generators(*seeds: int) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    prompts = ["a panda moving left over the ocean", "a fox moving right in the snow"]
    both = pipeline(prompts, num_inference_steps=4, generator=generators(1, 2)).frames
    alone = pipeline(prompts[1], num_inference_steps=4, generator=generators(2)).frames
    assert np.abs(both[1].astype(int) - alone[0].astype(int)).max() <= 1


def test_it_shows_what_the_sentence_says(pipeline):
    asked = [
        ("panda", "ocean", "left", "a panda moving left over the ocean"),
        ("fox", "grass", "right", "a fox moving right on the grass"),
        ("panda", "night", "up", "a panda moving up at night"),
        ("fox", "sunset", "down", "a fox moving down at sunset"),
        ("frog", "snow", "grow", "a frog growing in the snow"),
        ("panda", "desert", "bounce", "a panda bouncing in the desert"),
    ]
    generators = [torch.Generator().manual_seed(0) for _ in asked]
    clips = pipeline([prompt for *_, prompt in asked], generator=generators).frames
    seen = judge_clips(Judge.from_folder(JUDGE_FOLDER), clips)
    verdicts = [(verdict.subject, verdict.place) for verdict in seen]
    assert verdicts == [(subject, place) for subject, place, _, _ in asked]
    motions = [
        verdict.motion == motion for verdict, (_, _, motion, _) in zip(seen, asked, strict=True)
    ]
    assert sum(motions) >= 5, [verdict.motion for verdict in seen]  # an outline may smear once


def test_the_recipe_makes_the_same_video_again():
    cascade = Cascade.from_pretrained("miniature")
    first = cascade.generate("a frog bouncing in the snow", seed=7, num_inference_steps=4)
    settings = first.metadata["settings"]["base"]
    again = cascade.generate(first.metadata["prompt"], seed=first.seed, **settings)
    assert np.array_equal(first.frames, again.frames)


def test_the_readme_beside_the_weights_is_there():
    assert (Path(MINIATURE_FOLDER) / "README.md").is_file()
    assert (Path(MINIATURE_FOLDER) / "curves.png").is_file()
