import threading
from pathlib import Path

import pytest

from app.jobs.job import Animation
from app.jobs.wire import Order, Report, Wire, WorkerStatus
from app.request import check_request
from lavie.errors import InputError
from lavie.types import Progress
from tests.unit.app.files import make_result


@pytest.fixture(params=["memory:", "sqlite:", "redis"])
def wire(request, tmp_path):
    address = request.param
    if address == "redis":
        address = request.getfixturevalue("redis_address")
    wire = Wire(address, tmp_path)
    wire.start_anew(running=())
    return wire


@pytest.fixture
def order(card, values, tmp_path):
    request = check_request(values, card.ranges)
    return Order("job.1", "job", request, (make_result(tmp_path),), Path("day/job"), True)


def take(wire: Wire) -> Order:
    for _ in range(30):
        if (order := wire.take()) is not None:
            return order
    raise AssertionError("nothing was there to take")


def test_an_order_arrives_as_it_was(wire, order):
    assert wire.is_empty
    wire.offer(order)
    assert not wire.is_empty
    assert take(wire) == order
    assert wire.is_empty


def test_only_one_of_many_workers_gets_an_order(wire, order):
    won: list[str] = []

    def claim(name: str) -> None:
        if wire.claim(order.ticket, name):
            won.append(name)

    workers = [threading.Thread(target=claim, args=(f"worker-{n}",)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(won) == 1
    assert wire.claimant(order.ticket) == won[0]
    assert not wire.withdraw(order.ticket)


def test_what_was_withdrawn_cannot_be_claimed(wire, order):
    wire.offer(order)
    assert wire.withdraw(order.ticket)
    assert not wire.claim(take(wire).ticket, "worker-1")
    assert wire.claimant(order.ticket) is None


def test_reports_previews_and_signs_of_life_arrive(wire, order, tmp_path):
    assert wire.report(order.ticket) is None
    report = Report((make_result(tmp_path),), Progress("base", 1, 3, 2.5), "failed", "because")
    wire.send_report(order.ticket, report)
    assert wire.report(order.ticket) == report
    wire.send_preview(order.ticket, Animation(3, "UklGR"))
    assert wire.preview(order.ticket) == Animation(3, "UklGR")
    status = WorkerStatus("worker-1", 3, "ready", sample=report.results[0].effort, seconds=1.5)
    wire.send_status(status)
    assert wire.status("worker-1") == status
    assert wire.status("worker-2") is None


def test_what_a_worker_of_another_version_says_is_left_out(wire, order, caplog):
    for kind in ("report", "preview", "worker"):
        wire._storage.put_data(f"{kind}:{order.ticket}", b'{"mood": "fine"}')
    assert wire.report(order.ticket) is None
    assert wire.preview(order.ticket) is None
    assert wire.status(order.ticket) is None
    assert f"report:{order.ticket} cannot be read" in caplog.text


def test_a_worker_hears_that_it_is_to_stop(wire, order):
    assert not wire.is_stop_asked(order.ticket)
    wire.ask_to_stop(order.ticket)
    assert wire.is_stop_asked(order.ticket)


def test_a_new_server_keeps_only_what_still_runs(wire, order):
    for ticket in ("a", "b"):
        wire.claim(ticket, "worker-1")
        wire.send_report(ticket, Report(()))
    wire.offer(order)
    wire.start_anew(running=("a",))
    assert wire.is_empty
    assert (wire.report("a"), wire.report("b")) == (Report(()), None)
    assert (wire.claimant("a"), wire.claimant("b")) == ("worker-1", None)


def test_workers_of_an_earlier_server_are_forgotten(wire):
    for name in ("worker-1", "worker-2"):
        wire.send_status(WorkerStatus(name, 1))
    wire.forget_worker("worker-1")
    assert (wire.status("worker-1"), wire.status("worker-2").beat) == (None, 1)
    wire.start_anew(running=("a",))
    assert wire.status("worker-2") is None


@pytest.mark.parametrize("address", ["ftp://x", "", "redis//x"])
def test_an_address_of_no_kind_is_refused(address, tmp_path):
    with pytest.raises(InputError, match="no address for jobs"):
        Wire(address, tmp_path)


def test_a_redis_that_is_not_there_is_said_without_its_password(tmp_path):
    pytest.importorskip("redis")
    with pytest.raises(InputError, match="no Redis at redis://127.0.0.1:1:") as caught:
        Wire("redis://me:secret@127.0.0.1:1", tmp_path)
    assert "secret" not in str(caught.value)
