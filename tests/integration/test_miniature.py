"""The bundled miniature: it loads, it listens to its words, and it stays within its budget."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lavie import (
    Cascade,
    InterpolationPipeline,
    SuperResolutionPipeline,
    TextToVideoPipeline,
)
from lavie.data.world import caption_words
from lavie.evaluation.interpolation_quality import measure_interpolation
from lavie.evaluation.judge import JUDGE_FOLDER, Judge, judge_clips
from lavie.evaluation.measured import means
from lavie.evaluation.super_resolution_quality import measure_super_resolution
from lavie.pipelines.model_folder import MINIATURE_FOLDER

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def pipeline() -> TextToVideoPipeline:
    pipeline = TextToVideoPipeline.from_pretrained("miniature")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_very_large_frames_look_the_same_though_attention_is_near_by():
    """Linear instead of quadratic cost, for a difference that nobody sees."""
    large = SuperResolutionPipeline.from_pretrained("miniature")
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, 136)] * 2, indexing="ij")
    disc = ((rows**2 + columns**2) < 0.4).float()
    pixels = torch.stack([disc, rows, columns])[None, :, None]

    def enlarge() -> np.ndarray:
        return large(pixels, generator=torch.Generator().manual_seed(0)).frames.astype(float)

    near = enlarge()
    (processor,) = set(large.vae.attn_processors.values())
    assert processor.side == 16
    processor.side = 99
    whole = enlarge()
    psnr = 10 * np.log10(255**2 / np.mean((near - whole) ** 2))
    assert 45 < psnr < 99


def test_all_weights_together_stay_within_the_budget():
    sizes = [path.stat().st_size for path in MINIATURE_FOLDER.rglob("*.safetensors")]
    assert sum(sizes) < 60e6  # the floor; the aim is 30 MB


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


def test_the_whole_cascade_in_one_call():
    cascade = Cascade.from_pretrained("miniature")
    assert cascade.stages == ("base", "interpolation", "super_resolution")
    large = cascade.generate("a fox moving right in the snow", stages=cascade.stages, seed=1)
    sizes = {stage: result.frames.shape for stage, result in large.results.items()}
    assert sizes == {
        "base": (16, 40, 64, 3),
        "interpolation": (61, 40, 64, 3),
        "super_resolution": (61, 160, 256, 3),
    }
    assert (large.fps, large.metadata["stages"]) == (32, list(cascade.stages))
    base, smooth = large.results["base"].frames, large.results["interpolation"].frames
    assert np.abs(smooth[::4].astype(int) - base).mean() < 2  # given frames stay what they are
    small_again = large.frames.reshape(61, 40, 4, 64, 4, 3).mean((2, 4))
    assert np.abs(small_again - smooth).mean() < 2


def test_smoothing_beats_cross_fading_on_clips_that_it_never_saw():
    pipeline = InterpolationPipeline.from_pretrained("miniature")
    pipeline.set_progress_bar_config(disable=True)
    judge = Judge.from_folder(JUDGE_FOLDER)
    measured = measure_interpolation(pipeline, judge, num_clips=4, num_exact=0)
    numbers = means(measured)
    assert numbers["psnr"] > numbers["psnr_cross_fade"] + 1
    assert numbers["roughness"] < numbers["roughness_repetition"]
    assert numbers["key_difference"] < 2


def test_enlarging_beats_lanczos_on_clips_that_it_never_saw():
    pipeline = SuperResolutionPipeline.from_pretrained("miniature")
    pipeline.set_progress_bar_config(disable=True)
    measured = measure_super_resolution(pipeline, num_clips=2, num_frames=6, num_detailed=0)
    numbers = means(measured)
    assert numbers["psnr"] > numbers["psnr_lanczos"] + 1.5
    assert numbers["flicker"] < numbers["flicker_frame_by_frame"]


def test_the_readme_beside_the_weights_is_there():
    assert (Path(MINIATURE_FOLDER) / "README.md").is_file()
    assert (Path(MINIATURE_FOLDER) / "curves.png").is_file()
