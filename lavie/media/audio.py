"""A finished video with the sound of another file."""

import heapq
import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from lavie.media.formats import VideoFormat
from lavie.media.opening import open_container, say

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

logger = logging.getLogger(__name__)

_COPIED = frozenset(("aac", "mp3", "opus", "ac3", "eac3", "alac", "flac"))
"""Codecs that players expect in an MP4; sound of all others becomes AAC."""

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_LAYOUTS = ("mono", "stereo", "5.1")
_AAC_FRAME = 1024
_MAX_GAP = 0.1  # seconds of silence that are taken for rounded time stamps

_TimedPacket = tuple[float, "Packet"]
_Carrier = Callable[["Packet | None"], "list[Packet]"]
"""Packets of a sound to packets of the new file; None: there are no more."""


def finish_video(
    silent: Path,
    target: Path,
    format: VideoFormat,  # noqa: A002 - what it is called everywhere
    length: float,
    comment: str | None,
    audio_from: Path | None,
) -> None:
    """Give a video its sound, its comment, and an order that plays before it has all arrived.

    The picture is not encoded again. Sound that cannot be kept is left out with a warning.

    Args:
        silent: A file of a picture only.
        target: The file to write.
        format: Of both.
        length: Seconds of the picture; sound ends there too.
        comment: For the comment tag; None: none.
        audio_from: A video whose sound is kept, from where its own picture begins; None: silence.
    """
    if audio_from is None:
        _join(silent, target, format, length, comment)
        return
    try:
        with open_container(audio_from) as (source, stream):
            base = stream.time_base or 0
            _join(
                silent,
                target,
                format,
                length,
                comment,
                source,
                float((stream.start_time or 0) * base),
            )
    except Exception as error:  # damaged sound fails in any way; the picture is good
        logger.warning("The sound of %s is left out: %s.", audio_from.name, say(error))
        _join(silent, target, format, length, comment)


def _join(
    silent: Path,
    target: Path,
    format: VideoFormat,  # noqa: A002
    length: float,
    comment: str | None,
    sound: "InputContainer | None" = None,
    origin: float = 0.0,
) -> None:
    import av

    options = dict(format.container_options)
    with (
        av.open(str(silent)) as picture,
        av.open(str(target), "w", format=format.container, options=options) as file,
    ):
        if comment is not None:
            file.metadata["comment"] = comment
        packets = _picture_packets(picture, file)
        sounds = [] if sound is None else _known_sounds(sound)
        if sound is not None and sounds:
            carriers = {audio.index: _carrier(audio, file) for audio in sounds}
            heard = _sound_packets(sound, sounds, carriers, origin, length)
            packets = heapq.merge(packets, heard, key=itemgetter(0))
        for _, packet in packets:
            file.mux_one(packet)


def _picture_packets(picture: "InputContainer", file: "OutputContainer") -> Iterator[_TimedPacket]:
    source = picture.streams.video[0]
    stream = file.add_stream_from_template(source)
    if source.average_rate:  # MKV and WebM round every time stamp, but hold the rate as it is
        stream.codec_context.framerate = source.average_rate

    def packets() -> Iterator[_TimedPacket]:
        for packet in picture.demux(source):
            if packet.dts is not None:
                packet.stream = stream
                yield float(packet.dts * packet.time_base), packet

    return packets()  # the stream is there before the first packet is asked for


def _known_sounds(sound: "InputContainer") -> "list[AudioStream]":
    known = [audio for audio in sound.streams.audio if audio.codec_context is not None]
    if len(known) < len(sound.streams.audio):
        logger.warning("A sound of an unknown codec is left out.")
    return known


def _sound_packets(
    sound: "InputContainer",
    sounds: "list[AudioStream]",
    carriers: dict[int, _Carrier],
    origin: float,
    length: float,
) -> Iterator[_TimedPacket]:
    """What is heard while the picture is seen, in order."""
    for packet in sound.demux(sounds):
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or not packet.size:
            continue
        shift = round(origin / float(packet.time_base))
        time = (stamp - shift) * float(packet.time_base)
        if time > length + 1:
            break
        if -0.1 < time < length:  # sound before its first second is what decoders start with
            packet.pts = stamp - shift
            packet.dts = packet.pts
            yield from _timed(carriers[packet.stream.index](packet), length)
    for carry in carriers.values():
        yield from _timed(carry(None), length)


def _timed(packets: "list[Packet]", length: float) -> Iterator[_TimedPacket]:
    for packet in packets:
        time = float((packet.pts or 0) * packet.time_base)
        if time < length:
            yield time, packet


def _carrier(audio: "AudioStream", file: "OutputContainer") -> _Carrier:
    """Add the stream that a sound goes to."""
    if audio.codec_context.codec.canonical_name in _COPIED:
        stream = file.add_stream_from_template(audio)
        carry = partial(_copy, stream)
    else:
        layout = audio.layout.name if audio.layout.name in _AAC_LAYOUTS else "stereo"
        rate = audio.rate if audio.rate in _AAC_RATES else _AAC_RATES[-1]
        stream = file.add_stream("aac", rate=rate, layout=layout)
        carry = _Encoder(audio, stream)
    if "language" in audio.metadata:
        stream.metadata["language"] = audio.metadata["language"]
    return carry


def _copy(stream: "AudioStream", packet: "Packet | None") -> "list[Packet]":
    if packet is None:
        return []
    packet.stream = stream
    return [packet]


class _Encoder:
    """A `_Carrier` to AAC, which counts samples: the time stamps of sound are often rounded."""

    def __init__(self, audio: "AudioStream", stream: "AudioStream") -> None:
        import av

        self.audio = audio
        self.stream = stream
        self.resampler = av.AudioResampler(
            "fltp", stream.layout.name, stream.rate, frame_size=_AAC_FRAME
        )
        self.is_broken = False
        self.heard_until: float | None = None
        self.num_samples = 0  # where the next ones belong in the new sound

    def __call__(self, packet: "Packet | None") -> "list[Packet]":
        import av

        try:
            heard = self.audio.decode(packet)
        except av.FFmpegError as error:
            if not self.is_broken:
                logger.warning("Parts of the sound are left out: %s.", say(error))
            heard, self.is_broken = [], True
        pieces = [piece for frame in heard for piece in self._resample(frame)]
        if packet is None:
            pieces += self.resampler.resample(None)
        packets = [made for piece in pieces for made in self._encode(piece)]
        return packets if packet is not None else packets + self.stream.encode(None)

    def _resample(self, frame: "AudioFrame") -> "list[AudioFrame]":
        before = self.heard_until or 0.0
        begin = before if frame.time is None else frame.time
        if self.heard_until is None or begin - before > _MAX_GAP:
            self.num_samples += round((begin - before) * self.stream.rate)
            before = begin
        self.heard_until = before + frame.samples / frame.rate
        frame.pts = None
        return self.resampler.resample(frame)

    def _encode(self, piece: "AudioFrame") -> "list[Packet]":
        piece.pts, piece.time_base = self.num_samples, Fraction(1, self.stream.rate)
        self.num_samples += piece.samples
        return self.stream.encode(piece)
