"""Small clips, pictures and tar shards for the tests of the data readers."""

import io
import tarfile
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

SIZE = (48, 64)


def grey_frames(levels, size=SIZE):
    """Uniform frames whose grey level says which frame it is."""
    return [np.full((*size, 3), level, np.uint8) for level in levels]


def write_clip(path, frames, fps=8, codec="libx264", seconds=None, options=None, pix_fmt=None):
    """Encode frames at a constant rate, or each at its own second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.codec_context.thread_count = 1
        stream.height, stream.width = frames[0].shape[:2]
        usual = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.pix_fmt = pix_fmt or usual
        stream.codec_context.time_base = Fraction(1, 1000) if seconds else Fraction(1, fps)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = round(seconds[index] * 1000) if seconds else index
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_captioned(folder, name, level, num_frames=8, caption=None):
    """A grey clip and its caption beside it."""
    path = write_clip(folder / f"{name}.mp4", grey_frames([level] * num_frames))
    path.with_suffix(".txt").write_text(caption or f"a clip called {name}")
    return path


def write_picture(path, level=100, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey_frames([level], size)[0]).save(path)
    return path


def write_shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def levels_of(frames):
    """Mean grey of each frame, rounded to tens."""
    return [round(float(np.mean(frame)) / 10) * 10 for frame in frames]


def captions(source, count, **arguments):
    """The captions of a source's first samples."""
    samples = source.iterate(0, **arguments)
    result = [sample.caption for sample in islice(samples, count)]
    samples.close()
    return result
