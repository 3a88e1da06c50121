import asyncio
import logging
from dataclasses import replace

import pytest

from app import texts
from app.jobs.crew import ThreadCrew
from app.jobs.job import RESULTS
from app.jobs.store import MAX_QUEUED
from app.request import TextToVideoRequest
from app.service import Service
from lavie.errors import InputError


def test_a_job_is_done_and_its_files_are_named_by_date_and_id(service, values, tmp_path):
    job = service.wait(service.submit(values).id, timeout=10)
    assert job.state == "done"
    assert job.results[-1].seed == 7
    folder = tmp_path / "data" / RESULTS / f"{job.created:%Y-%m-%d}" / job.id
    assert job.results[-1].video.parent == folder


def test_following_tells_every_state_and_ends(service, values):
    async def follow(job_id):
        return [status.job async for status in service.follow(job_id)]

    seen = asyncio.run(follow(service.submit(values).id))
    assert seen[-1].state == "done"
    assert [job.revision for job in seen] == sorted({job.revision for job in seen})


def test_progress_and_preview_can_be_seen_while_it_runs(service, runner, values, wait_until):
    runner.may_go_on.clear()
    job_id = service.submit(values).id
    wait_until(lambda: service.get(job_id).preview is not None)
    job = service.get(job_id)
    assert (job.state, job.progress.step, job.progress.total) == ("running", 1, 3)
    assert job.preview.webp.startswith("UklGR")  # RIFF in base 64


def test_cancel_stops_a_running_job_within_a_step(service, runner, values, wait_until):
    runner.num_steps = 10**9
    job_id = service.submit(values).id
    wait_until(lambda: len(runner.steps) > 2)
    service.cancel(job_id)
    steps_at_cancel = len(runner.steps)
    assert service.wait(job_id, timeout=10).state == "cancelled"
    assert len(runner.steps) <= steps_at_cancel + 2


def test_cancel_is_heard_after_the_last_step(service, runner, values, wait_until):
    runner.num_steps = 1
    runner.may_go_on.clear()
    job_id = service.submit(values).id
    wait_until(lambda: service.get(job_id).preview is not None)
    assert service.cancel(job_id).is_cancel_requested
    runner.may_go_on.set()
    assert service.wait(job_id, timeout=10).state == "cancelled"


def test_cancelled_jobs_leave_no_preview_and_no_files(service, runner, values, tmp_path):
    runner.may_go_on.clear()
    job_id = service.submit(values).id
    service.cancel(job_id)
    runner.may_go_on.set()
    job = service.wait(job_id, timeout=10)
    assert job.preview is None
    assert job.results == ()
    assert not list((tmp_path / "data" / RESULTS).glob("*/*"))


def test_a_queued_job_is_dropped_at_once_and_never_run(service, runner, values, wait_until):
    runner.may_go_on.clear()
    first = service.submit(values).id
    wait_until(lambda: runner.steps)
    second = service.submit(values).id
    assert service.cancel(second).state == "cancelled"
    runner.may_go_on.set()
    assert service.wait(first, timeout=10).state == "done"
    assert len(runner.steps) == runner.num_steps


def test_a_queued_job_knows_how_many_are_ahead(service, runner, values, wait_until):
    async def first_status(job_id):
        async for status in service.follow(job_id):
            return status

    runner.may_go_on.clear()
    service.submit(values)
    wait_until(lambda: runner.steps)
    service.submit(values)
    third = service.submit(values).id
    assert asyncio.run(first_status(third)).num_ahead == 2


def test_an_unexpected_failure_names_the_job_in_page_and_log(service, values, caplog):
    with caplog.at_level(logging.ERROR):
        job = service.wait(service.submit({**values, "prompt": "a snow panda"}).id, timeout=10)
    assert job.state == "failed"
    assert job.error == texts.unexpected_failure(job.id)
    assert job.id in caplog.text
    assert "a fault of ours" in caplog.text
    assert "a fault of ours" not in job.error


def test_the_next_request_works_after_a_failure(service, values):
    service.wait(service.submit({**values, "prompt": "a snow panda"}).id, timeout=10)
    assert service.wait(service.submit(values).id, timeout=10).state == "done"


def test_what_is_over_stays_as_it_is(service, values):
    done = service.wait(service.submit(values).id, timeout=10)
    assert replace(service.cancel(done.id), revision=0) == replace(done, revision=0)


def test_an_empty_seed_means_a_new_one_each_time(service, values):
    seeds = {service.submit({**values, "seed": ""}).request.seed for _ in range(5)}
    assert len(seeds) > 1


