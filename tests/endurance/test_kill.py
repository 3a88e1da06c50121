import pytest

from tests.endurance.kill import run

pytestmark = pytest.mark.integration


def test_no_kill_loses_a_job_or_does_one_twice_or_shows_half_a_file(tmp_path):
    figures = run(num_kills=8, seed=0, data=tmp_path)
    assert figures["done"] == figures["jobs"] > 2  # how many come about is a matter of speed
    assert figures["begun_without_being_asked"] == 0
    assert figures["never_ended"] == 0
    assert figures["files"] >= 3 * figures["jobs"]
    assert figures["files_not_whole"] == 0
