"""The peaks of a sound: how far it goes down and up in each of a few thousand stretches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.values import Audio, Float32

BINS = 4096
"""Stretches that a sound is divided into at most: more than a window is wide."""
_PART = 1 << 20
"""Samples over all channels that are held at once."""
_EVERY = 0.2
"""Seconds between two tellings of what is there so far."""


@dataclass(frozen=True, eq=False, slots=True)
class Peaks:
    """``low`` and ``high`` ``[lanes, stretches]`` of a sound of ``seconds``. Of one or two channels
    each has its lane, more are laid into one. The first ``done`` stretches are known."""

    low: Float32
    high: Float32
    seconds: float
    done: int

    @property
    def lanes(self) -> int:
        """How many curves there are, one below the other."""
        return int(self.low.shape[0])


def peaks_of(
    audio: Audio,
    check: Callable[[], None] = lambda: None,
    told: Callable[[Peaks], None] = lambda _: None,
    bins: int = BINS,
) -> Peaks:
    """The peaks of a whole sound, in bounded memory however long it is.

    Args:
        check: Called again and again, also from another thread; may raise.
        told: Is given what is known so far, a few times a second.
        bins: Stretches at most; a sound of fewer samples has one for each.

    Raises:
        FramesGone: the sound cannot be read.
    """
    bins = min(bins, audio.length)
    starts = np.arange(bins) * audio.length // bins
    lanes = audio.channels if audio.channels <= 2 else 1
    low = np.full((lanes, bins), np.nan, np.float32)
    high = low.copy()
    begin, last = 0, time.monotonic()
    for piece in audio.chunks(max(1, _PART // max(1, audio.channels)), check):
        check()
        end = begin + piece.shape[1]
        first, past = np.searchsorted(starts, (begin, end - 1), side="right")
        span = slice(int(first) - 1, int(past))
        at = np.maximum(starts[span] - begin, 0)
        down, up = (np.fmin, np.fmax)
        lowest, highest = down.reduceat(piece, at, axis=1), up.reduceat(piece, at, axis=1)
        if lanes < audio.channels:
            lowest = down.reduce(lowest, axis=0, keepdims=True)
            highest = up.reduce(highest, axis=0, keepdims=True)
        low[:, span] = down(low[:, span], lowest)
        high[:, span] = up(high[:, span], highest)
        begin = end
        if time.monotonic() - last > _EVERY:
            last = time.monotonic()
            told(Peaks(low.copy(), high.copy(), audio.seconds, int(past) - 1))
    return Peaks(np.nan_to_num(low), np.nan_to_num(high), audio.seconds, bins)
