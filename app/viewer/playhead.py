"""Where in a video or a sound one is, and where one would be now if it is played."""

from __future__ import annotations

from dataclasses import dataclass, replace

LATE = 0.5
"""Seconds that frames may come late by before the playing goes slower."""


@dataclass(frozen=True, slots=True)
class Playhead:
    """``count`` places, ``rate`` of them a second; the place ``at`` was reached at ``since``.

    Where it loops, places go on counting behind the last; ``frame`` says which one is meant.
    """

    count: int
    rate: float
    at: int
    since: float
    loops: bool

    def due(self, now: float) -> int:
        """The place that stands at a time (seconds of the clock that ``since`` is of)."""
        place = self.at + max(0, int((now - self.since) * self.rate + 1e-6))
        return place if self.loops else min(place, self.count - 1)

    def frame(self, place: int) -> int:
        """Which frame a place is, from 0."""
        return place % self.count

    def is_last(self, place: int) -> bool:
        """Whether it ends there."""
        return not self.loops and place >= self.count - 1

    def held(self, shown: int, now: float) -> Playhead:
        """The same, or where more than ``LATE`` seconds have passed since what is ``shown``, one
        that goes on from that long after it: it then plays slower, and never leaps."""
        most = shown + max(1, int(LATE * self.rate))
        return replace(self, at=most, since=now) if self.due(now) > most else self


def time_words(seconds: float) -> str:
    """A time to the thousandth: ``0:04.250``, ``1:02:03.000``."""
    whole = max(0, round(seconds * 1000))
    minutes, left = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{left // 1000:02}.{left % 1000:03}"
    return f"{hours}:{minutes:02}:{tail}" if hours else f"{minutes}:{tail}"
