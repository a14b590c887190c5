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
