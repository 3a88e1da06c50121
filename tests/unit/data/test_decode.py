import contextlib
import io
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from lavie.data import decode
from lavie.data.decode import decode_clip, read_picture
from lavie.data.report import UnusableClip
from tests.unit.data.media_files import grey_frames, levels_of, write_clip, write_picture

TENS = range(10, 250, 10)  # 24 frames, three seconds at 8 frames per second


def decoded_levels(file, num_frames=4, fps=8.0, position=0.0):
    return levels_of(decode_clip(file, num_frames, fps, position))


def run_ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def assert_unusable(reason, file, **arguments):
    with pytest.raises(UnusableClip) as caught:
        decoded_levels(file, **arguments)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clip.mp4", "libx264"),
        ("clip.mkv", "libx265"),
        ("clip.webm", "libvpx-vp9"),
        ("clip.avi", "mpeg4"),
        ("clip.mov", "mjpeg"),
        ("clip.gif", "gif"),
        ("clip.ts", "libx264"),
    ],
)
def test_every_frame_is_found_at_the_rate_of_the_file(tmp_path, name, codec):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"crf": "10"}
    file = write_clip(tmp_path / name, grey_frames(TENS), codec=codec, options=options)
    tolerance = 20 if codec == "gif" else 4  # a palette of 256 colours
    for position, first in [(0.0, 0), (0.5, 8), (1.0, 16)]:
        frames = list(decode_clip(file, 8, 8.0, position))
        means = [float(np.mean(frame)) for frame in frames]
        assert np.allclose(means, list(TENS)[first : first + 8], atol=tolerance)
        assert frames[0].shape == (48, 64, 3)


def test_a_lower_rate_skips_frames_and_a_higher_one_repeats_them(tmp_path):
    file = write_clip(tmp_path / "clip.mp4", grey_frames(TENS))
    assert decoded_levels(file, fps=4.0) == [10, 30, 50, 70]
    assert decoded_levels(file, fps=16.0) == [10, 10, 20, 20]


def test_rounded_time_stamps_neither_repeat_nor_lose_a_frame(tmp_path):
    # Matroska rounds to milliseconds; 30 frames per second then come 33 or 34 ms apart.
    file = write_clip(tmp_path / "clip.mkv", grey_frames(TENS), fps=30)
    for position in np.linspace(0, 1, 13):
        levels = decoded_levels(file, num_frames=12, fps=30.0, position=float(position))
        assert np.all(np.diff(levels) == 10)


def test_a_variable_frame_rate_plays_at_its_true_speed(tmp_path):
    seconds = [0.0, 0.1, 0.2, 1.0, 1.1, 2.0]
    file = write_clip(
        tmp_path / "clip.mp4", grey_frames([20, 40, 60, 80, 100, 120]), fps=10, seconds=seconds
    )
    assert decoded_levels(file, num_frames=5, fps=2.0) == [20, 60, 80, 100, 120]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied_as_players_do(tmp_path, degrees):
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32] = 250
    plain, turned, shown = (tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4"))
    write_clip(plain, [frame] * 4)
    run_ffmpeg("-display_rotation", degrees, "-i", plain, "-c", "copy", turned)
    run_ffmpeg("-i", turned, shown)  # turns the frames themselves
    expected = next(decode_clip(shown, 1, 8.0, 0.0))
    result = next(decode_clip(turned, 1, 8.0, 0.0))
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected).mean() < 3


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    plain, wide = tmp_path / "plain.mp4", tmp_path / "wide.mp4"
    write_clip(plain, grey_frames([100] * 4))
    run_ffmpeg("-i", plain, "-vf", "setsar=3/2", wide)
    frame = next(decode_clip(wide, 1, 8.0, 0.0))
    assert frame.shape == (48, 96, 3)
    assert levels_of([frame]) == [100]


def test_sound_is_ignored(tmp_path):
    write_clip(tmp_path / "silent.mp4", grey_frames(TENS))
    file = tmp_path / "loud.mp4"
    sound = ("-f", "lavfi", "-i", "sine=duration=9")
    run_ffmpeg("-i", tmp_path / "silent.mp4", *sound, "-c:v", "copy", "-c:a", "aac", file)
    assert decoded_levels(file, position=1.0) == [210, 220, 230, 240]


def test_bytes_decode_like_the_file(tmp_path):
    file = write_clip(tmp_path / "clip.mp4", grey_frames(TENS))
    stream = io.BytesIO(file.read_bytes())
    assert decoded_levels(stream, position=0.5) == decoded_levels(file, position=0.5)


