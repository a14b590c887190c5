"""Frames of a media file by their numbers, cropped and resized: what a worker serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from backend.media.errors import Damaged
from backend.media.film.kinds import MOVING, kind_of
from backend.media.film.moving import Moving
from backend.media.film.pictures import KERNELS, Painter, Pictures, time_of
from backend.media.pixels.resample import Fit, resize
from backend.values import Image
from backend.values.footage import DTYPES, Codes, codes_of, from_codes

FAR = 2.0
"""Seconds ahead from which on it is worth to look for a whole picture there."""
_FORMS = {(3, "8"): "rgb24", (4, "8"): "rgba", (3, "16"): "rgb48le", (4, "16"): "rgba64le"}

Shown = tuple[float, Any, str]
"""When it begins, the frame, and what is wrong with it."""


class Track:
    """The frames of a media file. They are asked for in order, or from anywhere."""

    def __init__(self, file: BinaryIO, told: Mapping[str, Any]) -> None:
        """``told`` are the fields of a ``PictureTrack`` and its steps.

        Raises:
            Damaged, Unsupported: the file cannot be read.
        """
        self._file, self._told = file, told
        file.seek(0)
        self._kind = kind_of(file.read(16))
        self._steps = [dict(step) for step in told["steps"]]
        self._source: _Container | _Pages
        if self._kind in MOVING:
            self._source = _Pages(file)
        else:
            self._source = _Container(file, self._kind, told, self._shrunk())
        self._left = self._source.begin(None)
        self._now: Shown | None = None
        self._ahead: Shown | None = None
        self._painted: tuple[float, Codes] | None = None

    def frame(self, number: int) -> Codes:
        """The codes of a frame, ``[height, width, channels]``.

        Raises:
            Damaged: it cannot be decoded.
        """
        rate = self._told["rate"]
        time = self._told["begin"] + number / rate
        # Times are rounded in some files, to a millisecond; an even file has a frame for each.
        near = 0.5 / rate if self._told["steady"] else min(1.5e-3, 0.25 / rate)
        self._go(time + near)
        if self._now is None:
            raise Damaged(f"it has no frame at {time:.3f} seconds")
        late, early = time - self._now[0] > 0.75 / rate, self._now[0] - time > 0.75 / rate
        missing = early or (late and self._told["steady"])
        if not self._told["repair"] and (self._now[2] or missing):
            reason = f" ({self._now[2]})" if self._now[2] else ""
            raise Damaged(
                f"its frame {number} at {time:.3f} seconds cannot be decoded{reason}. Set damaged "
                "to repeat on the node that loads it, and the frame before stands in its place"
            )
        if self._painted is None or self._painted[0] != self._now[0]:
            codes = self._source.paint(self._now[1])
            self._painted = self._now[0], done(codes, self._steps, self._told["depth"])
        return self._painted[1]

    def _go(self, time: float) -> None:
        """Have the frame that stands at a time."""
        if self._now is not None and self._now[0] > time:
            self._restart(time)
        elif self._now is None or time - self._now[0] > FAR:
            key = self._source.key_before(time)
            if key is not None and (self._now is None or key > self._now[0]):
                self._restart(time)
        while self._ahead is None or self._ahead[0] <= time:
            if self._ahead is not None:
                self._now = self._ahead
            self._ahead = next(self._left, None)
            if self._ahead is None:
                return
            if self._now is None and self._ahead[0] > time:
                self._now = self._ahead  # nothing stands earlier
                return

    def _restart(self, time: float) -> None:
        self._now = self._ahead = None
        self._left = self._source.begin(time)
        first = next(self._left, None)
        if first is None or first[0] > time:  # such files are entered too late: from the beginning
            self._left = self._source.begin(None)
            first = next(self._left, None)
        self._ahead = first

    def _shrunk(self) -> tuple[int, int, str] | None:
        """The first step, where it only resizes the whole frame: then the library does it while it
        still has luma and chroma, which is less work. The step is taken off the list."""
        step, told = (self._steps or [{}])[0], self._told
        whole = [0, 0, told["width"], told["height"]]
        if step.get("kind") != "Resized" or told["turn"] or list(step["box"]) != whole:
            return None
        size = (step["width"], step["height"])
        if (
            list(step["inner"]) != list(size)
            or step["filter"] not in KERNELS
            or step["filter"] == "nearest"
        ):
            return None
        if step["filter"] == "area" and (size[0] > told["width"] or size[1] > told["height"]):
            return None
        if told["channels"] == 4:
            return None  # the library would let hidden colours bleed
        del self._steps[0]
        return (*size, step["filter"])


class _Container:
    """A container's pictures with their times."""

    def __init__(
        self,
        file: BinaryIO,
        kind: str,
        told: Mapping[str, Any],
        shrunk: tuple[int, int, str] | None,
    ) -> None:
        self._file, self._kind, self._track = file, kind, told["track"]
        # An AVI knows when a packet is decoded and not when it is shown: there frames are counted.
        self._counted = kind == "AVI" and bool(told["steady"])
        self._begin, self._rate = float(told["begin"]), float(told["rate"])
        self._pictures = self._open()
        self._turn = told["turn"]
        size = (told["width"], told["height"])
        width, height, filter = shrunk or (*(size[::-1] if self._turn % 2 else size), "bicubic")
        form = _FORMS[told["channels"], told["depth"]]
        self._painter = Painter((width, height), form, filter)

    def begin(self, time: float | None) -> Iterator[Shown]:
        """Frames from the last whole one before a time on, or from the first."""
        if time is None or self._counted:
            self._pictures.close()
            self._pictures = self._open()
        else:
            self._pictures.seek(time)
        return self._shown()

    def _open(self) -> Pictures:
        return Pictures(self._file, self._kind, self._track)

    def key_before(self, time: float) -> float | None:
        """When the last whole picture before a time stands."""
        return None if self._counted else self._pictures.key_before(time)

    def paint(self, frame: Any) -> Codes:
        """The codes of a frame."""
        return self._painter.paint(frame, self._turn)

    def _shown(self) -> Iterator[Shown]:
        last = 0.0
        for number, (frame, harm) in enumerate(self._pictures.frames()):
            time = self._begin + number / self._rate if self._counted else time_of(frame)
            last = time if time is not None else last + 1e-3
            yield last, frame, harm


