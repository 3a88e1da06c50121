"""What becomes of jobs, by way of the service; a runner without a network does the work."""

import errno
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from app import texts
from app.jobs import dispatcher, sweeper
from app.jobs.crew import ThreadCrew
from app.jobs.wire import Setup, Wire, WorkerStatus
from app.service import Service
from lavie.errors import InputError
from tests.unit.app.conftest import StepRunner


def restart(service: Service, runner: StepRunner | None = None) -> Service:
    """Another server on the same data folder, as if the first had been killed."""
    data = service._store.path.parent
    service._dispatcher._stopping.set()
    service._dispatcher.join()
    service._store.close()
    again = Service(service.card, ThreadCrew(runner or StepRunner()), data)
    again.start()
    return again


@pytest.fixture
def held(service, runner, values, wait_until):
    """A job that is running and does not get on."""
    runner.may_go_on.clear()
    job = service.submit(values)
    wait_until(lambda: service.get(job.id).preview is not None)
    return job


def test_queued_jobs_are_done_after_a_restart(service, held, values):
    waiting = [service.submit({**values, "seed": str(seed)}).id for seed in range(3)]
    again = restart(service)
    for job_id in waiting:
        assert again.wait(job_id, timeout=10).state == "done"
    again.stop()


def test_a_running_job_is_marked_and_can_be_gone_on_with(service, runner, values, wait_until):
    runner.num_steps_of = {"base": 1, "interpolation": 10**9}
    job_id = service.submit({**values, "smooth": True}).id
    wait_until(lambda: service.get(job_id).results and service.get(job_id).progress)
    other = StepRunner()
    again = restart(service, other)
    wait_until(lambda: again.get(job_id).is_over)
    job = again.get(job_id)
    assert (job.state, job.error) == ("interrupted", texts.interrupted(has_results=True))
    assert [result.stage for result in job.results] == ["base"]
    again.retry(job_id)
    job = again.wait(job_id, timeout=10)
    assert (job.state, job.error) == ("done", None)
    assert [result.stage for result in job.results] == ["base", "interpolation"]
    assert {stage for stage, _ in other.steps} == {"interpolation"}
    again.stop()
    runner.num_steps_of = {}


def test_what_was_finished_while_the_server_was_down_is_taken_in(service, runner, held, wait_until):
    service._dispatcher._stopping.set()
    service._dispatcher.join()
    ticket = service.get(held.id).ticket
    runner.may_go_on.set()
    wire = service._dispatcher._wire
    wait_until(lambda: (report := wire.report(ticket)) is not None and report.outcome == "done")
    service._dispatcher._take_over()
    job = service.get(held.id)
    assert job.state == "done"
    assert [result.stage for result in job.results] == ["base"]


def test_only_what_can_go_on_is_retried(service, values):
    job = service.wait(service.submit(values).id, timeout=10)
    with pytest.raises(InputError, match="nothing left to do"):
        service.retry(job.id)


def test_a_failed_job_can_be_tried_again(service, runner, values):
    job = service.wait(service.submit({**values, "prompt": "a snow panda"}).id, timeout=10)
    assert job.state == "failed"
    runner.fail = lambda prompt: None
    service.retry(job.id)
    assert service.wait(job.id, timeout=10).state == "done"


def test_a_job_that_runs_out_of_memory_is_tried_again_with_less_and_says_so(
    service, runner, values
):
    job = service.wait(service.submit({**values, "prompt": "a snow fox"}).id, timeout=10)
    assert job.state == "done"
    assert job.note == texts.TRIED_WITH_LESS_MEMORY
    assert [task.is_memory_short for task in runner.tasks] == [False, True]


def test_a_job_that_never_fits_fails_after_the_second_try(service, runner, values, monkeypatch):
    def never_fits(prompt):
        from lavie.errors import MemoryBudgetError

        raise MemoryBudgetError("It does not fit. Use less.")

    runner.fail = never_fits
    job = service.wait(service.submit(values).id, timeout=10)
    assert (job.state, job.error) == ("failed", "It does not fit. Use less.")
    assert len(runner.tasks) == 2


