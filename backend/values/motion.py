"""Video and sound: frames that lie in a file and are read a few at a time, and samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from backend.values.arrays import Float32, freeze
from backend.values.base import Value
from backend.values.picture import ColorSpace, Image

FrameDepth = Literal["8", "16", "float"]
DTYPES: dict[str, str] = {"8": "uint8", "16": "<u2", "float": "<f2"}
CHUNK_BYTES = 64 * 2**20
"""Bytes of float32 pixels that a reader holds at a time when it is not told otherwise."""


class FramesGone(OSError):
    """The file of a video is no longer there, or shorter than it was."""


@dataclass(frozen=True)
class FrameFile(Value):
    """Frames one after the other in a file, nothing else in it.

    ``content`` is the blake3 of its bytes, so the same frames elsewhere are the same value;
    ``path`` is where this process finds them. Whoever made the file removes it when this object is
    gone, so a video that is kept keeps its frames.
    """

    content: str
    frames: int
    height: int
    width: int
    channels: int
    depth: FrameDepth
    path: str = field(metadata={"digest": False})

    @property
    def frame_bytes(self) -> int:
        size = np.dtype(DTYPES[self.depth]).itemsize
        return self.height * self.width * self.channels * size

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return self.frames * self.frame_bytes


@dataclass(frozen=True)
class Video(Value):
    """A video: a file of frames that any number of readers go through in bounded memory.

    ``rate`` is in frames per second; ``space`` is the transfer curve of the colour channels.
    Channels are as in an ``Image``.
    """

    file: FrameFile
    rate: float
    space: ColorSpace = "srgb"

    def __post_init__(self) -> None:
        if not 0 < self.rate < 10_000:
            raise ValueError(f"a video has a rate above 0 frames a second, not {self.rate:g}")
        if self.file.frames < 1:
            raise ValueError("a video has at least one frame")
        object.__setattr__(self, "rate", float(self.rate))

    @property
    def frames(self) -> int:
        return self.file.frames

    @property
    def height(self) -> int:
        return self.file.height

    @property
    def width(self) -> int:
        return self.file.width

    @property
    def channels(self) -> int:
        return self.file.channels

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    @property
    def is_there(self) -> bool:
        """Whether the file of frames still lies there, as long as it was."""
        try:
            return os.path.getsize(self.file.path) == self.file.nbytes
        except OSError:
            return False

    def but(self, rate: float) -> Video:
        """The same frames at another rate."""
        return replace(self, rate=rate)

    def read(self, start: int = 0, stop: int | None = None) -> Image:
        """The frames from ``start`` to before ``stop`` as a batch, float32, 0..1.

        Raises:
            ValueError: the range is empty or leaves the video.
            FramesGone: the file is gone or cut short.
        """
        stop = self.frames if stop is None else stop
        if not 0 <= start < stop <= self.frames:
            raise ValueError(f"frames {start} to {stop} are not in a video of {self.frames}")
        file, count = self.file, stop - start
        shape = (count, file.height, file.width, file.channels)
        try:
            codes = np.fromfile(
                file.path,
                DTYPES[file.depth],
                count * file.frame_bytes // np.dtype(DTYPES[file.depth]).itemsize,
                offset=start * file.frame_bytes,
            )
            pixels = _from_codes(codes, file.depth).reshape(shape)
        except (OSError, ValueError) as error:
            raise FramesGone(
                "The frames of a video are no longer in the cache folder; something removed or cut "
                "them. Run the workflow again."
            ) from error
        pixels.setflags(write=False)
        return Image(pixels, self.space)

    def chunks(self, most_bytes: int = CHUNK_BYTES) -> Iterator[Image]:
        """All frames in order, as batches of at most ``most_bytes`` of pixels (one frame at least).

        Raises:
            FramesGone: the file is gone or cut short.
        """
        each = max(1, most_bytes // (self.height * self.width * self.channels * 4))
        for start in range(0, self.frames, each):
            yield self.read(start, min(start + each, self.frames))


@dataclass(frozen=True, eq=False)
class Audio(Value):
    """Sound: read-only float32 ``[channels, samples]``, nominally -1..1, at ``rate`` samples per
    second and channel."""

    samples: Float32
    rate: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", freeze(self.samples, 2))
        if 0 in self.samples.shape:
            raise ValueError(f"a sound has no empty side (shape {self.samples.shape})")
        if self.rate < 1:
            raise ValueError(f"a sound has a rate of at least 1 a second, not {self.rate}")

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def length(self) -> int:
        """Samples of each channel."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        return self.length / self.rate

    def but(self, samples: Float32) -> Audio:
        """Other samples at the same rate."""
        return Audio(samples, self.rate)


def to_codes(pixels: Float32, depth: FrameDepth) -> bytes:
    """Pixels as a frame file holds them: whole numbers clipped to 0..1 and rounded, or float16."""
    if depth == "float":
        return bytes(pixels.astype(DTYPES[depth]).tobytes())
    largest = np.float32(255 if depth == "8" else 65535)
    scaled = np.clip(pixels, 0, 1, dtype=np.float32) * largest
    return bytes(np.rint(scaled, out=scaled).astype(DTYPES[depth]).tobytes())


def _from_codes(codes: object, depth: FrameDepth) -> Float32:
    pixels = np.asarray(codes).astype(np.float32)
    if depth != "float":
        pixels /= np.float32(255 if depth == "8" else 65535)
    return pixels
