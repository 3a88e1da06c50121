from dataclasses import replace

import pytest

from app import texts
from app.jobs.crew import ThreadCrew
from app.policy import PER_ADDRESS, PER_VISITOR, Policy, Quota
from app.rate_limit import RateLimit
from app.service import Service
from lavie.errors import InputError

ANNA, BERT = "visitor:anna", "visitor:bert"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def open_studio(card, runner, tmp_path):
    """A public studio whose runner waits, so that jobs stay in the queue."""
    opened = []

    def open_studio(**policy) -> Service:
        service = Service(
            card, ThreadCrew(runner), tmp_path / "data", Policy(is_public=True, **policy)
        )
        service.start()
        opened.append(service)
        return service

    yield open_studio
    runner.may_go_on.set()
    for service in opened:
        service.stop()


def test_visitors_see_only_their_own(open_studio, values):
    public = open_studio()
    job = public.wait(public.submit(values, ANNA).id, timeout=10)
    assert [found.id for found in public.history(ANNA)] == [job.id]
    assert public.history(BERT) == public.history("") == public.history(None) == []


def test_what_was_made_in_public_is_listed_once_the_server_is_private(
    open_studio, card, runner, values, tmp_path
):
    public = open_studio()
    job = public.wait(public.submit(values, ANNA).id, timeout=10)
    private = Service(card, ThreadCrew(runner), tmp_path / "data")
    assert [found.id for found in private.history("")] == [job.id]


def test_a_gallery_shows_what_all_made_but_lets_nobody_change_it(open_studio, values):
    public = open_studio(has_gallery=True)
    job = public.wait(public.submit(values, ANNA).id, timeout=10)
    assert [found.id for found in public.history(BERT)] == [job.id]
    with pytest.raises(InputError, match="somebody else's"):
        public.delete(job.id, BERT)


@pytest.mark.parametrize("owner", [BERT, ""])
def test_nobody_changes_what_is_of_others(open_studio, values, owner):
    public = open_studio()
    job_id = public.wait(public.submit(values, ANNA).id, timeout=10).id
    for change in (
        lambda: public.star(job_id, True, owner),
        lambda: public.delete(job_id, owner),
        lambda: public.undelete(job_id, owner),
        lambda: public.cancel(job_id, owner),
        lambda: public.retry(job_id, owner),
        lambda: public.edit(job_id, values, owner),
    ):
        with pytest.raises(InputError, match="somebody else's"):
            change()
    assert public.star(job_id, True, ANNA).is_starred
    assert public.get(job_id).deleted is None


def test_the_queue_of_all_is_nobodys_to_change_or_see(open_studio, runner, values, wait_until):
    runner.may_go_on.clear()
    public = open_studio()
    first = public.submit(values, ANNA)
    wait_until(lambda: public.get(first.id).state == "running")
    waiting = public.submit(values, BERT)
    assert [status.job.id for status in public.queue(ANNA)] == [first.id]
    assert [status.num_ahead for status in public.queue(BERT)] == [1]
    for change in (lambda: public.pause(True), lambda: public.move(waiting.id, 0)):
        with pytest.raises(InputError, match=texts.NOT_IN_PUBLIC):
            change()


def test_a_visitor_has_few_places_in_the_queue(open_studio, runner, values, wait_until):
    runner.may_go_on.clear()
    public = open_studio()
    running = public.submit(values, ANNA)
    wait_until(lambda: public.get(running.id).state == "running")
    jobs = [public.submit(values, ANNA) for _ in range(PER_VISITOR.num_waiting)]
    for ask in (
        lambda: public.submit(values, ANNA),
        lambda: public.submit_all([values], ANNA),
    ):
        with pytest.raises(InputError, match="At most 3 videos of yours can wait"):
            ask()
    assert public.submit(values, BERT).state == "queued"
    public.cancel(jobs[0].id, ANNA)
    assert public.retry(jobs[0].id, ANNA).state == "queued"


def test_a_list_that_is_too_long_for_a_visitor_queues_nothing(open_studio, values):
    public = open_studio()
    with pytest.raises(InputError, match="At most 3 videos"):
        public.submit_all([values] * 4, ANNA)
    assert public.queue(ANNA) == []


def test_new_tokens_from_one_address_do_not_help(request_of):
    quota, queued = Quota(), []
    for number in range(PER_ADDRESS.num_waiting):
        with quota.admit(f"visitor:{number}", "10.0.0.1", lambda: queued):
            queued.append(request_of(f"visitor:{number}"))
    with (
        pytest.raises(InputError, match="20 videos from your network"),
        quota.admit("visitor:new", "10.0.0.1", lambda: queued),
    ):
        raise AssertionError
    with quota.admit("visitor:new", "10.0.0.2", lambda: queued):
        pass


def test_so_many_a_minute_and_no_more(request_of):
    clock = Clock()
    quota = Quota(clock)
    for _ in range(PER_VISITOR.num_per_minute):
        with quota.admit(ANNA, "", list):
            pass
    with pytest.raises(InputError, match="in a minute"), quota.admit(ANNA, "", list):
        raise AssertionError
    clock.now = 61
    with quota.admit(ANNA, "", list):
        pass


def test_a_meter_forgets():
    clock = Clock()
    limit = RateLimit(10, 60, clock)
    assert limit.take("anna", 10)
    assert not limit.take("anna")
    assert limit.take("bert", 9)
    clock.now = 61
    assert limit.take("bert")
    assert set(limit._used) == {"bert"}


@pytest.fixture
def request_of(service, values):
    job = service.submit(values)
    return lambda owner: replace(job, owner=owner)


def test_on_a_server_of_ones_own_everything_is_allowed(service, values):
    job = service.submit(values)
    service.pause(True)
    jobs = [service.submit(values) for _ in range(PER_VISITOR.num_per_minute + 1)]
    service.move(jobs[-1].id, 0)
    service.star(job.id, True)
    for one in jobs:
        service.cancel(one.id)
    service.pause(False)
