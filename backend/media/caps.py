"""Limits on what is read, so that a stranger's file cannot take the memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageCaps:
    """``pixels`` counts all pages of a file together; ``file_bytes`` is the file as it lies."""

    pixels: int = 1 << 28
    side: int = 1 << 18
    pages: int = 4096
    file_bytes: int = 1 << 32


@dataclass(frozen=True, slots=True)
class SoundCaps:
    """``samples`` counts all channels of a file together."""

    samples: int = 1 << 28
    channels: int = 64


@dataclass(frozen=True, slots=True)
class VideoCaps:
    """``pixels`` counts all frames of a video together; it lies on disk, not in memory."""

    pixels: int = 1 << 36
    frames: int = 200_000


@dataclass(frozen=True, slots=True)
class MediaCaps:
    """Of videos and sounds that are decoded while they are read; ``pixels`` are of one frame."""

    pixels: int = 1 << 26
    frames: int = 4_000_000
    seconds: int = 12 * 3600
    channels: int = 64
