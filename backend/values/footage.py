"""Where frames and sounds of videos lie, and what is done to frames while they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from backend.values.arrays import Float32
from backend.values.base import Value

FrameDepth = Literal["8", "16", "float"]
Codes = np.ndarray[tuple[int, ...], np.dtype[Any]]
"""Pixels as a file has them."""
DTYPES: dict[str, str] = {"8": "uint8", "16": "<u2", "float": "<f2"}


class FramesGone(OSError):
    """The file of a video or sound is gone, is not as it was, or is damaged; the text says it."""


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

    @property
    def is_there(self) -> bool:
        """Whether the file still lies there, as long as it was."""
        try:
            return os.path.getsize(self.path) == self.nbytes
        except OSError:
            return False


@dataclass(frozen=True)
class MediaFile(Value):
    """A file of video or sound that belongs to the user and is read where it lies.

    ``content`` is the blake3 of its bytes. ``path``, ``size`` and ``changed`` (the time of its last
    change, in nanoseconds) pin it: a file that is another one by now is not read.
    """

    content: str
    path: str = field(metadata={"digest": False})
    size: int = field(metadata={"digest": False})
    changed: int = field(metadata={"digest": False})

    @property
    def name(self) -> str:
        """What sentences call it."""
        return os.path.basename(self.path)

    @property
    def is_there(self) -> bool:
        """Whether the file still lies there and was not changed."""
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.changed)


@dataclass(frozen=True)
class PictureTrack(Value):
    """The pictures of a media file, decoded when they are read.

    Frame ``i`` is what stands at ``begin + i / rate`` seconds of the file. ``steady`` says that the
    file's own frames stand that far apart; else each is the nearest earlier one. ``turn`` is how
    many quarter turns, against the clock, bring it upright; ``width`` and ``height`` are those of
    the upright picture in square pixels. Where ``repair`` is true a frame that cannot be decoded is
    the one before it, else it is an error.
    """

    media: MediaFile
    track: int
    frames: int
    height: int
    width: int
    channels: int
    depth: FrameDepth
    rate: float
    begin: float
    steady: bool
    turn: int = 0
    repair: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes that it holds beside the user's own file."""
        return 0

    @property
    def is_there(self) -> bool:
        """Whether the file still lies there and was not changed."""
        return self.media.is_there


@dataclass(frozen=True)
class SoundTrack(Value):
    """The sound of a media file, decoded when it is read: ``length`` samples of each channel from
    ``begin`` seconds of the file on, silence where it has none. ``channels`` is 0 where the file
    has no sound at all."""

    media: MediaFile
    track: int
    channels: int
    length: int
    begin: float
    repair: bool = False


@dataclass(frozen=True)
class Resized(Value):
    """Each frame resampled: ``box`` (left, top, right, bottom) of it becomes ``inner`` (width,
    height), centred on black in ``width`` x ``height``. ``filter`` is one of the resize node's."""

    width: int
    height: int
    inner: tuple[int, int]
    box: tuple[float, float, float, float]
    filter: str


@dataclass(frozen=True)
class Cropped(Value):
    """The part of each frame that begins at ``left``, ``top``."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Part(Value):
    """``frames`` frames from ``start`` on."""

    start: int
    frames: int

    def source(self, index: int, before: int) -> int:
        """Which of the ``before`` frames in front of this step is its frame ``index``."""
        return min(self.start + index, before - 1)


@dataclass(frozen=True)
class Retimed(Value):
    """``frames`` frames at another rate, over the same time: frame ``i`` is the one that stands at
    that time, so frames are repeated or left out. ``step`` is the old rate over the new one."""

    step: float
    frames: int

    def source(self, index: int, before: int) -> int:
        """Which of the ``before`` frames in front of this step is its frame ``index``."""
        return min(int(index * self.step + 1e-6), before - 1)


Step = Resized | Cropped | Part | Retimed


def to_codes(pixels: Float32, depth: FrameDepth) -> bytes:
    """Pixels as a frame file holds them: whole numbers clipped to 0..1 and rounded, or float16."""
    return bytes(codes_of(pixels, depth).tobytes())


def codes_of(pixels: Float32, depth: FrameDepth) -> Codes:
    """``to_codes`` as an array of the same shape."""
    codes: Codes
    if depth == "float":
        codes = pixels.astype(DTYPES[depth])
        return codes
    largest = np.float32(255 if depth == "8" else 65535)
    scaled = np.clip(pixels, 0, 1, dtype=np.float32) * largest
    codes = np.rint(scaled, out=scaled).astype(DTYPES[depth])
    return codes


def from_codes(codes: object, depth: FrameDepth) -> Float32:
    """Float32 pixels of what a frame file holds."""
    pixels = np.asarray(codes).astype(np.float32)
    if depth != "float":
        pixels /= np.float32(255 if depth == "8" else 65535)
    return pixels