class _Pages:
    """The pictures of an animation with their times."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def begin(self, time: float | None) -> Iterator[Shown]:
        """All pictures; such files are entered at their beginning only."""
        for begin, _, codes in Moving(self._file).frames():
            yield begin, codes, ""

    def key_before(self, time: float) -> float | None:
        """There is none to enter at."""
        return None

    def paint(self, codes: Codes) -> Codes:
        """They are codes already."""
        return codes


class Frames:
    """The frames of a plain file of frames, with the same steps."""

    def __init__(self, file: BinaryIO, told: Mapping[str, Any]) -> None:
        self._file, self._told = file, told
        self._shape = (told["height"], told["width"], told["channels"])
        self._type = np.dtype(DTYPES[told["depth"]])

    def frame(self, number: int) -> Codes:
        """The codes of a frame.

        Raises:
            Damaged: the file ends before.
        """
        size = int(np.prod(self._shape)) * self._type.itemsize
        self._file.seek(number * size)
        data = self._file.read(size)
        if len(data) < size:
            raise Damaged("its frames were cut")
        codes = np.frombuffer(data, self._type).reshape(self._shape)
        return done(codes, self._told["steps"], self._told["depth"])


def done(codes: Codes, steps: list[dict[str, Any]], depth: Any) -> Codes:
    """Codes after all steps."""
    for step in steps:
        if step["kind"] == "Cropped":
            left, top = step["left"], step["top"]
            codes = codes[top : top + step["height"], left : left + step["width"]]
        else:
            codes = _resized(codes, step, depth)
    return np.ascontiguousarray(codes)


def _resized(codes: Codes, step: Mapping[str, Any], depth: Any) -> Codes:
    fit = Fit((step["width"], step["height"]), tuple(step["inner"]), tuple(step["box"]))
    image = resize(Image(from_codes(codes, depth)[None]), fit, step["filter"])
    return codes_of(image.pixels[0], depth)
