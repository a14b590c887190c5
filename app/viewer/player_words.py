"""What a player says: where one is, what is known of the whole, and what came too late."""

from __future__ import annotations

from app.viewer.playhead import time_words
from app.words import counted, tr
from backend.values import Audio, Video


def place_words(has_frames: bool, at: int, count: int, rate: float) -> str:
    """``Frame 12 of 48 · 0:00.458``, or of a sound ``0:01.230 of 0:04.000``."""
    here = time_words(at / rate)
    if not has_frames:
        return tr("{time} of {all}", time=here, all=time_words(count / rate))
    return tr("Frame {at} of {n} · {time}", at=at + 1, n=count, time=here)


def about_words(video: Video | None, sound: Audio | None) -> str:
    """``24 a second``; of a sound ``44.1 kHz · stereo``, and that it is not heard."""
    words = []
    if video is not None:
        words.append(tr("{n} a second", n=f"{video.rate:.5g}"))
    elif sound is not None:
        lanes = {1: tr("mono"), 2: tr("stereo")}
        words.append(tr("{n} kHz", n=f"{sound.rate / 1000:g}"))
        words.append(lanes.get(sound.channels, tr("{n} channels", n=sound.channels)))
    if sound is not None:
        words.append(tr("muted"))
    return " · ".join(words)


def silence_words(sound: Audio | None) -> str:
    """Why nothing is heard; empty where there is no sound."""
    if sound is None:
        return ""
    return tr("The studio shows sounds and does not play them aloud. Save it to hear it.")


def late_words(dropped: int, slower_than: float) -> str:
    """``3 frames dropped · slower than 24 a second``; empty where all came in time."""
    words = []
    if dropped:
        words.append(counted(dropped, "{n} frame dropped", "{n} frames dropped"))
    if slower_than:
        words.append(tr("slower than {n} a second", n=f"{slower_than:.5g}"))
    return " · ".join(words)
