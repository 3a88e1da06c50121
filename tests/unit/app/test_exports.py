import errno
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from app import texts
from app.exports import FORMATS, ExportFormat, export
from app.files import write_files
from lavie.cascade import Generation
from lavie.errors import InputError
from lavie.media import read_metadata, read_video
from lavie.types import CancelToken


@pytest.fixture
def generation():
    rows, columns = np.meshgrid(np.arange(40), np.arange(64), indexing="ij")
    frames = [np.stack([4 * columns, 6 * rows, 0 * rows + 9 * time], -1) for time in range(8)]
    recipe = {"prompt": "a panda", "settings": {"base": {"num_inference_steps": 3}}}
    return Generation(np.array(frames, np.uint8), 8, 7, recipe, {"base": 1.0})


@pytest.fixture
def result(generation, tmp_path):
    return write_files(generation, "base", tmp_path / "job", CancelToken())


def test_every_format_is_made_beside_the_result_and_only_once(result):
    for name in FORMATS:
        path = export(result, name)
        assert path.parent == result.video.parent
        content = path.read_bytes()
        path.write_bytes(b"made once")
        assert export(result, name).read_bytes() == b"made once"
        path.write_bytes(content)
    names = [path.name for path in result.video.parent.iterdir()]
    assert len(set(names)) == 6 + len(FORMATS) - 2  # both MP4s were there
    assert not [name for name in names if name.startswith(".")]


def test_the_page_offers_every_format_and_says_which_is_of_true_size():
    assert texts.EXPORTS.keys() == FORMATS.keys()
    is_true_size = {name: "true size" in label for name, label in texts.EXPORTS.items()}
    assert [name for name in FORMATS if is_true_size[name]] == ["mp4", "frames"]


def test_films_show_what_the_page_shows_and_frames_are_exact(result, generation):
    assert export(result, "mp4") == result.video
    assert export(result, "large") == result.view
    webm = read_video(export(result, "webm"))
    assert webm.frames.shape == (8, 320, 512, 3)
    assert (webm.fps, webm.metadata) == (8, result.metadata)
    with Image.open(export(result, "gif")) as gif:
        assert (gif.format, gif.size, gif.n_frames) == ("GIF", (256, 160), 8)
    with ZipFile(export(result, "frames")) as archive, archive.open("frame_00007.png") as file:
        assert np.array_equal(np.asarray(Image.open(file)), generation.frames[7])


def test_the_zip_holds_everything_there_is_of_the_result(result):
    with ZipFile(export(result, "zip")) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            *(path.name for path in (result.video, result.view, result.frames, result.recipe)),
            *(export(result, name).name for name in ("webm", "gif", "frames")),
        }
        assert json.loads(archive.read(result.recipe.name)) == result.metadata
    large = replace(result, view=result.video, frames=None, video=result.view)
    with ZipFile(export(large, "zip")) as archive:
        assert len(archive.namelist()) == 6


def test_the_last_stage_gives_the_frames_of_its_mp4(result):
    path = export(replace(result, frames=None), "frames")
    with ZipFile(path) as archive, archive.open("frame_00003.png") as file:
        shown = read_video(result.video).frames[3]
        assert np.array_equal(np.asarray(Image.open(file)), shown)


def test_a_fast_video_becomes_a_gif_of_the_same_length(generation, tmp_path):
    fast = replace(generation, fps=96)
    result = write_files(fast, "base", tmp_path / "job", CancelToken())
    with Image.open(export(result, "gif")) as gif:
        assert gif.n_frames == 4
        durations = []
        for index in range(4):
            gif.seek(index)
            durations.append(gif.info["duration"])
        assert abs(sum(durations) - 8000 / 96) < 10


def test_asking_twice_at_once_makes_one_whole_file(result, monkeypatch):
    written, write = [], FORMATS["webm"].write

    def count(result, path):
        written.append(path)
        write(result, path)

    monkeypatch.setitem(FORMATS, "webm", replace(FORMATS["webm"], write=count))
    paths = ask_at_once(result, ["webm"] * 3)
    assert (len(paths), written) == (3, paths[:1])
    assert read_metadata(paths[0]) == result.metadata


def test_no_more_than_two_files_are_made_at_once(result, monkeypatch):
    at_work, most = [], []

    def wait(result, path):
        at_work.append(path)
        time.sleep(0.005)
        most.append(len(at_work))
        at_work.remove(path)

    names = [str(number) for number in range(12)]
    for name in names:
        monkeypatch.setitem(FORMATS, name, ExportFormat(f".{name}", wait))
    assert len(ask_at_once(result, names)) == len(most) == 12
    assert max(most) <= 2


def test_a_file_that_failed_can_be_asked_for_again(result, monkeypatch):
    def fail(result, path):
        raise OSError("full")

    with monkeypatch.context() as patched:
        patched.setitem(FORMATS, "gif", replace(FORMATS["gif"], write=fail))
        with pytest.raises(OSError, match="full"):
            export(result, "gif")
    assert export(result, "gif").exists()


def ask_at_once(result, names):
    with ThreadPoolExecutor(len(names)) as threads:
        return list(threads.map(lambda name: export(result, name), names))


def test_a_full_disk_is_said_and_leaves_nothing(result, monkeypatch):
    def fill_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(result.video.parent.iterdir())
    monkeypatch.setattr("lavie.media.write_gif", fill_disk)
    with pytest.raises(InputError) as caught:
        export(result, "gif")
    assert str(caught.value) == texts.DISK_IS_FULL
    assert sorted(result.video.parent.iterdir()) == before


@pytest.mark.parametrize("name", ["exe", "", "../../mp4", None])
def test_an_unknown_format_is_refused(result, name):
    with pytest.raises(InputError, match="is not one of mp4, large, webm, gif, frames, zip"):
        export(result, name)


def test_a_deleted_result_is_said_kindly(result):
    result.video.unlink()
    for name in FORMATS:
        with pytest.raises(InputError, match="was deleted"):
            export(result, name)