def order_of_work(service, runner, ids):
    runner.may_go_on.set()
    for job_id in ids:
        service.wait(job_id, timeout=10)
    return [task.request.seed for task in runner.tasks]


def submit_seeds(service, values, *seeds):
    return [service.submit({**values, "seed": str(seed)}).id for seed in seeds]


def test_a_queued_job_can_be_moved_to_the_front(service, runner, held, values):
    ids = submit_seeds(service, values, 1, 2, 3)
    service.move(ids[2], 0)
    assert [status.job.id for status in service.queue()] == [held.id, ids[2], ids[0], ids[1]]
    assert order_of_work(service, runner, ids) == [7, 3, 1, 2]


def test_a_queued_job_can_be_moved_between_others_and_to_the_end(service, runner, held, values):
    ids = submit_seeds(service, values, 1, 2, 3)
    service.move(ids[2], 1)
    service.move(ids[0], 99)
    assert order_of_work(service, runner, ids) == [7, 3, 2, 1]


def test_the_line_is_told_while_a_lora_is_put_on_the_shelf(service, held, values):
    (job_id,) = submit_seeds(service, values, 1)
    with ThreadPoolExecutor(1) as pool, service._dispatcher._lock:  # as long as that takes
        line = pool.submit(lambda: [status.job.id for status in service.queue()])
        assert line.result(timeout=5) == [held.id, job_id]


def test_a_queued_job_can_be_changed(service, runner, held, values):
    (job_id,) = submit_seeds(service, values, 1)
    service.edit(job_id, {**values, "seed": "5", "prompt": "a fox"})
    assert order_of_work(service, runner, [job_id]) == [7, 5]
    assert service.get(job_id).request.prompt == "a fox"


def test_what_has_begun_cannot_be_moved_or_changed(service, held, values):
    with pytest.raises(InputError, match="is being made already"):
        service.move(held.id, 0)
    with pytest.raises(InputError, match="is being made already"):
        service.edit(held.id, values)


def test_a_change_that_is_wrong_changes_nothing(service, runner, held, values):
    (job_id,) = submit_seeds(service, values, 1)
    with pytest.raises(InputError, match="Width"):
        service.edit(job_id, {**values, "width": 63})
    assert order_of_work(service, runner, [job_id]) == [7, 1]


def test_paused_the_running_job_ends_and_no_other_begins(service, runner, held, values, wait_until):
    waiting = submit_seeds(service, values, 1, 2)
    service.pause(True)
    runner.may_go_on.set()
    assert service.wait(held.id, timeout=10).state == "done"
    assert service.wait(waiting[0], timeout=0.3).state == "queued"
    assert service.is_paused
    service.pause(False)
    assert [service.wait(job_id, timeout=10).state for job_id in waiting] == ["done", "done"]


def test_a_pause_outlives_the_server(service, held):
    service.pause(True)
    again = restart(service)
    assert again.is_paused
    again.stop()


def test_the_wait_is_told_once_the_speed_is_known(service, runner, values, wait_until):
    service.wait(service.submit(values).id, timeout=10)
    runner.may_go_on.clear()
    running, waiting = submit_seeds(service, values, 1, 2)
    wait_until(lambda: service.get(running).progress is not None)
    status = service.status(service.get(waiting))
    assert status.num_ahead == 1
    assert status.seconds_ahead == service.get(running).progress.seconds_left == 1.0


def test_the_time_left_counts_the_files(service, runner, values, wait_until):
    runner.seconds_after = 1.2
    service.wait(service.submit(values).id, timeout=10)
    runner.may_go_on.clear()
    running, waiting = submit_seeds(service, values, 1, 2)
    wait_until(lambda: service.get(running).progress is not None)
    assert service.get(running).progress.seconds_left == pytest.approx(1.0 + 1.2)
    assert service.status(service.get(waiting)).seconds_ahead == pytest.approx(1.0 + 1.2)


