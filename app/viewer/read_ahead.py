"""Frames of a video, read on a thread of their own: the one that is wanted, and a few behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.viewer.picture import Picture, pictures_of
from app.words import tr
from backend.values import FramesGone, Video

BUDGET = 192 * 2**20
"""Bytes of frames that are held; one frame at least."""
MOST = 16
_IDLE = 20.0
"""Seconds without a wish after which the process that decodes ends; a new wish starts another."""


class _Closed(Exception):
    """Nobody wants frames any more."""


class ReadAhead:
    """Reads the frame that is wanted, then those that follow it, as many as there is room for.

    ``came`` is called from its thread with the number of a frame, and whether it was the one that
    was wanted when its reading began. A frame that cannot be read is a sentence in its place.
    """

    def __init__(self, video: Video, came: Callable[[ReadAhead, int, bool], None]) -> None:
        self._video, self._came = video, came
        size = video.width * video.height * video.channels * 4
        self._most = min(max(BUDGET // size, 1), MOST)
        self._ahead = max(1, self._most * 3 // 4)
        self._turn = threading.Condition()
        self._kept: dict[int, Picture | str] = {}
        self._target, self._loops = 0, False
        self._closed = False
        self._thread = threading.Thread(target=self._go, name="weft-frames", daemon=True)
        self._thread.start()

    def want(self, frame: int, loops: bool) -> None:
        """This frame is to be seen next, and those behind it after it; behind the last comes the
        first where it ``loops``."""
        with self._turn:
            if (frame, loops) != (self._target, self._loops):
                self._target, self._loops = frame, loops
                self._turn.notify()

    def frame(self, number: int) -> Picture | str | None:
        """A frame, or why it cannot be read; ``None`` where it has not been read yet."""
        with self._turn:
            return self._kept.get(number)

    def close(self) -> None:
        """Read no more. It does not wait; ``join`` does."""
        with self._turn:
            self._closed = True
            self._kept.clear()
            self._turn.notify()

    def join(self, seconds: float) -> bool:
        """Wait until its thread and its process are gone; false where they are not yet."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # On the thread

    def _go(self) -> None:
        reader = self._video.reader(self._check)
        quick, frames = False, self._video.frames
        try:
            while True:
                todo = self._next()
                if todo is None:
                    reader.close()
                    continue
                number, is_target = todo
                begun = time.monotonic()
                following = min(number + 2, frames) if quick else 0
                found: Picture | str
                try:
                    image = reader.read(number, number + 1, following)
                    found = pictures_of(image)[0]
                except (OSError, ValueError, MemoryError) as error:
                    reader.close()  # what follows is read by a new one
                    found = _why(error)
                quick = time.monotonic() - begun < 1 / self._video.rate
                self._keep(number, found)
                self._came(self, number, is_target)
        except _Closed:
            pass
        finally:
            reader.close()

    def _check(self) -> None:
        if self._closed:
            raise _Closed

    def _next(self) -> tuple[int, bool] | None:
        """The frame to read now; ``None`` where nothing was wanted for long."""
        with self._turn:
            while True:
                self._check()
                for number in self._plan():
                    if number not in self._kept:
                        return number, number == self._target
                if not self._turn.wait(_IDLE):
                    return None

    def _plan(self) -> list[int]:
        frames = self._video.frames
        plan = range(self._target, self._target + min(self._ahead, frames))
        return [n % frames for n in plan if n < frames or self._loops]

    def _keep(self, number: int, found: Picture | str) -> None:
        with self._turn:
            self._check()
            self._kept[number] = found
            plan = set(self._plan())
            others = sorted((n for n in self._kept if n not in plan), key=self._far, reverse=True)
            for old in others[: max(0, len(self._kept) - self._most)]:
                del self._kept[old]

    def _far(self, number: int) -> int:
        return abs(number - self._target)


def _why(error: Exception) -> str:
    if isinstance(error, FramesGone):
        return str(error)
    if isinstance(error, MemoryError):
        return tr("There is not enough memory for a frame of this size.")
    why = getattr(error, "strerror", None) or str(error)
    return tr("The frames could not be read: {why}.", why=str(why).rstrip("."))
