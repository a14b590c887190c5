"""What a media file holds: found by its packets' times and its first picture, not by its header's
word alone."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from backend.media.caps import MediaCaps
from backend.media.errors import Damaged, Unsupported
from backend.media.film.kinds import MOVING, kind_of, open_container
from backend.media.film.moving import Moving
from backend.media.film.pictures import (
    HDR,
    STRANGE,
    Pictures,
    best_stream,
    deep,
    has_alpha,
    quarter_turns,
    time_of,
)

_USUAL = (
    *(Fraction(whole) for whole in (10, 12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 144, 240)),
    *(Fraction(near * 1000, 1001) for near in (24, 30, 48, 60, 120)),
)
MOST_CHANNELS = 8
FASTEST = 240
"""Frames per second at which a file of variable rate is read at most."""


@dataclass(frozen=True)
class Rhythm:
    """``frames`` frames at ``rate`` from ``begin`` on; ``steady`` if they stand that far apart."""

    frames: int
    rate: float
    begin: float
    steady: bool


def rhythm(
    times: np.ndarray[Any, np.dtype[np.float64]], last: float, told: float, grain: float
) -> Rhythm:
    """The constant rate of frames that are shown at sorted ``times`` (seconds).

    ``last`` is how long the last one stands, ``told`` the rate that the file names, 0 for none,
    ``grain`` what its times are rounded to. Where they stand unevenly, the rate is that of the
    usual distance.
    """
    count, begin = len(times), float(times[0])
    if count == 1:
        rate = told or (1 / last if last > 0 else 25.0)
        return Rhythm(1, min(max(rate, 0.01), 1000.0), begin, True)
    span = float(times[-1]) - begin
    if span <= 0:
        raise Damaged("all its frames stand at one time")
    rate, places = (count - 1) / span, np.arange(count)
    for meant in (told, *(float(usual) for usual in _USUAL)):
        near = 0.01 < meant < 1000 and abs(rate - meant) < 0.05 * meant
        if near and np.abs(times - begin - places / meant).max() <= 1.01 * grain + 1e-6:
            return Rhythm(count, meant, begin, True)
    rate = min(snapped(rate, told), 1000.0)
    if np.abs(times - begin - places / rate).max() <= 0.5 / rate:
        return Rhythm(count, rate, begin, True)
    gaps = np.diff(times)
    gaps = gaps[gaps > 1e-6]
    rate = min(snapped(1 / float(np.median(gaps)), told), FASTEST)
    frames = max(1, round((span + max(last, 0)) * rate))
    return Rhythm(frames, rate, begin, False)


def snapped(rate: float, told: float) -> float:
    """The rate that was meant: what the file names or a usual one, if it is that near."""
    for meant in (told, *(float(usual) for usual in _USUAL)):
        if meant and abs(rate - meant) < 2e-3 * meant and 0.01 < meant < 1000:
            return meant
    return rate


def probe(file: BinaryIO, repair: bool) -> dict[str, Any]:
    """The fields of a ``PictureTrack`` and a ``SoundTrack`` with the rate of the sound, and notes.

    ``picture`` or ``sound`` is ``None`` where there is none.

    Raises:
        Damaged, Unsupported: the file cannot be read.
    """
    file.seek(0)
    kind = kind_of(file.read(16))
    if kind in MOVING:
        return _moving(file)
    container = open_container(file, kind)
    video, sound = best_stream(container), container.streams.best("audio")
    if video is None and sound is None:
        raise Unsupported("it holds neither pictures nor sound")
    seen = _packets(container, [s for s in (video, sound) if s is not None])
    told: dict[str, Any] = {"picture": None, "sound": None, "notes": []}
    if video is not None:
        end = max((each.end for each in seen.values() if each.starts), default=0.0)
        told["picture"], told["notes"] = _picture(file, kind, video, seen[video.index], end, repair)
    if sound is not None and len(seen[sound.index].starts):
        begin = (
            told["picture"]["begin"]
            if told["picture"]
            else (
                max(0.0, seen[sound.index].first)  # an encoder's delay lies before 0
            )
        )
        told["sound"] = _sound(sound, seen[sound.index], begin, repair)
    container.close()
    return told


class _Seen:
    """The times of the packets of a stream."""

    def __init__(self) -> None:
        self.starts: array[float] = array("d")
        self.lengths: array[float] = array("d")

    @property
    def first(self) -> float:
        return min(self.starts)

    @property
    def end(self) -> float:
        return max(s + n for s, n in zip(self.starts, self.lengths, strict=True))


def _packets(container: Any, streams: list[Any]) -> dict[int, _Seen]:
    """The whole packets of the streams; the file may end early."""
    import av

    seen = {stream.index: _Seen() for stream in streams}
    most = MediaCaps().frames
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            break  # it ends here
        if packet is None:
            break
        if not packet.size or packet.is_corrupt or packet.is_discard:
            continue
        found = seen[packet.stream_index]
        time = time_of(packet)
        if time is None:
            time = found.starts[-1] + found.lengths[-1] if found.starts else 0.0
        found.starts.append(time)
        found.lengths.append(float((packet.duration or 0) * packet.time_base))
        if packet.stream.type == "video" and len(found.starts) > most:
            raise Unsupported(f"it has more than {most} frames. Cut it into parts")
    return seen


def _picture(
    file: BinaryIO, kind: str, stream: Any, seen: _Seen, end: float, repair: bool
) -> tuple[dict[str, Any], list[str]]:
    if not seen.starts:
        raise Damaged("it holds no whole frame")
    order = np.argsort(np.asarray(seen.starts), kind="stable")
    times = np.asarray(seen.starts)[order]
    told = float(stream.average_rate or stream.guessed_rate or 0)
    last = float(np.asarray(seen.lengths)[order][-1])
    found = rhythm(times, last, told, float(stream.time_base))
    if found.frames > MediaCaps().frames or found.frames / found.rate > MediaCaps().seconds:
        raise Unsupported(
            f"it has {found.frames} frames in {found.frames / found.rate:.6g} seconds, above the "
            f"{MediaCaps().frames} frames or {MediaCaps().seconds} seconds that are read"
        )
    pictures = Pictures(file, kind, stream.index)
    try:
        first, _ = next(pictures.frames(), (None, ""))
    finally:
        pictures.close()
    if first is None:
        raise Damaged("no frame of it can be decoded")
    notes = []
    if stream.frames > len(times):
        notes.append(f"is cut short: {len(times)} of {stream.frames} frames are whole and are read")
    elif (lost := _lost(stream.container, end)) > 0:
        notes.append(f"is cut short: its last {lost:.3g} seconds are missing")
    if not found.steady:
        notes.append(
            f"has no constant rate; it is read at {found.rate:.6g} frames per second, each the one "
            "that stands at that time"
        )
    return {
        "track": stream.index,
        **_look(first, float(stream.sample_aspect_ratio or 1)),
        **vars(found),
        "repair": repair,
    }, notes


def _lost(container: Any, end: float) -> float:
    """Seconds that the file promises beyond its last packet, where that is a good deal."""
    if not container.duration:
        return 0.0
    left = ((container.start_time or 0) + container.duration) / 1e6 - end
    return left if left > 0.5 else 0.0


def _look(first: Any, ratio: float) -> dict[str, Any]:
    """Size, channels, depth and turning by the first frame, whose pixels are ``ratio`` times as
    wide as high.

    Raises:
        Unsupported: it is HDR, too large, or turned oddly.
    """
    if int(first.color_trc) in HDR:
        raise Unsupported(
            f"it is HDR ({HDR[int(first.color_trc)]}), which is not read. Convert it to SDR "
            "(BT.709) first, for example in HandBrake"
        )
    if int(first.colorspace) in STRANGE:
        raise Unsupported(
            f"its colours are {STRANGE[int(first.colorspace)]}, which is not read. Convert it to "
            "BT.709 first"
        )
    width, height = first.width, first.height
    if width * height * max(1, ratio) > MediaCaps().pixels:
        raise Unsupported(f"its frames have {width}x{height} pixels, too many")
    width = max(1, round(width * ratio))
    turn = quarter_turns(first)
    if turn % 2:
        width, height = height, width
    return {
        "width": width,
        "height": height,
        "channels": 4 if has_alpha(first) else 3,
        "depth": "16" if deep(first) else "8",
        "turn": turn,
    }


def _sound(stream: Any, seen: _Seen, begin: float, repair: bool) -> dict[str, Any]:
    context = stream.codec_context
    rate, channels = int(context.sample_rate or 0), int(context.channels)
    caps = MediaCaps()
    if channels > MOST_CHANNELS:
        raise Unsupported(
            f"its sound has {channels} channels, above the {MOST_CHANNELS} that are read"
        )
    if rate < 1 or channels < 1 or channels > caps.channels:
        raise Unsupported(f"its sound has {channels} channels at {rate} samples per second")
    seconds = seen.end - begin
    if seconds > caps.seconds:
        raise Unsupported(f"its sound is {seconds:.6g} seconds long, above {caps.seconds}")
    return {
        "track": stream.index,
        "channels": channels,
        "length": max(1, round(seconds * rate)),
        "begin": begin,
        "repair": repair,
        "rate": rate,
    }


def _moving(file: BinaryIO) -> dict[str, Any]:
    moving = Moving(file)
    times, stands = [], []
    for time, stand, _ in moving.frames():
        times.append(time)
        stands.append(stand)
    found = rhythm(np.asarray(times), stands[-1], 0.0, 0.01)
    if not found.steady:
        # Their times are whole milliseconds: the longest beat that all of them keep.
        beat = int(np.gcd.reduce(np.rint(np.asarray(stands) * 1000).astype(int))) / 1000
        rate = min(1 / max(beat, 1e-3), FASTEST)
        found = Rhythm(max(1, round(sum(stands) * rate)), rate, 0.0, False)
    frames = found.frames
    if frames > MediaCaps().frames:
        raise Unsupported(f"it has {frames} frames, above the {MediaCaps().frames} that are read")
    notes = []
    if len(times) < moving.count:
        notes.append(
            f"is cut short or broken: {len(times)} of {moving.count} pictures are whole and are "
            "read"
        )
    picture = {
        "track": 0, "width": moving.width, "height": moving.height, "channels": 4, "depth": "8",
        "turn": 0, **vars(found), "repair": False,
    }  # fmt: skip
    return {"picture": picture, "sound": None, "notes": notes}
