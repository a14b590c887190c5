"""Readers of frames and samples: in this process from a plain file, else from a worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from backend.values.arrays import Float32
from backend.values.footage import (
    DTYPES,
    Cropped,
    FrameDepth,
    FrameFile,
    FramesGone,
    PictureTrack,
    Resized,
    SoundTrack,
    from_codes,
)
from backend.values.worker import Check, Worker, go_on

GONE = (
    "The frames of a video are no longer in the cache folder; something removed or cut them. "
    "Run the workflow again."
)


class Reader(Protocol):
    """Gives frames by their numbers."""

    def frames(self, wanted: Sequence[int], then: Sequence[int] = ()) -> Float32:
        """The frames ``[count, height, width, channels]``; the numbers never fall. ``then`` are
        those that will be asked for next, so that they can be got ready.

        Raises:
            FramesGone: they cannot be read.
        """

    def close(self) -> None:
        """Let go of files and processes."""


class PlainReader:
    """Reads a file of frames."""

    def __init__(self, file: FrameFile, check: Check = go_on) -> None:
        self._file = file
        self._check = check

    def frames(self, wanted: Sequence[int], then: Sequence[int] = ()) -> Float32:
        file = self._file
        first, last = wanted[0], wanted[-1]
        shape = (file.height, file.width, file.channels)
        if list(wanted) == list(range(first, last + 1)):
            return self._span(first, len(wanted)).reshape(len(wanted), *shape)
        pixels = np.empty((len(wanted), *shape), np.float32)
        for place, number in enumerate(wanted):
            self._check()
            if place and number == wanted[place - 1]:
                pixels[place] = pixels[place - 1]
            else:
                pixels[place] = self._span(number, 1).reshape(shape)
        return pixels

    def close(self) -> None:
        """There is nothing to let go of."""

    def _span(self, start: int, count: int) -> Float32:
        file = self._file
        values = count * file.height * file.width * file.channels
        try:
            codes = np.fromfile(
                file.path, DTYPES[file.depth], values, offset=start * file.frame_bytes
            )
        except OSError as error:
            raise FramesGone(GONE) from error
        if len(codes) < values:
            raise FramesGone(GONE)
        return from_codes(codes, file.depth)


class WorkerReader:
    """Has a worker read frames, crop and resize them."""

    def __init__(
        self,
        file: FrameFile | PictureTrack,
        steps: Sequence[Resized | Cropped],
        check: Check = go_on,
    ) -> None:
        media = isinstance(file, PictureTrack)
        told: dict[str, Any] = _plain(file)
        told |= {"task": "track" if media else "frames"}
        told["steps"] = [{"kind": type(step).__name__, **_plain(step)} for step in steps]
        path = file.media.path if isinstance(file, PictureTrack) else file.path
        pinned = (file.media.size, file.media.changed) if isinstance(file, PictureTrack) else None
        if isinstance(file, FrameFile) and not file.is_there:
            raise FramesGone(GONE)
        last = steps[-1] if steps else file
        self._shape = (last.height, last.width, file.channels)
        self._depth: FrameDepth = file.depth
        self._asked: list[int] = []
        self._worker = Worker(path, told, check, pinned)

    def frames(self, wanted: Sequence[int], then: Sequence[int] = ()) -> Float32:
        single = sorted(set(wanted))
        if self._asked and self._asked != single:
            self._take(self._asked)
            self._asked = []
        if not self._asked:
            self._worker.send({"frames": single})
        pixels = self._take(single)
        self._asked = sorted(set(then))
        if then:
            self._worker.send({"frames": self._asked})
        if len(single) == len(wanted):
            return pixels
        return pixels[np.searchsorted(single, wanted)]

    def close(self) -> None:
        self._worker.close()

    def _take(self, numbers: Sequence[int]) -> Float32:
        pixels = np.empty((len(numbers), *self._shape), np.float32)
        codes = np.empty(self._shape, DTYPES[self._depth])
        for place in range(len(numbers)):
            self._worker.answer()
            self._worker.fill(codes)
            pixels[place] = from_codes(codes, self._depth)
        return pixels


class SoundReader:
    """Has a worker decode the sound of a media file."""

    def __init__(self, track: SoundTrack, rate: int, check: Check = go_on) -> None:
        media = track.media
        self._channels = track.channels
        told = {"task": "sound", "rate": rate, **_plain(track)}
        self._worker = Worker(media.path, told, check, (media.size, media.changed))

    def samples(self, start: int, stop: int) -> Float32:
        """The samples from ``start`` to before ``stop``, ``[channels, samples]``.

        Raises:
            FramesGone: they cannot be read.
        """
        self._worker.send({"samples": [start, stop]})
        self._worker.answer()
        samples = np.empty((self._channels, stop - start), np.float32)
        self._worker.fill(samples)
        return samples

    def close(self) -> None:
        """End the worker."""
        self._worker.close()


def _plain(value: Any) -> dict[str, Any]:
    """The fields that a worker needs, as JSON has them; where the file lies is not among them."""
    fields: Mapping[str, Any] = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return {name: each for name, each in fields.items() if name not in ("media", "path", "content")}
