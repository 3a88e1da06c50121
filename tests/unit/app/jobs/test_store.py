import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest

from app.jobs.store import DATABASE, MAX_QUEUED, JobStore
from app.request import StageRequest, check_request
from lavie.errors import InputError
from lavie.types import Progress
from tests.unit.app.files import make_result


@pytest.fixture
def request_(card, values):
    return check_request(values, card.ranges)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def store(data):
    with closing(JobStore(data)) as store:
        yield store


def reopened(store: JobStore) -> JobStore:
    store.close()
    return JobStore(store.path.parent)


def finished(store: JobStore, request, prompt: str = "a panda", owner: str = ""):
    job = store.add(replace(request, prompt=prompt), owner)
    results = (make_result(store.path.parent / job.folder),)
    return store.update(job.id, state="done", results=results)


def test_a_job_is_the_same_after_a_restart(store, request_):
    job = store.add(request_, "me")
    job = store.update(job.id, state="running", ticket="t", error="no", note="so", is_starred=True)
    after = reopened(store)
    assert after.get(job.id) == job
    after.close()


def test_a_finished_job_is_the_same_after_a_restart(store, request_):
    job = finished(store, request_)
    again = store.add(StageRequest(job.results, "interpolation", 3))
    after = reopened(store)
    assert after.get(job.id) == job
    assert after.get(again.id).request.given == job.results
    after.close()


def test_progress_is_not_worth_a_write(store, request_):
    job = store.add(request_)
    store.update(job.id, progress=Progress("base", 1, 3))
    assert store.get(job.id).progress == Progress("base", 1, 3)
    after = reopened(store)
    assert after.get(job.id).progress is None
    after.close()


def test_a_data_folder_can_be_moved(store, request_, tmp_path):
    job = finished(store, request_)
    store.close()
    moved = store.path.parent.rename(tmp_path / "elsewhere")
    with closing(JobStore(moved)) as after:
        assert after.get(job.id).results[0].video == moved / job.folder / "base.video"


def test_the_queue_is_in_the_order_of_ranks(store, request_):
    first, second, third = (store.add(request_).id for _ in range(3))
    store.update(third, rank=0.5)
    assert [job.id for job in store.queued()] == [third, first, second]


def test_places_do_not_run_out_and_outlive_the_server(store, request_):
    running = store.update(store.add(request_).id, state="running")
    first, *others = (store.add(request_).id for _ in range(4))
    for _ in range(200):
        others = [others[-1], *others[:-1]]
        store.move(others[0], 1)
        assert [job.id for job in store.queued()] == [first, *others]
    assert len({job.rank for job in store.queued()}) == 4
    assert running.rank < store.queued()[0].rank
    after = reopened(store)
    assert [job.id for job in after.queued()] == [first, *others]
    after.close()


@pytest.mark.parametrize(("place", "order"), [(-5, "cab"), (0, "cab"), (1, "acb"), (99, "abc")])
def test_a_job_is_moved_to_any_place(store, request_, place, order):
    jobs = dict(zip("abc", (store.add(request_).id for _ in range(3)), strict=True))
    store.move(jobs["c"], place)
    assert [job.id for job in store.queued()] == [jobs[name] for name in order]


def test_a_full_queue_refuses_new_jobs_and_old_ones_again(store, request_):
    failed = store.update(store.add(request_).id, state="failed")
    for _ in range(MAX_QUEUED):
        store.add(request_)
    with pytest.raises(InputError, match="100 videos are waiting"):
        store.add(request_)
    with pytest.raises(InputError, match="100 videos are waiting"):
        store.queue_again(failed.id)


@pytest.mark.parametrize("state", ["queued", "running", "done"])
def test_only_what_stopped_before_its_end_is_queued_again(store, request_, state):
    job = store.update(store.add(request_).id, state=state, ticket="t")
    with pytest.raises(InputError, match="nothing left to do"):
        store.queue_again(job.id)
    assert store.get(job.id) == job


def test_a_job_is_queued_again_once_or_deleted_never_both(store, request_):
    job = store.update(store.add(request_).id, state="failed")
    assert store.queue_again(job.id).state == "queued"
    with pytest.raises(InputError, match="nothing left to do"):
        store.queue_again(job.id)
    with pytest.raises(InputError, match="Cancel it first"):
        store.delete(job.id)
    assert store.get(job.id).deleted is None


def test_history_is_newest_first_and_in_pages(store, request_):
    ids = [finished(store, request_).id for _ in range(5)]
    everything = [job.id for job in store.history()]
    assert everything == ids[::-1]
    page = [job.id for job in store.history(limit=2)]
    assert page == everything[:2]
    assert [job.id for job in store.history(limit=9, before=page[-1])] == everything[2:]


def test_history_is_in_order_where_the_clock_stands_still(store, request_, monkeypatch):
    noon = Mock(wraps=datetime)
    noon.now.return_value = datetime(2026, 1, 1, 12, tzinfo=UTC)
    monkeypatch.setattr("app.jobs.store.datetime", noon)
    ids = [finished(store, request_).id for _ in range(8)]
    assert [job.id for job in store.history()] == ids[::-1]


