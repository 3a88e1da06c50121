import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from lavie.errors import InputError
from lavie.media import (
    check_output,
    check_output_folder,
    enlarge_frames,
    frames_to_pixels,
    pixels_to_frames,
    read_metadata,
    read_video,
    write_gif,
    write_recipe,
    write_video,
)


@pytest.fixture
def frames():
    """A smooth colour gradient that moves, (6, 40, 64, 3)."""
    time, rows, columns = np.meshgrid(np.arange(6), np.arange(40), np.arange(64), indexing="ij")
    channels = [4 * columns % 256, 6 * rows, 100 + 20 * time]
    return np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)


def test_pixels_round_half_up_and_clip():
    values = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    frames = pixels_to_frames(values.view(1, 1, 1, 1, 5).expand(1, 3, 1, 1, 5))
    assert frames.shape == (1, 1, 1, 5, 3)
    assert frames[0, 0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_every_byte_survives_the_way_to_pixels_and_back():
    frames = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16, 1).repeat(3, axis=-1)
    pixels = frames_to_pixels(frames)
    assert (pixels.min(), pixels.max()) == (-1, 1)
    assert np.array_equal(pixels_to_frames(pixels), frames)


def test_video_comes_back_with_its_frames_speed_and_recipe(tmp_path, frames):
    recipe = {"prompt": 'a "fox" — im Schnee 🦊\n', "seed": 2**63 - 1, "list": [1, None, 0.1]}
    write_video(tmp_path / "a.mp4", frames, fps=8, metadata=recipe)
    video = read_video(tmp_path / "a.mp4")
    assert video.frames.shape == frames.shape
    assert np.abs(video.frames.astype(int) - frames).mean() < 3
    assert video.fps == 8
    assert video.metadata == read_metadata(tmp_path / "a.mp4") == recipe


def test_a_long_recipe_survives(tmp_path, frames):
    recipe = {"prompt": "x" * 50_000}
    write_video(tmp_path / "a.mp4", frames, fps=8, metadata=recipe)
    assert read_metadata(tmp_path / "a.mp4") == recipe


def test_video_is_what_browsers_play(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames, fps=8)
    with av.open(str(tmp_path / "a.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.colorspace == context.color_primaries == context.color_trc == 1  # BT.709
        assert file.metadata["major_brand"] == "isom"
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # playable before it has all arrived


def test_colours_keep_their_place(tmp_path):
    frames = np.zeros((4, 32, 64, 3), np.uint8)
    frames[:, :, :32] = (200, 50, 250)
    frames[:, :, 32:] = (20, 220, 30)
    write_video(tmp_path / "a.mp4", frames, fps=8)
    found = read_video(tmp_path / "a.mp4").frames.astype(int)
    assert np.abs(found[:, 16, 8] - (200, 50, 250)).max() <= 4
    assert np.abs(found[:, 16, 56] - (20, 220, 30)).max() <= 4


def test_odd_sides_get_their_last_row_and_column_again(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames[:, :39, :63], fps=8)
    found = read_video(tmp_path / "a.mp4").frames.astype(int)
    assert found.shape == (6, 40, 64, 3)
    assert np.abs(found[:, :39, :63] - frames[:, :39, :63]).mean() < 3
    assert np.abs(found[:, 39] - found[:, 38]).mean() < 6


def test_frames_may_come_one_by_one(tmp_path, frames):
    write_video(tmp_path / "a.mp4", (frame for frame in frames), fps=12.5)
    video = read_video(tmp_path / "a.mp4")
    assert len(video.frames) == 6
    assert video.fps == 12.5


def test_one_frame_is_a_video(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames[:1], fps=8)
    assert read_video(tmp_path / "a.mp4").frames.shape == (1, 40, 64, 3)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames, fps=8)
    before = (tmp_path / "a.mp4").read_bytes()
    failing = itertools.chain(frames, (1 / 0 for _ in range(1)))
    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / "a.mp4", failing, fps=8)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_video(tmp_path / "a.mp4", frames, fps=8, metadata={"a": float("nan")})
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_gif_keeps_the_frames_and_the_whole_length(tmp_path, frames):
    write_gif(tmp_path / "a.gif", frames, fps=8)
    with Image.open(tmp_path / "a.gif") as image:
        durations = []
        for index in range(image.n_frames):
            image.seek(index)
            durations.append(image.info["duration"])
            shown = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(shown - frames[index]).mean() < 10
        assert image.info["loop"] == 0
    assert len(durations) == 6
    assert sum(durations) == 750
    assert set(durations) == {120, 130}