def test_a_prompt_without_any_known_word_is_refused_kindly(service, values):
    with pytest.raises(InputError, match="knows none of these words") as caught:
        service.submit({**values, "prompt": "dragons everywhere"})
    assert caught.value.field == "prompt"


def test_a_prompt_with_some_known_words_is_made(service, values):
    assert isinstance(service.check({**values, "prompt": "a dragon"}), TextToVideoRequest)


def test_an_unknown_job_is_said_so(service):
    assert not service.knows("20200101-000000-abc")
    with pytest.raises(InputError, match="no job"):
        service.get("20200101-000000-abc")


def test_job_ids_sort_by_time_and_cannot_be_guessed(service, values):
    ids = [service.submit(values).id for _ in range(3)]
    assert ids == sorted(set(ids))
    secrets = [job_id.split("-")[-1] for job_id in ids]
    assert len(set(secrets)) == 3
    assert all(len(secret) == 12 for secret in secrets)


def test_a_full_queue_asks_to_come_back_later(service, runner, values, wait_until):
    runner.may_go_on.clear()
    running = service.submit(values)
    wait_until(lambda: service.get(running.id).state == "running")
    waiting = [service.submit(values) for _ in range(MAX_QUEUED)]
    with pytest.raises(InputError, match=f"{MAX_QUEUED} videos are waiting already"):
        service.submit(values)
    for job in [*waiting, running]:
        service.cancel(job.id)
    assert service.submit(values).state == "queued"


def test_each_stage_leaves_its_result(service, values):
    job = service.wait(service.submit({**values, "smooth": True, "upscale": True}).id, timeout=10)
    assert [result.stage for result in job.results] == ["base", "interpolation", "super_resolution"]


def test_a_stage_that_was_not_asked_for_does_not_run(service, runner, values):
    job = service.wait(service.submit({**values, "upscale": True}).id, timeout=10)
    assert [result.stage for result in job.results] == ["base", "super_resolution"]
    assert {stage for stage, _ in runner.steps} == {"base", "super_resolution"}


def test_the_first_version_is_there_while_later_stages_run(service, runner, values, wait_until):
    runner.num_steps = 10**9
    runner.num_steps_of = {"base": 1}
    job_id = service.submit({**values, "smooth": True}).id
    wait_until(lambda: ("interpolation", 1) in runner.steps)
    wait_until(lambda: service.get(job_id).results)
    job = service.get(job_id)
    assert job.state == "running"
    assert [result.stage for result in job.results] == ["base"]
    service.cancel(job_id)
    job = service.wait(job_id, timeout=10)
    assert job.state == "cancelled"
    assert [result.stage for result in job.results] == ["base"]


def test_a_result_can_be_gone_on_from_without_its_stages_being_repeated(service, runner, values):
    first = service.wait(service.submit(values).id, timeout=10)
    runner.steps.clear()
    job = service.submit_next(first.id, "base", "interpolation", 5)
    assert job.results == first.results
    job = service.wait(job.id, timeout=10)
    assert [result.stage for result in job.results] == ["base", "interpolation"]
    assert job.request.num_steps == {"interpolation": 5}
    assert {stage for stage, _ in runner.steps} == {"interpolation"}
    assert [result.stage for result in service.get(first.id).results] == ["base"]


def test_an_earlier_version_can_be_gone_on_from(service, values):
    job = service.wait(service.submit({**values, "smooth": True}).id, timeout=10)
    request = service.check_next(job.id, "base", "super_resolution", 5)
    assert request.stages == ("base", "super_resolution")
    request = service.check_next(job.id, "interpolation", "super_resolution", 5)
    assert request.stages == ("base", "interpolation", "super_resolution")


@pytest.mark.parametrize(
    ("made_by", "stage", "steps", "part"),
    [
        ("base", "interpolation", 0, "Smoothing steps 0 is not between 1 and 100"),
        ("base", "super_resolution", "", "Upscaling steps is empty"),
        ("super_resolution", "super_resolution", 5, "makes no sense for this video"),
        ("super_resolution", "interpolation", 5, "makes no sense for this video"),
        ("interpolation", "super_resolution", 5, "no such video"),
        ("base", "base", 5, "makes no sense"),
    ],
)
def test_what_makes_no_sense_is_said_before_it_is_queued(
    service, values, made_by, stage, steps, part
):
    job = service.wait(service.submit({**values, "upscale": True}).id, timeout=10)
    with pytest.raises(InputError, match=part):
        service.submit_next(job.id, made_by, stage, steps)


def test_a_model_without_a_stage_does_not_pretend(card, runner, values, tmp_path):
    service = Service(replace(card, stages=("base",)), ThreadCrew(runner), tmp_path)
    (error,) = service.check({**values, "smooth": True})
    assert error.field == "smooth"
    assert "no part for smoothing" in str(error)