def test_history_is_searched_by_words_of_the_prompt(store, request_):
    panda = finished(store, request_, "a Panda in the snow").id
    finished(store, request_, "a fox over the ocean")
    assert [job.id for job in store.history(search="SNOW panda")] == [panda]
    assert store.history(search="snow fox") == []


@pytest.mark.parametrize("search", ["%", "_", "\\", "' OR 1=1 --", '"', "a\0b"])
def test_a_search_is_only_ever_text(store, request_, search):
    finished(store, request_)
    assert store.history(search=search) == []


def test_a_percent_sign_is_found(store, request_):
    job = finished(store, request_, "100% panda")
    assert [found.id for found in store.history(search="0%")] == [job.id]


def test_history_tells_owners_apart(store, request_):
    mine, theirs = finished(store, request_, owner="me"), finished(store, request_, owner="they")
    assert [job.id for job in store.history("me")] == [mine.id]
    assert {job.id for job in store.history(None)} == {mine.id, theirs.id}


def test_starred_and_deleted_jobs(store, request_):
    first, second = finished(store, request_), finished(store, request_)
    store.update(first.id, is_starred=True)
    assert [job.id for job in store.history(only_starred=True)] == [first.id]
    now = datetime.now(UTC)
    store.update(second.id, deleted=now)
    assert [job.id for job in store.history()] == [first.id]
    assert [job.id for job in store.deleted_before(now + timedelta(seconds=1))] == [second.id]
    assert store.deleted_before(now) == []
    store.update(second.id, deleted=None)
    assert len(store.history()) == 2


def test_a_job_that_another_goes_on_from_is_known(store, request_):
    job = finished(store, request_)
    assert not store.is_gone_on_from(job.id)
    store.add(StageRequest(job.results, "interpolation", 3))
    assert store.is_gone_on_from(job.id)


def test_settings_outlive_the_server(store):
    store.set_setting("is_paused", "1")
    after = reopened(store)
    assert after.setting("is_paused") == "1"
    assert after.setting("other", "none") == "none"
    after.close()


def test_a_full_disk_is_one_sentence_and_changes_nothing(store, request_):
    job = store.add(request_)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(InputError, match="cannot keep anything: database or disk is full"):
        store.update(job.id, error="x" * 100_000)
    assert store.get(job.id) == job
    store._database.execute("PRAGMA max_page_count = 100000")
    assert store.update(job.id, error="x" * 100_000).error == "x" * 100_000


def test_a_newer_database_is_left_alone(store, data):
    store._database.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(InputError, match="newer version of the studio"):
        JobStore(data)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0broken"])
def test_a_broken_database_is_one_sentence(data, content):
    data.mkdir()
    (data / DATABASE).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        JobStore(data)


def rewritten(store: JobStore, job_id: str, change) -> JobStore:
    """The store after a restart, with the document of a job changed behind its back."""
    store.close()
    with closing(sqlite3.connect(store.path)) as database, database:
        query = "SELECT document FROM job WHERE id = ?"
        document = json.loads(database.execute(query, (job_id,)).fetchone()[0])
        change(document)
        query = "UPDATE job SET document = ? WHERE id = ?"
        database.execute(query, (json.dumps(document), job_id))
    return JobStore(store.path.parent)


def name_an_unknown_scheduler(document):
    document["request"]["scheduler"] = "of tomorrow"


def test_files_outside_the_data_folder_are_not_believed(store, request_, caplog):
    def point_elsewhere(document):
        document["results"][0]["video"] = "../../etc/passwd"

    job = finished(store, request_)
    with closing(rewritten(store, job.id, point_elsewhere)) as after:
        with pytest.raises(InputError, match="no job"):
            after.get(job.id)
    assert job.id in caplog.text


def test_a_video_that_cannot_be_read_does_not_hide_the_others(store, request_, caplog):
    broken, whole = finished(store, request_), finished(store, request_)
    with closing(rewritten(store, broken.id, name_an_unknown_scheduler)) as after:
        assert after.history() == after.history() == [whole]
        assert broken.id not in after
        with pytest.raises(InputError, match=f"no job {broken.id}"):
            after.get(broken.id)
    assert caplog.text.count(f"Job {broken.id} cannot be read") == 1


def test_a_queued_job_that_cannot_be_read_does_not_stop_the_start(store, request_):
    broken, whole = store.add(request_), store.add(request_)
    with closing(rewritten(store, broken.id, name_an_unknown_scheduler)) as after:
        assert after.queued() == [whole]


def test_the_files_of_a_job_that_cannot_be_read_are_kept(store, request_):
    job = finished(store, request_)
    next_job = store.add(StageRequest(job.results, "interpolation", 3))
    with closing(rewritten(store, next_job.id, lambda d: d.update(state="unheard of"))) as after:
        assert next_job.id not in after
        assert after.is_gone_on_from(job.id)