def test_deleted_videos_come_back_or_go_for_good(service, values, tmp_path, monkeypatch):
    job = service.wait(service.submit(values).id, timeout=10)
    folder = tmp_path / "data" / job.folder
    service.delete(job.id)
    assert service.history() == []
    service.undelete(job.id)
    assert [found.id for found in service.history()] == [job.id]
    service.delete(job.id)
    assert folder.is_dir()
    monkeypatch.setattr(sweeper, "KEPT_AFTER_DELETION", timedelta(0))
    service._dispatcher._sweeper.sweep()
    assert not folder.exists()
    assert not service.knows(job.id)


def test_files_that_another_video_goes_on_from_stay(service, values, tmp_path, monkeypatch):
    job = service.wait(service.submit(values).id, timeout=10)
    service.wait(service.submit_next(job.id, "base", "interpolation", 3).id, timeout=10)
    service.delete(job.id)
    monkeypatch.setattr(sweeper, "KEPT_AFTER_DELETION", timedelta(0))
    service._dispatcher._sweeper.sweep()
    assert (tmp_path / "data" / job.folder).is_dir()


def test_what_is_being_made_cannot_be_deleted(service, held):
    with pytest.raises(InputError, match="Cancel it first"):
        service.delete(held.id)


def test_what_was_seen_before_another_retried_it_changes_nothing(service, held, monkeypatch):
    seen = replace(service.get(held.id), state="failed")  # as it was when they looked
    monkeypatch.setattr(service, "_own", lambda job_id, owner: seen)
    with pytest.raises(InputError, match="nothing left to do"):
        service.retry(held.id)
    with pytest.raises(InputError, match="Cancel it first"):
        service.delete(held.id)
    assert (service.get(held.id).state, service.get(held.id).deleted) == ("running", None)


def test_a_worker_of_another_machine_that_falls_silent_fails_its_job(
    service, held, wait_until, monkeypatch
):
    monkeypatch.setattr(dispatcher, "SECONDS_UNTIL_LOST", 0.2)
    service._dispatcher._workers[service.get(held.id).ticket] = "worker-elsewhere"
    wait_until(lambda: service.get(held.id).is_over)
    job = service.get(held.id)
    assert (job.state, job.error) == ("failed", texts.WORKER_IS_LOST)


def test_a_worker_that_died_is_blamed_for_its_job_then_forgotten(
    card, runner, values, tmp_path, monkeypatch
):
    service = Service(card, ThreadCrew(runner), tmp_path)
    studio, job = service._dispatcher, service.submit(values)
    studio._hand_out()
    studio._wire.send_status(WorkerStatus("process-1", 1))
    studio._wire.claim(service.get(job.id).ticket, "process-1")
    deaths = [{"process-1": "It died."}]
    monkeypatch.setattr(studio._crew, "tend", lambda: deaths.pop() if deaths else {})
    studio._bury()  # before its claim is seen
    assert studio._wire.status("process-1") is None
    studio._follow_running()
    studio._lives["process-1"] = dispatcher._Life(1, 0.0)
    studio._bury()
    assert (service.get(job.id).state, service.get(job.id).error) == ("failed", "It died.")
    assert studio._causes == studio._lives == {}


def test_a_worker_that_died_before_it_claimed_holds_nothing_up(
    service, runner, values, monkeypatch
):
    monkeypatch.setattr(dispatcher, "_SECONDS_TO_CLAIM", 0.1)
    take = Wire.take
    lost = []

    def take_and_die(wire):
        order = take(wire)
        if order is not None and not lost:
            lost.append(order)
            return None
        return order

    monkeypatch.setattr(Wire, "take", take_and_die)
    assert service.wait(service.submit(values).id, timeout=10).state == "done"
    assert lost


