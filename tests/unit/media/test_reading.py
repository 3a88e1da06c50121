import contextlib
import logging
import os
import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest

from lavie.errors import InputError
from lavie.media import open_video, read_video, timing
from lavie.media import reading as reading_module
from tests.unit.data.media_files import grey_frames, levels_of, write_clip

TENS = range(10, 250, 10)  # 24 frames, three seconds at 8 frames per second


def run_ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def all_levels(path):
    with open_video(path) as video:
        return levels_of(video[:])


def assert_refused(path, sentence):
    with pytest.raises(InputError, match=sentence) as caught, open_video(path) as video:
        video[:]
    assert caught.value.field == "file"
    assert "\n" not in str(caught.value)
    assert str(path.parent) not in str(caught.value)


@pytest.fixture(autouse=True)
def usual_priority():
    """SVT-AV1, run by root, gives its caller real-time priority, and so all that this starts.

    Whatever else ran would come to a stand.
    """
    yield
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("clip.mp4", "libx264", "yuv420p"),
        ("clip.mkv", "libx264", "yuv444p"),
        ("clip.avi", "libx264", "yuv420p"),
        ("clip.ts", "libx264", "yuv420p"),
        ("hevc.mp4", "libx265", "yuv420p10le"),
        ("clip.webm", "libvpx-vp9", "yuv420p"),
        ("vp8.webm", "libvpx", "yuv420p"),
        ("av1.mp4", "libsvtav1", "yuv420p10le"),
        ("divx.avi", "mpeg4", "yuv420p"),
        ("camera.avi", "mjpeg", "yuvj420p"),
        ("clip.mov", "prores_ks", "yuv422p10le"),
        ("clip.gif", "gif", "rgb8"),
    ],
)
def test_every_frame_of_every_codec_is_there_once(tmp_path, name, codec, pix_fmt):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"crf": "10"}
    path = write_clip(
        tmp_path / name, grey_frames(TENS), codec=codec, options=options, pix_fmt=pix_fmt
    )
    with open_video(path) as video:
        assert video.shape == (24, 48, 64, 3)
        assert video.dtype == np.uint8
        assert video.fps == 8
        assert len(video) == 24
        means = video[:].mean(axis=(1, 2, 3))
    assert np.allclose(means, TENS, atol=20 if codec == "gif" else 4)  # GIF: 256 colours


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.ts", "clip.webm", "clip.gif"])
def test_any_slice_is_that_of_the_whole(tmp_path, name):
    codec = {".webm": "libvpx-vp9", ".gif": "gif"}.get(f".{name.split('.')[1]}", "libx264")
    path = write_clip(tmp_path / name, grey_frames(TENS), codec=codec, options={"g": "6"})
    whole = read_video(path).frames
    for part in (
        slice(20, 24),
        slice(3, 9),
        slice(7, 12),
        slice(0, 2),
        slice(-1, None),
        slice(None, None, 5),
        slice(None, None, -7),
        slice(4, 4),
        slice(22, 99),
    ):
        with open_video(path) as video:
            assert len(video[18:21]) == 3
            video._recent.clear()  # as if it were long ago
            assert np.array_equal(video[part], whole[part])


