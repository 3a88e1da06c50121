import json

import numpy as np
import pytest

from lavie.evaluation.drift import Drift
from lavie.evaluation.long_films import (
    Border,
    FilmedStory,
    MeasuredStory,
    PartReading,
    measure_seam,
)
from lavie.evaluation.long_report import MeasuredFilms, rows_of, sheet, table, write_report
from lavie.evaluation.still_films import MeasuredStill, StillStory, make_transition_stories
from lavie.evaluation.stories import make_stories

NO_DRIFT = Drift(1.0, 1.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
GOES_ON = Border(goes_on=True, is_shown=True)


def measured(story, num_parts=7, seam=(2.0, 2.0), border=GOES_ON, drift=NO_DRIFT, **seen):
    """A film that is right, but for what is said here of its parts from the second on."""
    right = {"subject": story.subject, "is_subject_in_view": True, "is_motion_in_view": True}
    first = PartReading(**right | story.first._asdict())
    later = PartReading(**right | story.first._asdict() | seen)
    changed = PartReading(**right | story.second._asdict() | seen)
    lengths = (4,) * num_parts
    frames = np.zeros((sum(lengths), 40, 64, 3), np.uint8)
    film = FilmedStory(story, frames, lengths, frames[:8])
    count = num_parts - 1
    parts = (first, *[later] * count)
    return MeasuredStory(film, seam, (border,) * count, parts, (drift,) * count, changed)


def still(kind="picture", psnr=30.0, change=None, **seen):
    picture = np.zeros((40, 64, 3), np.uint8)
    end = None if change is None else picture
    story = StillStory("a fox", picture, end, "fox", "left", kind, 0)
    reading = PartReading(
        **{
            "subject": "fox",
            "place": "snow",
            "motion": "left",
            "is_subject_in_view": True,
            "is_motion_in_view": True,
        }
        | seen
    )
    last = None if change is None else psnr
    return MeasuredStill(story, np.zeros((4, 40, 64, 3), np.uint8), psnr, last, reading, change)


def films(count=12, **faults):
    return [measured(story, **faults) for story in make_stories(count)]


def verdicts(**parts):
    rows = [row for part in rows_of(MeasuredFilms(**parts)).values() for row in part]
    return {row.measure: row.is_reached for row in rows if row.is_reached is not None}


def by_name(rows):
    return {row.measure: row for row in rows}


def test_right_films_reach_every_target():
    found = verdicts(
        films=films(),
        pictures=[still()] * 3,
        transitions=[still("same", change=0.3), still("other", change=0.1)],
    )
    assert all(found.values())
    assert len(found) == 12


@pytest.mark.parametrize(
    ("faults", "missed"),
    [
        ({"seam": (3.0, 2.0)}, {"change at borders, of that beside them"}),
        ({"border": Border(False, True)}, {"borders that the subject goes on over"}),
        ({"subject": None}, {"subject, lost after 5 recursions", "the subject stays"}),
        ({"place": "nowhere"}, {"place, lost after 5 recursions", "the new line comes true"}),
        ({"motion": None}, {"motion, lost after 5 recursions", "the new line comes true"}),
        (
            {"drift": Drift(0.85, 1.2, None, None)},
            {
                "sharpness of the background, after 5 recursions",
                "sharpness of the subject, after 5 recursions",
            },
        ),
    ],
)
def test_each_fault_misses_its_own_targets(faults, missed):
    found = verdicts(films=films(**faults))
    assert {measure for measure, is_reached in found.items() if not is_reached} == missed


def test_what_is_out_of_view_counts_neither_way():
    hidden = {"subject": None, "is_subject_in_view": False, "is_motion_in_view": False}
    mixed = films(3) + films(2, border=Border(None, True), motion=None, **hidden)
    rows = by_name(rows_of(MeasuredFilms(films=mixed))["films"])
    assert rows["subject, lost after 5 recursions"].n == 3
    assert rows["subject, after 5 recursions"].value == 1
    assert rows["borders that the subject goes on over"].n == 18
    nobody = films(2, border=Border(None, True), motion=None, **hidden)
    names = by_name(rows_of(MeasuredFilms(films=nobody))["films"])
    assert "subject, lost after 5 recursions" not in names


def test_a_border_that_is_given_no_subject_is_told_apart():
    mixed = films(3) + films(2, border=Border(False, False))
    rows = by_name(rows_of(MeasuredFilms(films=mixed))["films"])
    assert rows["borders that the subject goes on over"].is_reached
    unseen = rows["  where what is given does not show it"]
    assert (unseen.value, unseen.n, unseen.is_reached) == (0, 12, None)


def test_pictures_and_cuts_are_told():
    found = verdicts(pictures=[still(psnr=20.0)], transitions=[still("same", 20.0, change=0.9)])
    assert not any(found.values())
    rows = by_name(
        rows_of(MeasuredFilms(transitions=[still("other", change=c) for c in (0.2, 1.0)]))[
            "transitions"
        ]
    )
    assert rows["unrelated pictures: without a cut"].value == 0.5


def test_free_noise_has_no_targets():
    rows = rows_of(MeasuredFilms(free_noise=films(2, num_parts=4)))["free_noise"]
    assert rows
    assert all(row.is_reached is None for row in rows)


def test_a_seam_is_the_change_at_borders_beside_that_around():
    frames = np.zeros((12, 4, 4, 3), np.uint8)
    frames[:6] = np.arange(6)[:, None, None, None]
    frames[6:] = 8 + np.arange(6)[:, None, None, None]
    assert measure_seam(frames, [6]) == (3, 1)


def test_transitions_have_two_pictures_that_differ():
    stories = make_transition_stories(4)
    assert [story.kind for story in stories] == ["same", "other", "same", "other"]
    assert all((story.start != story.end).any() for story in stories)


def test_the_report_is_written_and_shown(tmp_path):
    parts = {
        "films": films(3, border=Border(False, True)),
        "pictures": [still()],
        "transitions": [still("same", change=0.3)],
        "free_noise": films(1, num_parts=4),
    }
    summary = write_report(tmp_path, {"seed": 0}, MeasuredFilms(**parts))
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(summary))
    assert len(summary["films"]) == 3
    lines = table(summary)
    assert sum("NOT REACHED" in line for line in lines) == 1
    assert any("FreeNoise" in line for line in lines)
    assert sheet(MeasuredFilms(**parts)).height > 9 * 80