def test_a_model_that_cannot_be_loaded_is_said(card, tmp_path, wait_until):
    class Broken(StepRunner):
        def prepare(self):
            raise InputError("The model is broken.")

    service = Service(card, ThreadCrew(Broken()), tmp_path)
    service.start()
    wait_until(lambda: service.model_error is not None)
    assert service.model_error == "The model is broken."
    service.stop()


class LateCrew(ThreadCrew):
    """A crew that cannot be started until it is allowed to."""

    may_start = False

    def start(self, wire, data):
        if not self.may_start:
            raise OSError("no Redis for a moment")
        super().start(wire, data)


def test_workers_that_cannot_be_started_are_tried_again(
    card, values, tmp_path, wait_until, monkeypatch
):
    monkeypatch.setattr(dispatcher, "_SECONDS_UNTIL_NEXT_TRY", 0.01)
    crew = LateCrew(StepRunner())
    service = Service(card, crew, tmp_path)
    job = service.submit(values)
    service.start()
    wait_until(lambda: service.model_error == texts.WORK_CANNOT_BEGIN)
    assert service.is_model_loading
    crew.may_start = True
    assert service.wait(job.id, timeout=10).state == "done"
    assert service.model_error is None
    service.stop()


def test_a_server_whose_workers_never_started_can_be_stopped(
    card, tmp_path, wait_until, monkeypatch
):
    monkeypatch.setattr(dispatcher, "_SECONDS_UNTIL_NEXT_TRY", 0.01)
    service = Service(card, LateCrew(StepRunner()), tmp_path)
    service.start()
    wait_until(lambda: service.model_error is not None)
    service.stop()
    assert not service._dispatcher.is_alive()


def test_what_an_earlier_server_left_is_taken_over_at_the_second_try(
    service, held, wait_until, monkeypatch
):
    monkeypatch.setattr(dispatcher, "_SECONDS_UNTIL_NEXT_TRY", 0.01)
    start_anew, failures = Wire.start_anew, [OSError("busy")]

    def fail_once(wire, running):
        if failures:
            raise failures.pop()
        start_anew(wire, running)

    monkeypatch.setattr(Wire, "start_anew", fail_once)
    again = restart(service)
    wait_until(lambda: again.get(held.id).is_over)
    job = again.get(held.id)
    assert (job.state, job.error) == ("interrupted", texts.interrupted(has_results=False))
    assert texts.TRY_AGAIN in texts.interrupted(has_results=False)
    assert texts.GO_ON in texts.interrupted(has_results=True)
    again.stop()


def test_a_full_disk_is_said_and_the_next_job_is_done(service, runner, values):
    def fill_the_disk(prompt):
        raise OSError(errno.ENOSPC, "No space left on device")

    runner.fail = fill_the_disk
    job = service.wait(service.submit(values).id, timeout=10)
    assert (job.state, job.error) == ("failed", texts.DISK_IS_FULL)
    runner.fail = lambda prompt: None
    assert service.wait(service.submit(values).id, timeout=10).state == "done"


def test_the_hash_of_the_model_is_heard_from_the_workers(service, runner, wait_until):
    assert service.card.model_hash == ""
    runner.setup = Setup("CPU", "large", "auto", model_hash="0a")
    wait_until(lambda: service.card.model_hash == "0a")


def test_what_the_model_says_of_itself_needs_no_wire(card, tmp_path, monkeypatch):
    def lost(*_):
        raise ConnectionError("Redis is gone")

    (tmp_path / "data").mkdir()
    service = Service(card, ThreadCrew(StepRunner()), tmp_path / "data")
    monkeypatch.setattr(Wire, "status", lost)
    assert service.card.name == card.name
    service._store.close()


def test_a_worker_is_told_which_stages_the_model_has(service, runner, values, card):
    service.wait(service.submit(values).id, timeout=10)
    assert runner.tasks[-1].stages == card.stages
