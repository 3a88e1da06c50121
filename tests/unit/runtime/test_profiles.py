from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
import torch

from lavie.errors import InputError
from lavie.runtime.profiles import (
    PROFILES,
    ProfileName,
    choose_profile,
    estimate_peak,
    next_smaller,
    profile_table,
)
from lavie.types import CASCADE_STAGES, StageName

GPU, CPU, APPLE = (torch.device(name) for name in ("cuda", "cpu", "mps"))
STAGES = get_args(StageName)
GB = 10**9


@pytest.mark.parametrize(
    ("device", "free", "name"),
    [
        (GPU, 79 * GB, "large"),
        (GPU, 23 * GB, "24gb"),
        (GPU, 15 * GB, "16gb"),
        (GPU, 11 * GB, "12gb"),
        (GPU, 7 * GB, "8gb"),
        (GPU, 5 * GB, "6gb"),
        (GPU, 0, "6gb"),
        (GPU, None, "large"),
        (CPU, 30 * GB, "16gb"),
        (APPLE, 30 * GB, "16gb"),
        (CPU, 8 * GB, "6gb"),
    ],
)
def test_the_profile_follows_from_what_is_free_and_what_a_number_takes(device, free, name):
    assert choose_profile(device, free).name == name


def test_a_type_of_half_the_size_needs_half_the_memory():
    assert choose_profile(CPU, 15 * GB, torch.float32).name == "8gb"
    assert choose_profile(CPU, 15 * GB, torch.bfloat16).name == "16gb"


def test_a_smaller_model_needs_less():
    assert choose_profile(GPU, 7 * GB).name == "8gb"
    assert choose_profile(GPU, 7 * GB, num_weights=909e6 / 2).name == "16gb"
    assert choose_profile(GPU, 7 * GB, num_weights=909e6 / 64).name == "large"
    assert choose_profile(GPU, 7 * GB, num_weights=4e9).name == "8gb"


def test_a_profile_can_be_asked_for_by_name():
    assert [choose_profile(GPU, 0, name=profile.name) for profile in PROFILES] == [*PROFILES]
    with pytest.raises(InputError, match="'4gb' is unknown. Known: auto, large, 24gb, .*6gb"):
        choose_profile(GPU, 0, name="4gb")
    assert get_args(ProfileName) == ("auto", *(profile.name for profile in PROFILES))


def test_a_smaller_profile_takes_less_in_every_stage_or_as_much():
    for larger, smaller in pairwise(PROFILES):
        assert next_smaller(larger) is smaller
        before, after = ([estimate_peak(p, stage) for stage in STAGES] for p in (larger, smaller))
        assert all(a <= b for a, b in zip(after, before, strict=True))
        assert estimate_peak(smaller, "super_resolution") < estimate_peak(
            larger, "super_resolution"
        )
    assert next_smaller(PROFILES[-1]) is None


@pytest.mark.parametrize("profile", PROFILES[1:], ids=lambda profile: profile.name)
def test_what_a_profile_takes_fits_its_gpus(profile):
    capacity = int(profile.name.removesuffix("gb")) * GB
    for stage in STAGES:
        assert estimate_peak(profile, stage) < capacity * 0.92


def test_the_table_has_every_profile_and_says_that_it_is_an_estimate():
    lines = profile_table()
    assert [line.split()[0] for line in lines[1:-1]] == [profile.name for profile in PROFILES]
    assert lines[-1].startswith("Estimated, not measured")


def test_the_table_of_the_docs_holds_what_is_estimated():
    docs = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    for profile in PROFILES:
        (line,) = (row for row in docs.splitlines() if row.startswith(f"| `{profile.name}` |"))
        *_, base, smoothing, upscaling, kind, _ = (cell.strip() for cell in line.split("|"))
        peaks = [f"{estimate_peak(profile, stage) / GB:.1f} GB" for stage in CASCADE_STAGES]
        assert [base, smoothing, upscaling] == peaks
        assert kind == "estimated"
        assert ("two turns" in line) == profile.guidance_takes_turns
