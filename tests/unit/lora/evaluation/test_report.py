from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavie.evaluation.likeness import Likeness
from lora.evaluation.lessons import Lesson
from lora.evaluation.measuring import MeasuredLesson, Video
from lora.evaluation.pictures import Picture
from lora.evaluation.prompts import make_prompts
from lora.evaluation.readings import Reading
from lora.evaluation.report import MeasuredLessons, rows_of, table, write_report

FRAMES = np.zeros((16, 40, 64, 3), np.uint8)
ASKED = make_prompts(4)


def video(asked, name, motion=None, place=None, look="colour"):
    likeness = Likeness(name, name or "fox", 0.7, 0.2, 0.0, place or asked.place)
    reading = Reading(name or "fox", likeness, motion or asked.motion, motion or asked.motion, look)
    return Video(asked, "a prompt", FRAMES, reading)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "0.png"
    Image.new("RGB", (32, 20)).save(path)
    return Picture(path)


def lesson(picture, videos, name="octopus", kind="thing", seconds=60.0):
    unchanged = [video(asked, asked.subject) for asked in ASKED[:2]]
    learnt = Lesson(name, kind, (picture,))
    return MeasuredLesson(learnt, seconds, videos, FRAMES, unchanged, [30.0, 34.0])


def numbers(rows):
    return {row.measure: (row.value, row.is_reached) for row in rows}


def test_what_is_right_reaches_all_targets(picture):
    base = [video(asked, asked.subject) for asked in ASKED]
    videos = [video(asked, "octopus") for asked in ASKED]
    rows = rows_of(MeasuredLessons(base, things=[lesson(picture, videos)]))
    assert set(rows) == {"things"}
    assert all(row.is_reached in (None, True) for row in rows["things"])
    found = numbers(rows["things"])
    assert found["recognised as what was learnt"] == (1.0, True)
    assert found["without the trigger word: PSNR to before, dB"][0] == 32.0
    assert found["seconds of training"] == (60.0, True)


def test_what_is_wrong_is_counted(picture):
    base = [video(asked, asked.subject) for asked in ASKED]
    videos = [video(ASKED[0], "octopus"), video(ASKED[1], "frog"), video(ASKED[2], None)]
    videos.append(video(ASKED[3], "octopus", motion="none", place="nowhere"))
    measured = MeasuredLessons(
        base, things=[lesson(picture, videos, seconds=200.0)], all_layers=[lesson(picture, videos)]
    )
    rows = rows_of(measured)
    found = numbers(rows["things"])
    assert found["recognised as what was learnt"] == (0.5, False)
    assert found["clearly so, among strangers too"] == (0.5, None)
    assert found["motion, as asked"] == (0.75, None)
    assert found["seconds of training"] == (200.0, False)
    assert {row.is_reached for row in rows["all_layers"]} == {None}
    assert [row.value for row in rows["ablation"]] == [0.0, 0.0, 0.0]


def test_what_the_layers_over_time_cost_is_a_difference(picture):
    base = [video(asked, asked.subject) for asked in ASKED]
    right = [video(asked, "octopus") for asked in ASKED]
    still = [video(asked, "octopus", motion="none") for asked in ASKED[:3]] + right[3:]
    measured = MeasuredLessons(
        base, things=[lesson(picture, right)], all_layers=[lesson(picture, still)]
    )
    rows = rows_of(measured)["ablation"]
    assert [(row.measure, row.value) for row in rows[:2]] == [
        ("recognised: 1.000 less 1.000", 0.0),
        ("motion: 1.000 less 0.250", 0.75),
    ]


def test_a_ratio_is_to_what_the_model_could_before(picture):
    base = [video(asked, asked.subject, motion="none") for asked in ASKED[:2]]
    base += [video(asked, asked.subject) for asked in ASKED[2:]]
    videos = [video(asked, "octopus", motion="none") for asked in ASKED[:2]]
    videos += [video(asked, "octopus") for asked in ASKED[2:]]
    rows = rows_of(MeasuredLessons(base, things=[lesson(picture, videos)]))["things"]
    ratios = [row for row in rows if row.measure == "  of the model's before"]
    assert [row.value for row in ratios] == [1.0, 1.0, 1.0]


def test_a_style_is_recognised_by_its_look(picture):
    base = [video(asked, asked.subject) for asked in ASKED]
    videos = [video(asked, asked.subject, look="print") for asked in ASKED[:3]]
    videos.append(video(ASKED[3], "frog", look="sepia"))
    rows = rows_of(MeasuredLessons(base, styles=[lesson(picture, videos, "print", "style")]))
    found = numbers(rows["styles"])
    assert found["recognised as what was learnt"] == (0.75, False)
    assert found["subject as asked, in the style"] == (0.75, None)


def test_a_report_is_written_with_a_picture(picture, tmp_path):
    base = [video(asked, asked.subject) for asked in ASKED]
    videos = [video(asked, "octopus") for asked in ASKED]
    measured = MeasuredLessons(base, things=[lesson(picture, videos, seconds=None)] * 2)
    summary = write_report(tmp_path / "report", {"seed": 0}, measured)
    assert Path(tmp_path / "report" / "report.json").is_file()
    assert "seconds of training" not in {row["measure"] for row in summary["rows"]["things"]}
    lines = table(summary)
    assert lines[1] == "new things"
    with Image.open(tmp_path / "report" / "sheet.png") as opened:
        assert opened.height == 2 * (80 + 14 + 6)


def test_prompts_ask_for_every_place_and_motion_once():
    asked = make_prompts(36, seed=2)
    assert len({(each.place, each.motion) for each in asked}) == 36
    assert len({each.seed for each in asked}) == 36
    first = asked[0]
    assert first.of_thing("zog") == first.ordinary.replace(f"a {first.subject}", "a zog")
    assert first.in_style("zog") == f"{first.ordinary}, in zog"