def test_a_clip_of_exactly_the_needed_frames_is_enough(tmp_path):
    file = write_clip(tmp_path / "clip.mp4", grey_frames([10, 20, 30, 40]))
    for position in (0.0, 0.7, 1.0):
        assert decoded_levels(file, position=position) == [10, 20, 30, 40]


def test_short_clips_are_named_too_short(tmp_path):
    file = write_clip(tmp_path / "clip.mp4", grey_frames([10, 20, 30]))
    assert_unusable("too short", file, num_frames=5)


def test_files_that_are_no_video_are_unreadable(tmp_path):
    text, empty, sound = (tmp_path / name for name in ("text.mp4", "empty.mp4", "sound.mp4"))
    text.write_text("I am no video.\n" * 50)
    empty.touch()
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", sound)
    for file in (text, empty, sound, tmp_path / "absent.mp4", tmp_path):
        assert_unusable("unreadable", file)
    assert_unusable("unreadable", io.BytesIO(b""))


def test_truncated_files_are_skipped_with_a_reason(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (16, 48, 64, 3), np.uint8)
    whole = write_clip(tmp_path / "whole.mp4", list(noise)).read_bytes()
    cut = tmp_path / "cut.mp4"  # its index was at the end
    cut.write_bytes(whole[: len(whole) // 2])
    assert_unusable("unreadable", cut)
    front = write_clip(tmp_path / "front.ts", list(noise), options={"g": "1"}).read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(front[: len(front) // 4])
    with pytest.raises(UnusableClip):
        decoded_levels(cut, num_frames=16)


def test_damaged_bytes_never_raise_anything_else(tmp_path):
    data = bytearray(write_clip(tmp_path / "clip.mp4", grey_frames(TENS)).read_bytes())
    generator = np.random.default_rng(0)
    for _ in range(40):
        damaged = data.copy()
        for place in generator.integers(0, len(data), 30):
            damaged[place] = generator.integers(0, 256)
        with contextlib.suppress(UnusableClip):
            decoded_levels(io.BytesIO(bytes(damaged)))


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
    ],
)
def test_playlists_can_not_make_us_open_other_files(tmp_path, text):
    write_clip(tmp_path / "secret.mp4", grey_frames(TENS))
    file = tmp_path / "harmless.mp4"
    file.write_text(text)
    assert_unusable("unreadable", file)


def test_sizes_and_key_frame_distances_have_limits(tmp_path, monkeypatch):
    file = write_clip(tmp_path / "clip.mp4", grey_frames(TENS))
    monkeypatch.setattr(decode, "MAX_DECODED_FRAMES", 10)
    assert_unusable("too large", file, position=1.0)
    monkeypatch.setattr(decode, "MAX_PIXELS", 48 * 64 - 1)
    assert_unusable("too large", file)


def test_pictures_are_upright_rgb_on_white(tmp_path):
    image = Image.new("RGBA", (6, 4), (200, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.shape == (4, 6, 3)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[1, 1].tolist() == [200, 0, 0]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (6, 4)).save(tmp_path / "b.jpg", exif=exif)
    assert read_picture(tmp_path / "b.jpg").shape == (6, 4, 3)


@pytest.mark.parametrize("most", [2**16 - 1, 2**12 - 1])
def test_grey_pictures_of_more_bits_are_as_bright_as_they_were_meant(tmp_path, most):
    values = np.linspace(0, most, 24, dtype=np.uint16).reshape(4, 6)
    Image.fromarray(values).save(tmp_path / "a.png")
    expected = np.linspace(0, 255, 24).reshape(4, 6, 1)
    assert np.abs(read_picture(tmp_path / "a.png") - expected).max() <= 1


def test_a_picture_that_confuses_the_library_is_unusable(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "hello"
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    as_a_number = (tmp_path / "a.jpg").read_bytes().replace(b"\x01\x0e", b"\x01\x1f")
    (tmp_path / "a.jpg").write_bytes(as_a_number)
    with pytest.raises(UnusableClip, match="unreadable"):
        read_picture(tmp_path / "a.jpg")


def test_broken_pictures_are_unusable(tmp_path, monkeypatch):
    good = write_picture(tmp_path / "good.png", size=(64, 64))
    cut = tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[:60])
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    for file in (cut, text):
        with pytest.raises(UnusableClip, match="unreadable"):
            read_picture(file)
    monkeypatch.setattr(decode, "MAX_PIXELS", 64)
    with pytest.raises(UnusableClip, match="too large"):
        read_picture(good)
