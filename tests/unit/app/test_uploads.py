import gzip
import json
import struct
import zlib
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from PIL import Image

from app import uploads
from app.uploads import LIST, LORA_ZIP, MAX_UPLOAD_BYTES, PICTURE, RECIPE, VIDEO, check_upload
from lavie.errors import InputError
from lavie.media import LOSSLESS, WEBM, write_video

FRAMES = np.zeros((4, 16, 16, 3), np.uint8)
KINDS = [VIDEO, PICTURE, RECIPE, LIST]


@pytest.fixture
def clip(tmp_path):
    write_video(tmp_path / "clip.mp4", FRAMES, 8)
    return tmp_path / "clip.mp4"


def png_of(width, height):
    """A PNG that says it is that large, and holds nothing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk


def test_files_that_are_what_they_say_come_in(tmp_path, clip):
    write_video(tmp_path / "a.webm", FRAMES, 8, format=WEBM)
    write_video(tmp_path / "a.mkv", FRAMES, 8, format=LOSSLESS)
    for name in ("a.png", "a.jpg", "b.JPEG", "a.webp"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "列 表.csv").write_text("prompt\nа\n")
    for path in tmp_path.iterdir():
        check_upload(path, KINDS)


@pytest.mark.parametrize(
    "name",
    [
        "a.svg",
        "a.html",
        "a.htm",
        "a.zip",
        "a.tar.gz",
        "a.gz",
        "a.php",
        "a.py",
        "a",
        ".mp4",
        "a.mp4 ",
    ],
)
def test_other_kinds_of_files_do_not(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"<svg onload=alert(1)>")
    with pytest.raises(InputError, match=r"Give one of \.mp4"):
        check_upload(path, KINDS)


@pytest.mark.parametrize("suffix", [s for kind in KINDS[:2] for s in kind.suffixes])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"GIF89a" + bytes(20),
        b"%PDF-1.7",
        b"PK\x03\x04" + bytes(40),
        gzip.compress(bytes(1_000_000)),
        b"#EXTM3U\nfile:///etc/passwd",
        b"ffconcat version 1.0\nfile /etc/passwd",
    ],
    ids=range(9),
)
def test_a_name_does_not_make_a_file_what_it_is_not(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        check_upload(path, KINDS)


def test_a_picture_under_another_pictures_name_is_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="not what its name says"):
        check_upload(tmp_path / "a.jpg", KINDS)


@pytest.mark.parametrize("side", [5_000, 20_000, 2**31 - 1])
def test_a_picture_that_unfolds_to_gigabytes_is_never_decoded(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(side, side))
    with pytest.raises(InputError, match=r"more than 50 million pixels|cannot be read"):
        check_upload(path, KINDS)


def test_a_video_may_have_so_many_seconds_and_pixels(monkeypatch, clip):
    for limit in ("MAX_SECONDS", "MAX_PIXELS", "MAX_PIXELS_IN_ALL"):
        with monkeypatch.context() as patched:
            patched.setattr(uploads, limit, 0.1)
            with pytest.raises(InputError, match=r"too many pixels|seconds"):
                check_upload(clip, KINDS)


def test_a_file_may_have_so_many_bytes(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 1)
    with pytest.raises(InputError, match="too large"):
        check_upload(path, KINDS)


def test_a_link_is_no_file(tmp_path, clip):
    (tmp_path / "link.mp4").symlink_to(clip)
    for name in ("link.mp4", "none.mp4"):
        with pytest.raises(InputError, match="not there"):
            check_upload(tmp_path / name, KINDS)


@pytest.mark.parametrize("name", ["a\n.json", "a\u202e.json", "a\x07.json", "a\x1b[31m.json"])
def test_a_name_that_steers_a_screen_is_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match="Rename it"):
        check_upload(tmp_path / name, KINDS)


def test_text_is_text(tmp_path):
    (tmp_path / "a.json").write_bytes(json.dumps({}).encode("utf-16"))
    with pytest.raises(InputError, match="cannot be read"):
        check_upload(tmp_path / "a.json", KINDS)


def test_a_video_that_is_an_archive_too_is_only_a_video(tmp_path, clip):
    with clip.open("ab") as file, ZipFile(file, "a") as archive:
        archive.writestr("../../evil.html", "<script>alert(1)</script>")
    check_upload(clip, KINDS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]


def test_the_zip_of_a_lora_comes_in_if_it_unpacks_to_what_a_lora_may_have(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("adapter_config.json", "{}")
        archive.writestr("adapter_model.safetensors", "x" * 1000)
    check_upload(path, [LORA_ZIP])
    packed = path.stat().st_size
    monkeypatch.setattr(uploads, "MAX_PUBLIC_UPLOAD_BYTES", packed)
    check_upload(path, [LORA_ZIP])
    with pytest.raises(InputError, match="too large"):
        check_upload(path, [LORA_ZIP], is_public=True)
    monkeypatch.setattr(uploads, "MAX_UPLOAD_BYTES", packed)
    with pytest.raises(InputError, match="too large"):
        check_upload(path, [LORA_ZIP])
    monkeypatch.undo()
    for content in (b"", b"PK", path.read_bytes()[:-1], b"<svg>"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no zip that can be read") as caught:
            check_upload(path, [LORA_ZIP])
        assert caught.value.field == "file"