def test_costs_are_unknown_then_guessed_then_measured(service, values):
    def costs():
        cost = service.estimate(values)["interpolation"]
        return cost.seconds, cost.is_measured

    assert costs() == (None, False)
    service.wait(service.submit(values).id, timeout=10)
    seconds, is_measured = costs()
    assert seconds > 0
    assert not is_measured
    service.wait(service.submit({**values, "smooth": True}).id, timeout=10)
    assert costs() == (pytest.approx(3.0 * 8 / 3), True)  # eight steps; three took three seconds


def test_costs_are_known_from_what_was_made_before_the_server_began(card, runner, values, tmp_path):
    runner.model = card.name
    before = Service(card, ThreadCrew(runner), tmp_path)
    before.start()
    job = before.submit({**values, "smooth": True})
    assert before.wait(job.id, timeout=10).state == "done"
    known = before.estimate(values)["interpolation"]
    before.stop()
    again = Service(card, ThreadCrew(runner), tmp_path)
    assert again.estimate(values)["interpolation"] == known
    again.stop()
    other = Service(replace(card, name="other"), ThreadCrew(runner), tmp_path)
    assert other.estimate(values)["interpolation"].seconds is None
    other.stop()


def test_upscaling_costs_more_when_there_are_more_frames(service, values):
    service.wait(service.submit({**values, "upscale": True}).id, timeout=10)
    few = service.estimate(values)["super_resolution"]
    many = service.estimate({**values, "smooth": True})["super_resolution"]
    assert many.seconds / few.seconds == pytest.approx(61 / 16)
    assert (many.effort.height, many.effort.width) == (160, 256)


def test_what_made_nothing_of_its_own_is_not_in_the_history(service, runner, values, wait_until):
    first = service.wait(service.submit(values).id, timeout=10)
    runner.num_steps = 10**9
    steps = len(runner.steps)
    second = service.submit_next(first.id, "base", "interpolation", 5)
    wait_until(lambda: len(runner.steps) > steps)
    service.cancel(second.id)
    assert service.wait(second.id, timeout=10).results == first.results
    assert [job.id for job in service.history()] == [first.id]


def test_the_files_of_a_version_that_another_job_shows_are_not_swept_up(service, values):
    first = service.wait(service.submit(values).id, timeout=10)
    smooth = service.submit_next(first.id, "base", "interpolation", 5)
    upscaled = service.submit_next(
        service.wait(smooth.id, timeout=10).id, "base", "super_resolution", 5
    )
    assert service.wait(upscaled.id, timeout=10).kept == service.get(smooth.id).results[1:]
    assert [job.id for job in service._store.that_go_on_from(smooth.id)] == [upscaled.id]


def is_shown(service, *results) -> list[bool]:
    return [service.is_shown(file.resolve()) for result in results for file in files_of(result)]


def files_of(result):
    made_to_download = result.video.with_name(f"{result.video.stem}-png.zip")
    return result.video, result.recipe, made_to_download


def test_what_was_thrown_away_is_shown_again_once_it_is_brought_back(service, values):
    job = service.wait(service.submit({**values, "smooth": True}).id, timeout=10)
    assert all(is_shown(service, *job.results))
    service.delete(job.id)
    assert not any(is_shown(service, *job.results))
    with pytest.raises(InputError, match="was deleted"):
        service.find_to_use(job.id)
    with pytest.raises(InputError, match="was deleted"):
        service.submit_next(job.id, "base", "super_resolution", 5)
    service.undelete(job.id)
    assert all(is_shown(service, *job.results))
    assert service.find_to_use(job.id).id == job.id


def test_of_what_was_thrown_away_only_what_another_job_goes_on_from_is_shown(service, values):
    first = service.wait(service.submit({**values, "smooth": True}).id, timeout=10)
    later = service.submit_next(first.id, "base", "super_resolution", 5)
    later = service.wait(later.id, timeout=10)
    base, smooth = first.results
    service.delete(first.id)
    service._store.update(later.id, kept=())
    assert all(is_shown(service, base, later.results[-1]))
    assert not any(is_shown(service, smooth))
    service.delete(later.id)
    assert not any(is_shown(service, base, *later.results))


def test_half_written_files_and_those_of_no_job_are_not_shown(service, values, tmp_path):
    job = service.wait(service.submit(values).id, timeout=10)
    day = job.results[-1].video.parent.parent
    for name in (f"{job.id}.x1y2.part", "20200101-000000-abc"):
        assert not service.is_shown((day / name / "lavie.mp4").resolve())
    assert not service.is_shown(day.resolve())
    assert service.is_shown((tmp_path / "elsewhere.mp4").resolve())  # for others to decide
