import functools
import io
import json
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest
import torch

from lavie.data import webdataset_source
from lavie.data.config import SourceConfig
from lavie.data.opening import open_source
from lavie.errors import InputError
from tests.unit.data.media_files import (
    captions,
    grey_frames,
    write_clip,
    write_picture,
    write_shard,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(path, grey_frames(range(20, 180, 20))).read_bytes()


@pytest.fixture
def shards(tmp_path, clip):
    """Three shards of four clips."""
    for shard in range(3):
        members = {}
        for index in range(4):
            members[f"{shard}{index}.mp4"] = clip
            members[f"{shard}{index}.txt"] = f"clip {shard}{index}".encode()
        write_shard(tmp_path / f"shard-{shard}.tar", members)
    return tmp_path


def open_shards(*urls, **settings):
    config = SourceConfig(kind="webdataset", urls=tuple(map(str, urls)), **settings)
    return open_source(config, 4, 24, 32, 8.0)


def test_records_of_shards_are_samples(shards):
    source = open_shards(shards / "shard-{0..2}.tar", shuffle=False)
    sample = next(source.iterate(0))
    assert sample.pixels.shape == (3, 4, 24, 32)
    expected = [f"clip {shard}{index}" for shard in range(3) for index in range(4)]
    assert captions(source, 24) == expected * 2


def test_shuffling_loses_nothing_and_can_be_repeated(shards):
    source = open_shards(shards / "shard-{0..2}.tar", shuffle_buffer=3)
    order = captions(source, 40)
    assert order == captions(source, 40)
    assert len(set(order)) == 12
    assert order[:12] != sorted(order[:12])


def test_a_resumed_run_sees_the_same_pixels(shards):
    source = open_shards(shards / "shard-{0..2}.tar", shuffle_buffer=5, crop="random")
    whole = list(islice(source.iterate(1), 20))
    rest = list(islice(source.iterate(1, start=13, num_threads=2), 7))
    for before, after in zip(whole[13:], rest, strict=True):
        assert before.caption == after.caption
        assert torch.equal(before.pixels, after.pixels)


@pytest.mark.parametrize(("world_size", "count"), [(2, 4), (3, 4), (4, 3), (12, 1)])
def test_processes_do_not_share_records(shards, world_size, count):
    source = open_shards(shards / "shard-{0..2}.tar", shuffle_buffer=1)
    parts = [
        captions(source, count, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    everything = [caption for part in parts for caption in part]
    assert len(everything) == len(set(everything))


def test_more_processes_than_records_still_get_something(tmp_path, clip):
    shard = write_shard(tmp_path / "a.tar", {"a.mp4": clip, "a.txt": b"only one"})
    assert captions(open_shards(shard), 2, rank=4, world_size=5) == ["only one"] * 2


def test_broken_records_are_replaced_counted_and_reported(tmp_path, clip):
    members = {
        "a.mp4": clip,
        "a.txt": b"good a",
        "b.mp4": b"no video",
        "b.txt": b"bad b",
        "c.mp4": clip,
        "d.txt": b"nothing but text",
        "../../e.v1.mp4": clip,
        "../../e.json": json.dumps({"caption": "from json"}).encode(),
        "__meta__": b"ignored",
        "f.mp4": clip,
        "f.txt": b" ",
    }
    source = open_shards(write_shard(tmp_path / "a.tar", members), shuffle=False)
    assert captions(source, 4) == ["good a", "from json", "from json", "good a"]
    assert source.reports[0].counts == {"unreadable": 1, "without caption": 2}


def test_the_order_around_broken_records_survives_a_restart(tmp_path, clip):
    members = {}
    for index in range(8):
        members[f"{index}.mp4"] = b"broken" if index % 3 == 1 else clip
        members[f"{index}.txt"] = str(index).encode()
    source = open_shards(write_shard(tmp_path / "a.tar", members), shuffle_buffer=3)
    whole = captions(source, 30)
    for start in (1, 2, 9):
        assert captions(source, 30 - start, start=start) == whole[start:]


def test_a_broken_shard_costs_only_its_own_records(shards):
    cut = (shards / "shard-1.tar").read_bytes()
    (shards / "shard-1.tar").write_bytes(cut[: len(cut) // 2])
    (shards / "shard-2.tar").write_text("no tar")
    source = open_shards(shards / "shard-{0..3}.tar", shuffle=False)  # 3 does not exist
    found = captions(source, 8)
    assert found[:4] == [f"clip 0{index}" for index in range(4)]
    assert source.reports[0].counts["in a broken shard"] == 3
    # A process whose own shard is broken reads the others.
    assert captions(source, 1, rank=2, world_size=4) == ["clip 00"]


def test_shards_without_records_are_one_clear_sentence(tmp_path):
    empty = write_shard(tmp_path / "empty.tar", {"a.txt": b"text"})
    with pytest.raises(InputError, match="No record of the shards"):
        next(open_shards(empty).iterate(0))
    with pytest.raises(InputError, match=r"No record.*broken shard.*absent\.tar"):
        next(open_shards(tmp_path / "absent.tar").iterate(0))


def test_a_shard_of_broken_clips_is_one_clear_sentence(tmp_path, monkeypatch):
    from lavie.data import sources

    monkeypatch.setattr(sources, "MAX_MISSES", 20)
    shard = write_shard(tmp_path / "a.tar", {"a.mp4": b"no video", "a.txt": b"text"})
    with pytest.raises(InputError, match=r"20 clips in a row can't be used.*unreadable"):
        next(open_shards(shard).iterate(0, num_threads=2))


def test_huge_members_and_links_are_not_read(tmp_path, clip, monkeypatch):
    monkeypatch.setattr(webdataset_source, "MAX_MEMBER_BYTES", len(clip))
    path = tmp_path / "a.tar"
    members = {"a.mp4": clip + b"\0", "a.txt": b"big", "b.mp4": clip, "b.txt": b"good"}
    write_shard(path, members)
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("c.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("c.txt"), io.BytesIO())
    source = open_shards(path)
    assert captions(source, 3) == ["good"] * 3
    assert source.reports[0].counts == {"too large": 1}


def test_stills_are_pictures_and_single_frames(tmp_path, clip):
    picture = write_picture(tmp_path / "p.png").read_bytes()
    members = {"a.mp4": clip, "a.txt": b"clip", "b.PNG": picture, "b.txt": b"picture"}
    shard = write_shard(tmp_path / "a.tar", members)
    assert captions(open_shards(shard), 2) == ["clip"] * 2
    stills = list(islice(open_shards(shard, stills=True, shuffle=False).iterate(0), 2))
    assert [still.caption for still in stills] == ["clip", "picture"]
    assert all(still.pixels.shape == (3, 1, 24, 32) for still in stills)


@pytest.mark.parametrize("url", ["pipe:touch /tmp/x", "s3://bucket/a.tar", "file:///a.tar"])
def test_addresses_of_other_kinds_are_refused(url):
    with pytest.raises(InputError, match="not read here"):
        open_shards(url)


@pytest.fixture
def server(shards):
    class Handler(SimpleHTTPRequestHandler):
        failures = 1

        def do_GET(self):
            if self.path == "/flaky.tar" and Handler.failures:
                Handler.failures -= 1
                self.send_error(503)
                return
            self.path = self.path.replace("flaky", "shard-0")
            super().do_GET()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(shards))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_remote_shards_are_the_same_as_local_ones(shards, server, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    remote = open_shards(f"{server}/shard-{{0..2}}.tar")
    assert captions(remote, 15) == captions(open_shards(shards / "shard-{0..2}.tar"), 15)


def test_a_server_is_asked_again_but_not_for_what_it_lacks(server, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    source = open_shards(f"{server}/flaky.tar", f"{server}/absent.tar", shuffle=False)
    assert captions(source, 1) == ["clip 00"]
    assert captions(source, 5)[4] == "clip 00"
    assert source.reports[0].counts == {"in a broken shard": 1}
    assert "404" in source.reports[0].summary()
