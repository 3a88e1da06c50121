import json

import numpy as np
import pytest

from lavie.evaluation.judge import Verdict
from lavie.evaluation.prompt_accuracy import JudgedClip
from lavie.evaluation.questions import make_questions
from lavie.evaluation.report import sheet, summarize, table, write_report


def _judged(caption_set, count, wrong=()):
    """Clips that are right, but for the measures in ``wrong`` of every second one."""
    clips = []
    for i, question in enumerate(make_questions(caption_set, count)):
        seen = {"motion": None} | dict(question.attributes)
        faults = wrong if i % 2 else ()
        for name in {"subject", "motion"}.intersection(faults):
            seen[name] = None
        is_whole = "one_whole_subject" not in faults
        num_frames = 16 if "motion" in question.attributes else 1
        verdict = Verdict(
            **seen,
            states=("whole" if is_whole else "smudged",) * num_frames,
            is_one_whole=is_whole,
            path=np.zeros((num_frames, 3)),
            path_error=None if num_frames == 1 else 0.5,
        )
        clips.append(JudgedClip(question, np.zeros((num_frames, 40, 64, 3), np.uint8), verdict))
    return clips


def test_right_answers_count_and_wrong_ones_do_not():
    rates = summarize(_judged("held_out", 20, ["subject"]))["sets"]["held_out"]["rates"]
    assert rates["subject"]["share"] == 0.5
    assert rates["subject"]["n"] == 20
    assert rates["subject"]["low"] < 0.5 < rates["subject"]["high"]
    assert rates["motion"]["share"] == rates["place"]["share"] == 1
    assert rates["moving_subject"]["share"] == rates["everything"]["share"] == 0.5


def test_a_smudge_is_not_everything_right():
    part = summarize(_judged("seen", 20, ["one_whole_subject"]))["sets"]["seen"]
    assert part["rates"]["subject"]["share"] == 1
    assert part["rates"]["everything"]["share"] == 0.5
    assert part["frame_states"] == {"whole": 0.5, "smudged": 0.5}


def test_wordings_are_reported_apart():
    wording = summarize(_judged("seen", 20))["sets"]["seen"]["by_wording"]
    assert wording["canonical"]["motion"]["n"] == wording["varied"]["motion"]["n"] == 10


def test_the_gap_is_how_much_worse_held_out_is():
    summary = summarize(_judged("seen", 40) + _judged("held_out", 40, ["motion"]))
    gap = summary["gap"]["motion"]
    assert gap["value"] == 0.5
    assert gap["low"] < 0.5 < gap["high"]
    assert summary["gap"]["subject"]["value"] == 0


@pytest.mark.parametrize(("wrong", "verdict"), [([], "aim reached"), (["motion"], "NOT REACHED")])
def test_targets_say_what_is_reached(wrong, verdict):
    targets = summarize(_judged("held_out", 20, wrong))["targets"]
    found = {target["measure"]: target["verdict"] for target in targets}
    assert found["motion"] == verdict
    assert found["place"] == "aim reached"


def test_stills_are_reported_without_motion():
    rates = summarize(_judged("stills", 12))["sets"]["stills"]["rates"]
    assert set(rates) == {"subject", "place", "style", "one_whole_subject", "everything"}


def test_the_table_has_a_column_for_each_set():
    lines = table(summarize(_judged("seen", 4) + _judged("stills", 4)))
    assert lines[0].split() == ["seen", "stills"]
    assert any(line.startswith("motion") and line.rstrip().endswith("-") for line in lines)


def test_a_report_is_a_json_file_and_a_picture(tmp_path):
    judged = _judged("seen", 30, ["subject"])
    write_report(tmp_path / "new", judged, {"model": "x"})
    stored = json.loads((tmp_path / "new" / "report.json").read_text())
    assert stored["settings"] == {"model": "x"}
    assert len(stored["clips"]) == 30
    assert stored["clips"][1]["seen"]["subject"] is None
    assert (tmp_path / "new" / "sheet.png").is_file()


def test_the_sheet_shows_some_of_every_set():
    many = sheet(_judged("seen", 20) + _judged("held_out", 20), count=4)
    few = sheet(_judged("seen", 2) + _judged("held_out", 2), count=4)
    assert np.array_equal(many, few)
