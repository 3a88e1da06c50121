"""Every kind of file that frames are written to: what comes back, and what never stays behind."""

import io
import json
from fractions import Fraction
from zipfile import ZipFile

import av
import numpy as np
import pytest
from PIL import Image

from lavie.data.world import render_clip
from lavie.errors import InputError, LaVieError
from lavie.media import (
    LOSSLESS,
    MP4,
    WEBM,
    open_video,
    read_metadata,
    read_video,
    thin_out,
    write_png_zip,
    write_video,
    write_webp,
)

RECIPE = {"prompt": 'a "fox" — im Schnee 🦊\n', "seed": 2**63 - 1, "list": [1, None, 0.1]}
FORMATS = pytest.mark.parametrize("video_format", [MP4, WEBM, LOSSLESS], ids=lambda f: f.codec)


def noise(count, height=39, width=63):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(40, 64), (39, 63), (1, 1), (2, 301)])
def test_lossless_frames_come_back_bit_for_bit(tmp_path, height, width):
    frames = noise(5, height, width)
    write_video(tmp_path / "a.mkv", iter(frames), 8, RECIPE, format=LOSSLESS)
    assert np.array_equal(read_video(tmp_path / "a.mkv").frames, frames)
    with open_video(tmp_path / "a.mkv") as video:
        for part in (slice(3, 4), slice(0, 2), slice(None, None, -1)):
            assert np.array_equal(video[part], frames[part])


def test_the_same_frames_make_the_same_file(tmp_path):
    rng = np.random.default_rng(0)
    frames = render_clip(3, scale=3).frames + rng.integers(0, 12, (16, 120, 192, 3), np.uint8)
    files = set()
    for _ in range(6):
        litter = [rng.bytes(int(size)) for size in rng.integers(1_000, 400_000, 20)]
        del litter  # what lies in memory that the encoder will be given
        (tmp_path / "a.mp4").unlink(missing_ok=True)
        write_video(tmp_path / "a.mp4", frames, 8)
        files.add((tmp_path / "a.mp4").read_bytes())
    assert len(files) == 1


@FORMATS
@pytest.mark.parametrize("fps", [0.5, 7, 8, 12.5, 23.976, 30000 / 1001, 32, 96, 240])
def test_every_format_keeps_speed_and_recipe(tmp_path, video_format, fps):
    path = tmp_path / f"a{video_format.suffix}"
    for count in (1, 13):
        write_video(path, noise(count, 16, 24), fps, RECIPE, format=video_format)
        video = read_video(path)
        assert video.fps == float(Fraction(fps).limit_denominator(1001))
        assert (len(video.frames), video.metadata) == (count, RECIPE)
        assert read_metadata(path) == RECIPE


def test_webm_is_what_browsers_play(tmp_path):
    frames = np.zeros((4, 33, 64, 3), np.uint8)
    frames[:, :, :32], frames[:, :, 32:] = (200, 50, 250), (20, 220, 30)
    write_video(tmp_path / "a.webm", frames, 8, format=WEBM)
    with av.open(str(tmp_path / "a.webm")) as file:
        context = file.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.pix_fmt) == ("vp9", "yuv420p")
        assert context.colorspace == context.color_primaries == context.color_trc == 1  # BT.709
    found = read_video(tmp_path / "a.webm").frames.astype(int)
    assert found.shape == (4, 34, 64, 3)
    assert np.abs(found[:, 16, 8] - (200, 50, 250)).max() <= 6
    assert np.abs(found[:, 16, 56] - (20, 220, 30)).max() <= 6


@FORMATS
def test_a_recipe_that_cannot_be_read_back_leaves_no_file(tmp_path, video_format):
    path = tmp_path / f"a{video_format.suffix}"
    with pytest.raises(LaVieError, match=f"The recipe inside {path.name} is not what"):
        write_video(path, noise(2), 8, ["no", "object"], format=video_format)
    assert not list(tmp_path.iterdir())


@FORMATS
def test_a_failure_leaves_nothing(tmp_path, video_format):
    failing = (1 / number for number in (0,))
    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / f"a{video_format.suffix}", failing, 8, format=video_format)
    assert not list(tmp_path.iterdir())


def test_the_name_has_to_fit_the_format(tmp_path):
    with pytest.raises(InputError, match="'a.mp4' does not end in .mkv"):
        write_video(tmp_path / "a.mp4", noise(1), 8, format=LOSSLESS)


def test_sound_goes_into_an_mp4_only(tmp_path):
    with pytest.raises(InputError, match="A .webm gets no sound"):
        write_video(tmp_path / "a.webm", noise(1), 8, audio_from=tmp_path / "b.mp4", format=WEBM)


def test_webp_moves_as_long_as_the_video(tmp_path):
    frames = np.zeros((5, 40, 64, 3), np.uint8)
    frames[:] = np.arange(0, 250, 50, dtype=np.uint8).reshape(5, 1, 1, 1)
    write_webp(tmp_path / "a.webp", iter(frames), fps=30)
    with Image.open(tmp_path / "a.webp") as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (5, (64, 40), 0)
        length = 0
        for index in range(5):
            image.seek(index)
            image.load()
            length += image.info["duration"]
            assert np.abs(np.asarray(image.convert("RGB")).astype(int) - frames[index]).max() <= 3
        assert length == 167


def test_webp_of_one_frame_is_still(tmp_path):
    write_webp(tmp_path / "a.webp", noise(1), fps=8)
    with Image.open(tmp_path / "a.webp") as image:
        assert not image.is_animated
        assert image.size == (63, 39)


def test_png_frames_are_exact_and_in_order(tmp_path):
    frames = noise(11)
    write_png_zip(tmp_path / "a.zip", iter(frames), RECIPE)
    with ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        *names, recipe = archive.namelist()
        assert names == sorted(names)
        for name, frame in zip(names, frames, strict=True):
            with Image.open(io.BytesIO(archive.read(name))) as image:
                assert np.array_equal(np.asarray(image), frame)
        assert json.loads(archive.read(recipe)) == RECIPE


def test_png_frames_are_written_as_they_come(tmp_path):
    sizes = []

    def frames():
        for frame in noise(8):
            yield frame
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))

    write_png_zip(tmp_path / "a.zip", frames())
    assert sizes == sorted(set(sizes))
    assert sizes[0] < sizes[-1] / 4


@pytest.mark.parametrize(("write", "name"), [(write_webp, "a.webp"), (write_png_zip, "a.zip")])
def test_pictures_of_nothing_are_refused_and_leave_nothing(tmp_path, write, name):
    arguments = {"fps": 8} if write is write_webp else {}
    with pytest.raises(InputError, match="at least one frame"):
        write(tmp_path / name, [], **arguments)
    with pytest.raises(InputError, match="does not end in"):
        write(tmp_path / "a.png", noise(1), **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fps", "max_fps", "kept"), [(8, 16, 9), (16, 16, 9), (32, 16, 5), (33, 16, 3), (60, 50, 5)]
)
def test_thinning_out_keeps_the_pace(fps, max_fps, kept):
    frames, new_fps = thin_out(noise(9), fps, max_fps)
    assert len(list(frames)) == kept
    assert new_fps <= max_fps
    assert fps / new_fps == round(fps / new_fps)
