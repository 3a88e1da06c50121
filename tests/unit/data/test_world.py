from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lavie.data import world
from lavie.data.config import SourceConfig
from lavie.data.opening import open_source
from lavie.data.world import drawing
from lavie.data.world_source import WorldSource
from lavie.errors import InputError, MissingDependencyError

seeds = st.integers(0, 2**63)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, split=st.sampled_from(world.SPLITS))
def test_a_clip_depends_on_seed_and_split_alone(seed, split):
    first, second = world.render_clip(seed, split), world.render_clip(seed, split)
    assert np.array_equal(first.frames, second.frames)
    assert (first.caption, first.attributes) == (second.caption, second.attributes)


def test_splits_and_seeds_give_different_clips():
    clips = [world.render_clip(seed, split) for split in world.SPLITS for seed in range(4)]
    assert len({clip.frames.tobytes() for clip in clips}) == len(clips)


def test_clips_have_the_documented_shapes():
    clip = world.render_clip(0)
    assert clip.frames.shape == (16, 40, 64, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.focus.shape == (16, 40, 64)
    assert 0 <= clip.focus.min() < clip.focus.max() <= 1
    assert world.render_still(0).frames.shape == (1, 40, 64, 3)
    assert world.render_clip(0, num_frames=61, scale=2).frames.shape == (61, 80, 128, 3)


@pytest.mark.parametrize("split", world.SPLITS)
def test_a_split_shows_only_its_own_triples(split):
    own = set(world.triples(split))
    others = {t for other in world.SPLITS if other != split for t in world.triples(other)}
    assert own.isdisjoint(others)
    for seed in range(30):
        attributes = world.render_clip(seed, split).attributes
        assert (attributes["subject"], attributes["place"], attributes["motion"]) in own


@pytest.mark.parametrize("split", world.SPLITS)
def test_still_only_subjects_never_enter_clips_but_do_enter_stills(split):
    clips = {world.render_clip(seed, split).attributes["subject"] for seed in range(200)}
    stills = {world.render_still(seed, split).attributes["subject"] for seed in range(200)}
    assert clips.isdisjoint(world.STILL_ONLY_SUBJECTS)
    assert stills == set(world.SUBJECTS)


def test_stills_can_be_of_some_subjects_only():
    some = ("koala", "fox")
    stills = [world.render_still(seed, subjects=some).attributes["subject"] for seed in range(60)]
    assert set(stills) == set(some)
    source = WorldSource("train", 1, kind="stills", subjects=("koala",))
    captions = [sample.caption for sample in islice(source.iterate(seed=0), 9)]
    assert all("koala" in caption for caption in captions)


@pytest.mark.parametrize("render", [world.render_clip, world.render_continuation])
def test_clips_can_be_of_some_motions_only(render):
    some = ("bounce", "grow")
    clips = [render(seed, motions=some) for seed in range(60)]
    assert {clip.attributes["motion"] for clip in clips} == set(some)
    assert len({clip.attributes["subject"] for clip in clips}) > 5


@pytest.mark.parametrize("continuations", [False, True])
def test_a_source_of_some_motions_says_so_in_every_caption(continuations):
    settings = {"kind": "world", "motions": ["left"], "continuations": continuations}
    source = open_source(SourceConfig.model_validate(settings), 8, 40, 64, 8)
    captions = [sample.caption for sample in islice(source.iterate(seed=0), 9)]
    assert all("left" in caption for caption in captions)


def test_stills_can_be_of_any_size():
    def share_of_large(**kwargs):
        source = WorldSource("train", 1, kind="stills", **kwargs)
        heights = [
            sample.focus[0].any(dim=1).sum() for sample in islice(source.iterate(seed=0), 200)
        ]
        return np.mean([height > 24 for height in heights])

    assert share_of_large() < 0.1
    assert 0.15 < share_of_large(any_size=True) < 0.35


def test_every_split_shows_every_motion():
    for split in world.SPLITS:
        assert {motion for _, _, motion in world.triples(split)} == set(world.MOTIONS)


def test_the_held_out_triples_never_change():
    # A change here leaks what earlier weights were trained on into what they are tested on.
    counts = [len(world.triples(split)) for split in world.SPLITS]
    assert counts == [236, 26, 26]
    assert world.split_of("panda", "ocean", "left") == "train"


def test_captions_vary_and_hold_only_known_words():
    captions = {world.render_clip(seed).caption for seed in range(300)}
    captions |= {world.render_still(seed).caption for seed in range(300)}
    assert len(captions) > 250
    words = {word for caption in captions for word in caption.replace(",", "").split()}
    assert words <= world.caption_words()


def test_the_canonical_caption_reads_like_a_sentence():
    assert world.compose_caption("panda", "ocean", "left") == "a panda moving left over the ocean"
    assert world.compose_caption("alien", "snow") == "an alien in the snow"
    sepia = world.compose_caption("car", "night", "up", "sepia")
    assert sepia == "a car moving up at night, in sepia"


@pytest.mark.parametrize(
    ("motion", "axis", "sign"),
    [("left", 1, -1), ("right", 1, 1), ("up", 0, -1), ("down", 0, 1)],
)
def test_a_subject_goes_where_its_caption_says(motion, axis, sign):
    clip = next(c for s in range(500) if (c := world.render_clip(s)).attributes["motion"] == motion)
    centres = [np.argwhere(mask > 0.5).mean(axis=0)[axis] for mask in clip.focus]
    assert (np.diff(centres) * sign).sum() > 15
    assert (np.diff(centres) * sign).min() > -1


def test_a_growing_subject_grows():
    clip = next(c for s in range(500) if (c := world.render_clip(s)).attributes["motion"] == "grow")
    areas = clip.focus.sum(axis=(1, 2))
    assert areas[-1] > 5 * areas[0]


def test_subjects_stay_inside_the_picture():
    for seed in range(200):
        clip = world.render_clip(seed)
        edge = clip.focus[:, :, [0, -1]].sum() + clip.focus[:, [0, -1]].sum()
        assert edge < 0.1 * clip.focus.sum()


def test_styles_look_as_named():
    clips = [world.render_clip(seed) for seed in range(100)]
    grey = next(c for c in clips if c.attributes["style"] == "black and white").frames
    assert np.array_equal(grey[..., 0], grey[..., 2])
    sepia = next(c for c in clips if c.attributes["style"] == "sepia").frames.astype(int)
    assert (sepia[..., 0] >= sepia[..., 2]).all()


def test_a_larger_scale_shows_the_same_scene():
    small = world.render_clip(5).frames.astype(float)
    large = world.render_clip(5, scale=4).frames.astype(float)
    reduced = large.reshape(16, 40, 4, 64, 4, 3).mean(axis=(2, 4))
    assert np.abs(reduced - small).mean() < 6


def test_bad_arguments_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="Split 'dev' is unknown"):
        world.render_clip(0, "dev")
    for seed in (-1, 1.5, "x", None):
        with pytest.raises(InputError, match="whole number of at least 0"):
            world.render_still(seed)
    with pytest.raises(InputError, match="at least 2"):
        world.render_clip(0, num_frames=1)
    with pytest.raises(InputError, match="'whale' is no subject"):
        world.compose_caption("whale", "ocean", "left")


def test_a_missing_font_names_its_install_line(monkeypatch, tmp_path):
    monkeypatch.setenv("LAVIE_EMOJI_FONT", str(tmp_path / "none.ttf"))
    drawing._font.cache_clear()
    drawing.draw_emoji.cache_clear()
    try:
        with pytest.raises(MissingDependencyError, match="fonts-noto-color-emoji"):
            world.render_clip(0)
    finally:
        drawing._font.cache_clear()


def test_the_sheet_shows_every_clip(tmp_path: Path):
    path = tmp_path / "sheet.png"
    world.world_sheet(path, num_clips=8)
    with Image.open(path) as sheet:
        assert sheet.width > 8 * 64
        assert sheet.height > 4 * 40
