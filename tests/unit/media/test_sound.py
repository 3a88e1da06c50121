import logging

import av
import numpy as np
import pytest

from lavie.media import read_video, write_video
from tests.unit.data.media_files import grey_frames, write_clip
from tests.unit.media.test_reading import run_ffmpeg

SINE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=3:sample_rate=48000")
FRAMES = grey_frames(range(0, 240, 30))  # one second at 8 frames per second


@pytest.fixture
def with_sound(tmp_path):
    """A film of three seconds with a tone in a codec."""

    def make(name, codec, *more, picture="copy"):
        write_clip(tmp_path / "silent.mp4", grey_frames(range(0, 240, 10)))
        files = ("-i", tmp_path / "silent.mp4", *SINE)
        run_ffmpeg(*files, "-c:v", picture, "-c:a", codec, *more, tmp_path / name)
        return tmp_path / name

    return make


def sounds_of(path):
    """Codec, seconds and loudness of each sound."""
    found = []
    with av.open(str(path)) as file:
        for stream in file.streams.audio:
            file.seek(0)
            frames = list(file.decode(stream))
            waves = np.concatenate([frame.to_ndarray().ravel().astype(float) for frame in frames])
            waves /= 1 if frames[0].format.name.startswith("flt") else 2**15
            seconds = sum(frame.samples for frame in frames) / stream.rate
            name = stream.codec_context.codec.canonical_name
            found.append((name, seconds, float(np.abs(waves).mean())))
    return found


@pytest.mark.parametrize(
    ("name", "codec", "kept_as", "picture"),
    [
        ("a.mp4", "aac", "aac", "copy"),
        ("a.ts", "aac", "aac", "copy"),
        ("a.mkv", "libopus", "opus", "copy"),
        ("a.avi", "libmp3lame", "mp3", "copy"),
        ("a.mov", "pcm_s16le", "aac", "copy"),
        ("a.webm", "libvorbis", "aac", "libvpx"),
    ],
)
def test_sound_is_kept_as_long_as_the_picture(with_sound, tmp_path, name, codec, kept_as, picture):
    film = with_sound(name, codec, picture=picture)
    write_video(tmp_path / "out.mp4", FRAMES, 8, {"prompt": "a"}, audio_from=film)
    ((found, seconds, loudness),) = sounds_of(tmp_path / "out.mp4")
    assert found == kept_as
    assert seconds == pytest.approx(1, abs=0.05)
    assert loudness == pytest.approx(0.08, abs=0.01)
    video = read_video(tmp_path / "out.mp4")
    assert len(video.frames) == 8
    assert video.fps == 8
    assert video.metadata == {"prompt": "a"}


def test_every_sound_is_kept_with_its_language(with_sound, tmp_path):
    languages = ("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra")
    maps = ("-map", "0", "-map", "1", "-map", "1")
    film = with_sound("a.mkv", "aac", *maps, "-c:a:1", "pcm_s16le", *languages)
    write_video(tmp_path / "out.mp4", FRAMES, 8, audio_from=film)
    with av.open(str(tmp_path / "out.mp4")) as file:
        found = [stream.metadata["language"] for stream in file.streams.audio]
    assert found == ["deu", "fra"]


def test_sound_that_begins_later_still_does(with_sound, tmp_path):
    film = with_sound("a.mkv", "pcm_s16le", "-af", "adelay=500")
    write_video(tmp_path / "out.mp4", FRAMES, 8, audio_from=film)
    with av.open(str(tmp_path / "out.mp4")) as file:
        frames = list(file.decode(audio=0))
    wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    rate = frames[0].rate
    assert np.abs(wave[: int(0.45 * rate)]).max() < 0.01
    assert np.abs(wave[int(0.55 * rate) :]).mean() > 0.05


def test_a_film_without_sound_gives_one_without(tmp_path):
    silent = write_clip(tmp_path / "silent.mp4", FRAMES)
    write_video(tmp_path / "out.mp4", FRAMES, 8, audio_from=silent)
    assert sounds_of(tmp_path / "out.mp4") == []


def test_broken_sound_never_costs_the_picture(with_sound, tmp_path, caplog):
    film = with_sound("a.mkv", "ac3")
    data = bytearray(film.read_bytes())
    generator = np.random.default_rng(0)
    for place in generator.integers(len(data) // 3, len(data), len(data) // 20):
        data[place] = generator.integers(0, 256)
    film.write_bytes(data)
    (tmp_path / "text.mp4").write_text("no film")
    for source in (film, tmp_path / "text.mp4", tmp_path / "absent.mp4"):
        with caplog.at_level(logging.WARNING, "lavie"):
            write_video(tmp_path / "out.mp4", FRAMES, 8, audio_from=source)
        assert len(read_video(tmp_path / "out.mp4").frames) == 8
    assert "The sound of text.mp4 is left out: text.mp4 cannot be read" in caplog.text
    assert "The sound of absent.mp4 is left out" in caplog.text
    names = {path.name for path in tmp_path.iterdir()}
    assert not any(name.startswith(".") for name in names)


def test_sound_that_cannot_be_decoded_is_left_out_with_a_word(with_sound, tmp_path, caplog):
    film = with_sound("a.avi", "pcm_s16le")
    film.write_bytes(
        film.read_bytes().replace(b"\x01\x00\x01\x00\x80\xbb", b"\x99\x09\x01\x00\x80\xbb")
    )
    with caplog.at_level(logging.WARNING, "lavie"):
        write_video(tmp_path / "out.mp4", FRAMES, 8, audio_from=film)
    assert len(read_video(tmp_path / "out.mp4").frames) == 8
    assert sounds_of(tmp_path / "out.mp4") == []
    assert "is left out" in caplog.text