def test_few_frames_are_in_memory(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.mp4", grey_frames(list(TENS) * 10))
    monkeypatch.setattr(reading_module, "_KEPT_BYTES", 3 * 48 * 64 * 5)
    with open_video(path) as video:
        assert sum(1 for _ in video) == 240
        assert len(video._recent) == 5


def test_odd_sides_stay_odd(tmp_path):
    frames = grey_frames([100] * 4, size=(37, 51))
    path = write_clip(tmp_path / "clip.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    with open_video(path) as video:
        assert video[:].shape == (4, 37, 51, 3)


def test_a_phone_s_uneven_pace_becomes_even_frame_by_frame(tmp_path):
    seconds = [0.02 + k / 30 + 0.01 * ((7 * k) % 3 - 1) for k in range(24)]
    for name in ("clip.mp4", "clip.mkv"):
        path = write_clip(tmp_path / name, grey_frames(TENS), fps=30, seconds=seconds)
        assert all_levels(path) == list(TENS)
        with open_video(path) as video:
            assert video.fps == pytest.approx(30, rel=0.01)


def test_what_stands_still_longer_is_repeated(tmp_path):
    seconds = [k / 10 for k in range(8)] + [1.4, 1.5]
    path = write_clip(tmp_path / "clip.mp4", grey_frames(TENS[:10]), fps=10, seconds=seconds)
    with open_video(path) as video:
        assert video.fps == 10
        assert levels_of(video[:]) == [10, 20, 30, 40, 50, 60, 70, 80] + [80] * 6 + [90, 100]


def test_the_pace_is_never_faster_than_players_are():
    seconds = np.arange(480) / 480
    assert timing.choose_pace(seconds, 1 / 480, [480])[1:] == (240, 240)


def test_one_frame_then_nothing_does_not_make_a_million_of_them():
    seconds = np.array([0, 0.01, 0.02, 0.03, 9000])
    pace = timing.choose_pace(seconds, 0, [])
    assert 5 <= pace.num_frames <= 40


def test_the_last_picture_of_a_gif_is_held(tmp_path):
    from PIL import Image

    images = [Image.fromarray(frame) for frame in grey_frames([50, 100, 150])]
    path = tmp_path / "clip.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=[100, 100, 500])
    with open_video(path) as video:
        assert video.fps == 10
        assert levels_of(video[:]) == [50, 100, 150, 150, 150, 150, 150]


@pytest.mark.parametrize(
    "turn",
    [
        ("-display_rotation", 90),
        ("-display_rotation", 180),
        ("-display_rotation", 270),
        ("-display_hflip",),
        ("-display_vflip",),
        ("-display_rotation", 90, "-display_hflip"),
    ],
)
def test_videos_are_upright_as_in_players(tmp_path, turn):
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32] = 250
    frame[:24, 32:] = 120
    plain, turned, shown = (tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4"))
    write_clip(plain, [frame] * 4)
    run_ffmpeg(*turn, "-i", plain, "-c", "copy", turned)
    run_ffmpeg("-i", turned, shown)  # turns the frames themselves
    expected, found = read_video(shown).frames, read_video(turned).frames
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 3


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    write_clip(tmp_path / "plain.mp4", grey_frames([100] * 4))
    run_ffmpeg("-i", tmp_path / "plain.mp4", "-vf", "setsar=3/2", tmp_path / "wide.mp4")
    with open_video(tmp_path / "wide.mp4") as video:
        assert video[:1].shape == (1, 48, 96, 3)


def test_transparency_is_white(tmp_path):
    path = tmp_path / "clip.mov"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("qtrle", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        for alpha in (0, 128, 255):
            image = np.full((48, 64, 4), 100, np.uint8)
            image[:, :, 3] = alpha
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgba")))
        file.mux(stream.encode())
    means = read_video(path).frames.mean(axis=(1, 2, 3))
    assert np.allclose(means, [255, 177, 100], atol=2)


def test_a_change_of_size_keeps_the_first(tmp_path):
    for size in ((48, 64), (96, 96)):
        write_clip(tmp_path / f"{size[0]}.ts", grey_frames([100] * 4, size=size))
    both = (tmp_path / "48.ts").read_bytes() + (tmp_path / "96.ts").read_bytes()
    (tmp_path / "both.ts").write_bytes(both)
    with open_video(tmp_path / "both.ts") as video:
        assert video[:].shape[1:] == (48, 64, 3)


def test_a_video_that_breaks_off_ends_there(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (24, 48, 64, 3), np.uint8)
    for name in ("clip.ts", "clip.mkv", "clip.avi"):
        whole = write_clip(tmp_path / name, list(noise), options={"g": "4"}).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with open_video(tmp_path / name) as video:
            assert 6 <= len(video) <= 16
            assert len(video[:]) == len(video)


def test_damaged_bytes_give_frames_or_one_sentence(tmp_path):
    data = write_clip(tmp_path / "clip.mp4", grey_frames(TENS)).read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 30):
            damaged[place] = generator.integers(0, 256)
        (tmp_path / "damaged.mp4").write_bytes(damaged)
        with contextlib.suppress(InputError), open_video(tmp_path / "damaged.mp4") as video:
            video[: min(len(video), 100)]


def test_files_that_are_no_video_are_one_sentence(tmp_path):
    (tmp_path / "text.mp4").write_text("I am no video.\n" * 50)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", tmp_path / "sound.m4a")
    whole = write_clip(tmp_path / "whole.mp4", grey_frames(TENS)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index was at the end
    assert_refused(tmp_path / "text.mp4", "text.mp4 cannot be read as a video: Invalid data")
    assert_refused(tmp_path / "empty.mp4", "empty.mp4 cannot be read as a video: it is empty.")
    assert_refused(tmp_path / "folder.mp4", "folder.mp4 cannot be read as a video: Is a directory.")
    assert_refused(tmp_path / "absent.mp4", "cannot be read as a video: No such file or directory.")
    assert_refused(tmp_path / "sound.m4a", "sound.m4a has no video in it.")
    assert_refused(tmp_path / "cut.mp4", "cut.mp4 cannot be read as a video: Invalid data")


def test_a_song_s_cover_is_no_video(tmp_path):
    run_ffmpeg(
        *("-f", "lavfi", "-i", "sine=duration=1", "-f", "lavfi", "-i", "color=red:d=0.04"),
        *("-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "png", "-frames:v", 1),
        *("-disposition:v:0", "attached_pic", tmp_path / "song.m4a"),
    )
    assert_refused(tmp_path / "song.m4a", "song.m4a has no video in it.")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
    ],
)
def test_a_playlist_leads_to_no_other_file(tmp_path, text):
    write_clip(tmp_path / "secret.mp4", grey_frames(TENS))
    (tmp_path / "harmless.mp4").write_text(text)
    assert_refused(tmp_path / "harmless.mp4", "harmless.mp4 cannot be read as a video")


def test_size_and_length_have_limits(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.mp4", grey_frames(TENS))
    monkeypatch.setattr(timing, "MAX_HOURS", 2 / 3600)
    assert_refused(path, "clip.mp4 is 0.0 hours long. Use at most")
    monkeypatch.undo()
    monkeypatch.setattr(reading_module, "MAX_SIDE", 63)
    assert_refused(path, "clip.mp4 is 64x48. Use at most 63 pixels a side.")


@pytest.fixture(autouse=True)
def quiet_libraries():
    logging.getLogger("libav").setLevel(logging.CRITICAL)
