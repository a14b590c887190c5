"""GIF, animated PNG and animated WebP: pictures that move, each with how long it stands."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from backend.media.caps import MediaCaps
from backend.media.errors import Damaged, Unsupported
from backend.values.footage import Codes

STANDS = 0.1
"""Seconds of a picture that does not say how long it stands, as browsers have it."""


_BROKEN = (EOFError, OSError, ValueError, SyntaxError, IndexError, TypeError, struct.error)
"""What the library raises where a file ends early or is broken."""


class Moving:
    """Decodes the pictures of such a file in order."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises:
        Damaged, Unsupported: it cannot be read, or does not move.
        """
        from PIL import Image as Pillow
        from PIL import UnidentifiedImageError

        Pillow.MAX_IMAGE_PIXELS = None  # the caps are looked at instead
        file.seek(0)
        try:
            self._image: Any = Pillow.open(file, formats=("GIF", "PNG", "WEBP"))
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise Damaged("its beginning is broken or cut short") from error
        self.width, self.height = self._image.size
        if self.width * self.height > MediaCaps().pixels:
            raise Unsupported(f"its pictures have {self.width}x{self.height} pixels, too many")
        try:
            self.count = int(getattr(self._image, "n_frames", 1))
        except _BROKEN:
            self.count = self._whole()
        if self.count < 2:
            raise Unsupported("it is a single picture and no video. Load image reads it")

    def _whole(self) -> int:
        """How many pictures can be come to, where the library stumbles over counting them."""
        for number in range(MediaCaps().frames):
            try:
                self._image.seek(number)
            except _BROKEN:
                break
        return number

    def frames(self) -> Iterator[tuple[float, float, Codes]]:
        """When each picture begins, how long it stands (seconds), and its RGBA codes.

        They end before one that cannot be decoded, since what follows builds on it.

        Raises:
            Damaged: not even the first one can be.
        """
        time = 0.0
        for number in range(self.count):
            try:
                self._image.seek(number)
                codes = np.asarray(self._image.convert("RGBA"))
            except _BROKEN as error:
                if not number:
                    raise Damaged("its first picture is broken or cut short") from error
                return
            stands = float(self._image.info.get("duration", 0)) / 1000
            stands = stands if stands > 0 else STANDS
            yield time, stands, codes
            time += stands
