import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from lavie.convert.download import Hub, HubError
from lavie.errors import Cancelled, CheckpointError
from lavie.types import CancelToken, Progress
from tests.fake_hub import FakeHub, serve_hub

CONTENT = bytes(range(256)) * 40
NAME = "owner/name"


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr("lavie.convert.download._WAITS", (0.0, 0.0))


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "weights.pt").write_bytes(CONTENT)
    (folder / "config.json").write_text("{}")
    (folder / "empty.txt").touch()
    with serve_hub({NAME: folder}) as server:
        yield server


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def get(server: FakeHub, cache: Path, *names: str, on_event=None, **options) -> list[Path]:
    hub = Hub(cache, server.endpoint, **options)
    files = [hub.find(NAME, name) for name in names]
    found = hub.fetch(files, on_event)
    return [found[file] for file in files]


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.suffix in (".partial", ".incomplete")]


def test_files_arrive_whole_also_an_empty_one(server, cache):
    paths = get(server, cache, "weights.pt", "config.json", "empty.txt")
    assert [path.name for path in paths] == ["weights.pt", "config.json", "empty.txt"]
    assert [path.read_bytes() for path in paths] == [CONTENT, b"{}", b""]
    assert leftovers(cache) == []


def test_what_is_here_is_not_fetched_again(server, cache):
    first = get(server, cache, "weights.pt")
    events = []
    assert get(server, cache, "weights.pt", on_event=events.append) == first
    assert server.fetched == ["weights.pt"]
    assert events == []


def test_the_library_itself_finds_what_we_fetched(server, cache):
    from huggingface_hub import hf_hub_download

    (path,) = get(server, cache, "weights.pt")
    found = hf_hub_download(NAME, "weights.pt", cache_dir=cache, endpoint=server.endpoint)
    assert Path(found) == path
    assert server.fetched == ["weights.pt"]


def test_progress_counts_the_bytes_of_all_files(server, cache):
    events: list[Progress] = []
    get(server, cache, "weights.pt", "config.json", on_event=events.append)
    assert {event.total for event in events} == {len(CONTENT) + 2}
    assert [event.stage for event in events] == ["download"] * len(events)
    assert events[0].step == 0
    assert events[-1].step == events[-1].total
    assert events[-1].seconds_left == 0
    assert all(a.step <= b.step for a, b in pairwise(events))


def test_a_cut_connection_is_taken_up_where_it_broke(server, cache):
    server.cuts = [1000, 500]
    events: list[Progress] = []
    (path,) = get(server, cache, "weights.pt", on_event=events.append)
    assert path.read_bytes() == CONTENT
    assert server.fetched == ["weights.pt", "weights.pt@1000", "weights.pt@1500"]
    assert events[-1].step == len(CONTENT)


def test_a_hub_without_ranges_sends_all_again(server, cache):
    server.cuts, server.has_ranges = [1000], False
    events: list[Progress] = []
    (path,) = get(server, cache, "weights.pt", on_event=events.append)
    assert path.read_bytes() == CONTENT
    assert server.fetched == ["weights.pt", "weights.pt"]
    assert events[-1].step == len(CONTENT)


def test_a_lost_connection_is_one_sentence_and_the_next_call_goes_on(server, cache):
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(HubError, match="lost after 0.0 of 0.0 MB of weights.pt"):
        get(server, cache, "weights.pt")
    server.fetched.clear()
    server.cuts = []
    events: list[Progress] = []
    (path,) = get(server, cache, "weights.pt", on_event=events.append)
    assert path.read_bytes() == CONTENT
    assert server.fetched == ["weights.pt@1000"]
    assert events[0].step == 1000


@pytest.mark.parametrize("name", ["weights.pt", "config.json"])
def test_a_damaged_file_is_thrown_away(server, cache, name):
    server.damaged = {name}
    with pytest.raises(HubError, match=f"{name} arrived damaged: its checksum is"):
        get(server, cache, name)
    assert leftovers(cache) == []
    server.damaged = set()
    (path,) = get(server, cache, name)
    assert path.read_bytes() == (CONTENT if name == "weights.pt" else b"{}")


def test_a_damaged_beginning_is_noticed_when_the_rest_has_come(server, cache):
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(HubError):
        get(server, cache, "weights.pt")
    (partial,) = leftovers(cache)
    partial.write_bytes(b"x" * 1000)
    with pytest.raises(HubError, match="arrived damaged"):
        get(server, cache, "weights.pt")
    (path,) = get(server, cache, "weights.pt")
    assert path.read_bytes() == CONTENT


def test_cancelling_stops_within_a_second_even_while_the_hub_says_nothing(server, cache):
    server.silence = threading.Event()
    cancel = CancelToken()
    threading.Timer(0.2, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        get(server, cache, "weights.pt", cancel=cancel)
    assert time.monotonic() - started < 1.2
    assert len(leftovers(cache)) == 1
    server.silence.set()
    server.silence = None
    (path,) = get(server, cache, "weights.pt")
    assert path.read_bytes() == CONTENT
    assert server.fetched[-1] == "weights.pt@3"


def test_cancelling_stops_the_wait_for_a_busy_hub(server, cache, monkeypatch):
    monkeypatch.setattr("lavie.convert.download._WAITS", (60.0,))
    server.is_busy = True
    cancel = CancelToken()
    threading.Timer(0.2, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        get(server, cache, "weights.pt", cancel=cancel)
    assert time.monotonic() - started < 1.2


def test_offline_what_is_here_suffices(server, cache):
    get(server, cache, "weights.pt")
    server.is_busy = True
    assert get(server, cache, "weights.pt", offline=True)[0].read_bytes() == CONTENT
    assert get(server, cache, "weights.pt")[0].read_bytes() == CONTENT


def test_offline_what_is_not_here_is_named(server, cache):
    with pytest.raises(HubError, match="config.json of owner/name is not on this machine, and off"):
        get(server, cache, "config.json", offline=True)
    assert server.fetched == []


@pytest.mark.parametrize("file", [(NAME, "absent.bin"), ("owner/other", "weights.pt")])
def test_what_the_hub_does_not_have_is_told_from_a_hub_that_is_not_there(server, cache, file):
    with pytest.raises(HubError) as caught:
        Hub(cache, server.endpoint).find(*file)
    assert not caught.value.is_unreachable
    server.is_busy = True
    with pytest.raises(HubError) as caught:
        Hub(cache, server.endpoint).find(*file)
    assert caught.value.is_unreachable


def test_a_newer_version_is_fetched(server, cache, tmp_path, monkeypatch):
    get(server, cache, "weights.pt")
    (tmp_path / "published" / "weights.pt").write_bytes(b"newer")
    monkeypatch.setattr("tests.fake_hub.COMMIT", "0" * 39 + "2")
    (path,) = get(server, cache, "weights.pt")
    assert path.read_bytes() == b"newer"


def test_what_is_half_here_needs_only_the_rest_of_the_disk(server, cache, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "lavie.convert.download.check_space", lambda where, num_bytes: asked.append(num_bytes)
    )
    server.cuts = [1000, 0, 0, 0]
    with pytest.raises(CheckpointError):
        get(server, cache, "weights.pt")
    get(server, cache, "weights.pt", "config.json")
    assert asked == [len(CONTENT), len(CONTENT) + 2 - 1000]