def test_enlarging_is_asked_for(frames):
    assert enlarge_frames(frames, 1) is frames
    nearest = enlarge_frames(frames, 3, resample="nearest")
    assert nearest.shape == (6, 120, 192, 3)
    assert np.array_equal(nearest[:, ::3, ::3], frames)
    assert enlarge_frames(frames, 2).shape == (6, 80, 128, 3)


def test_recipe_lies_beside_the_video_for_people_to_read(tmp_path):
    path = write_recipe(tmp_path / "clip.mp4", {"prompt": "füchse"})
    assert path == tmp_path / "clip.recipe.json"
    assert "füchse" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == {"prompt": "füchse"}


def test_a_recipe_can_name_a_file_whose_name_is_no_text(tmp_path):
    recipe = {"source": {"file": "h\udce9t\udce9.mp4"}}
    path = write_recipe(tmp_path / "clip.mp4", recipe)
    assert json.loads(path.read_text(encoding="utf-8")) == recipe


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.avi", "does not end in .mp4"),
        ("no/a.mp4", "does not exist"),
        ("d.mp4", "is a folder"),
        ("/dev/fd/a.mp4", "cannot be written"),
        (f"{'x' * 300}.mp4", "cannot be written"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_early(tmp_path, frames, name, sentence):
    (tmp_path / "d.mp4").mkdir()
    for refuse in (
        lambda path: check_output(path, ".mp4"),
        lambda path: write_video(path, frames, fps=8),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            refuse(tmp_path / name)
        assert caught.value.field == "output"


def test_an_output_folder_that_cannot_be_made_is_refused_early(tmp_path):
    (tmp_path / "file").touch()
    for folder in ("new", "new/newer", "."):
        check_output_folder(tmp_path / folder)
    for folder in ("file", "file/new"):
        with pytest.raises(InputError, match="is a file"):
            check_output_folder(tmp_path / folder)
    with pytest.raises(InputError, match="cannot be made"):
        check_output_folder(Path("/dev/fd/new"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_speed_must_be_above_0(tmp_path, frames, fps):
    for write, name in ((write_video, "a.mp4"), (write_gif, "a.gif")):
        with pytest.raises(InputError, match="frames per second"):
            write(tmp_path / name, frames, fps)


def test_a_gif_has_at_most_50_frames_per_second(tmp_path, frames):
    write_gif(tmp_path / "a.gif", frames, fps=50)
    with pytest.raises(InputError, match="60 frames per second is above 50"):
        write_gif(tmp_path / "b.gif", frames, fps=60)


def test_no_frames_are_refused(tmp_path):
    with pytest.raises(InputError, match="at least one frame"):
        write_video(tmp_path / "a.mp4", [], fps=8)


def test_files_that_are_no_video_are_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("text.mp4", "absent.mp4"):
        for read in (read_video, read_metadata):
            with pytest.raises(InputError, match=f"{name} cannot be read as a video"):
                read(tmp_path / name)


def test_a_playlist_leads_to_no_other_file(tmp_path, frames):
    write_video(tmp_path / "secret.mp4", frames, fps=8)
    playlist = tmp_path / "harmless.mp4"
    playlist.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    for read in (read_video, read_metadata):
        with pytest.raises(InputError, match="cannot be read as a video"):
            read(playlist)


@pytest.mark.parametrize(
    "comment", ["holiday 2019", '{"is_changed": [NaN]}', "[" * 100_000, "[1, 2]"]
)
def test_a_comment_of_somebody_else_is_no_recipe(tmp_path, frames, comment):
    path = str(tmp_path / "a.mp4")
    with av.open(path, "w") as file:
        file.metadata["comment"] = comment
        stream = file.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 40, "yuv420p"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(frames[0], format="rgb24")))
        file.mux(stream.encode())
    assert read_metadata(tmp_path / "a.mp4") is None
