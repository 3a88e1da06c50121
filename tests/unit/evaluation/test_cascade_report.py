import json

import numpy as np
import pytest

from lavie.evaluation.cascade_report import sheet, summarize, table, write_report
from lavie.evaluation.judge import Verdict
from lavie.evaluation.measured import MeasuredClip, for_each, means
from lavie.evaluation.prompt_accuracy import JudgedClip
from lavie.evaluation.questions import make_questions

INTERPOLATION = {
    "psnr": 30.5,
    "psnr_cross_fade": 28.0,
    "roughness": 0.5,
    "roughness_repetition": 1.0,
}
SUPER_RESOLUTION = {
    "psnr": 29.0,
    "psnr_lanczos": 28.0,
    "flicker": 2.0,
    "flicker_frame_by_frame": 1.0,
    "seam_strength": 1.05,
}


def clips(numbers, count=2, frames=16):
    video = np.zeros((frames, 40, 64, 3), np.uint8)
    return [MeasuredClip("a fox", numbers, {"ours": video, "truth": video}) for _ in range(count)]


def judged_stages(count, wrong_after=()):
    """Videos that are right, but the first one loses its subject after some stages."""
    videos = []
    for i, question in enumerate(make_questions("held_out", count)):
        stages = {}
        for stage in ("base", "interpolation", "super_resolution"):
            seen = dict(question.attributes)
            if i == 0 and stage in wrong_after:
                seen["subject"] = None
            verdict = Verdict(
                **seen,
                states=("whole",) * 16,
                is_one_whole=True,
                path=np.zeros((16, 3)),
                path_error=0.5,
            )
            stages[stage] = JudgedClip(question, np.zeros((16, 40, 64, 3), np.uint8), verdict)
        videos.append(stages)
    return videos


def reached(summary):
    return {target["measure"]: target["is_reached"] for target in summary["targets"]}


def test_means_are_over_the_clips_that_have_a_number():
    mixed = [MeasuredClip("", {"psnr": 1}), MeasuredClip("", {"psnr": 3, "exact": 7})]
    assert means(mixed) == {"psnr": 2, "exact": 7}


def test_progress_is_told_after_every_item():
    events = []
    assert for_each("ab", lambda i, item: (i, item), "prompts", events.append) == [
        (0, "a"),
        (1, "b"),
    ]
    assert [(event.stage, event.step, event.total) for event in events] == [
        ("prompts", 1, 2),
        ("prompts", 2, 2),
    ]


def test_targets_say_what_is_reached():
    assert reached(summarize(clips(INTERPOLATION), clips(SUPER_RESOLUTION), [])) == {
        "PSNR above cross-fading, dB,": True,
        "roughness of repetition's": True,
        "PSNR above Lanczos, dB,": False,
        "flicker of frame by frame's": False,
        "seam strength": True,
    }


@pytest.mark.parametrize(("count", "is_reached"), [(24, False), (40, True)])
def test_a_lost_prompt_is_a_share_of_all(count, is_reached):
    summary = summarize([], [], judged_stages(count, ["super_resolution"]))
    assert reached(summary)["subject lost after super_resolution"] == is_reached
    assert reached(summary)["subject lost after interpolation"]
    changed = summary["prompts"]["changed"]
    assert changed["super_resolution"]["subject"] == {"lost": 1, "gained": 0}
    assert changed["interpolation"]["subject"] == {"lost": 0, "gained": 0}


def test_the_table_has_the_columns_that_were_measured():
    lines = table(summarize(clips(INTERPOLATION), [], judged_stages(2)))
    assert lines[0] == "interpolation (clips: 2)"
    assert lines[1].split() == ["ours", "cross-fade", "repetition"]
    assert lines[3].split()[-3:] == ["0.500", "-", "1.000"]
    assert any(line.startswith("prompts (videos: 2)") for line in lines)
    assert any(line.endswith("2.500 (at least 2) reached") for line in lines)


def test_a_report_holds_only_what_was_measured(tmp_path):
    write_report(tmp_path / "new", {"model": "x"}, super_resolution=clips(SUPER_RESOLUTION))
    stored = json.loads((tmp_path / "new" / "report.json").read_text())
    assert stored["settings"] == {"model": "x"}
    assert set(stored) == {"settings", "super_resolution", "targets"}
    assert stored["super_resolution"]["clips"][1] == {"caption": "a fox"} | SUPER_RESOLUTION
    assert [path.name for path in (tmp_path / "new").glob("*.png")] == [
        "sheet-super-resolution.png"
    ]


def test_the_sheet_shows_ways_below_each_other():
    picture = sheet(clips(INTERPOLATION, frames=61), frames_per_clip=4, zoom=1)
    assert picture.size == (4 * 64 + 4, 4 * (40 + 16))
