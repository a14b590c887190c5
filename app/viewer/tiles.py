"""What a view draws of a picture: its smaller copies, and developed tiles that are kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QImage

from app.viewer.develop import (
    NEAREST_ABOVE,
    Axis,
    Codes,
    Development,
    axis,
    codes,
    halved,
    premultiplied,
    resampled,
    straight,
)
from app.viewer.picture import Picture
from backend.values import Float32

TILE = 256
"""Device pixels to a side of a tile."""

BUDGET = 96 * 2**20
"""Bytes of tiles that are kept."""

GLANCE = 512
"""Pixels of the longest side of the quick copy that stands in for tiles that are still to come."""


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A picture and its copies, each half as large as the one before, by exact means.

    Copies of a picture with alpha are premultiplied.
    """

    picture: Picture
    copies: tuple[Float32, ...] = ()

    def built(self) -> Pyramid:
        """With all copies down to one that is smaller than a tile."""
        made: list[Float32] = []
        at = self.picture.pixels
        while max(at.shape[:2]) > TILE:
            at = halved(at, weighted=not made and self.picture.has_alpha)
            made.append(at)
        return Pyramid(self.picture, tuple(made))

    @property
    def is_built(self) -> bool:
        """Whether all copies are there that it can need."""
        return bool(self.copies) or max(self.picture.pixels.shape[:2]) <= TILE


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of the screen in a picture that is drawn ``width`` x ``height`` device pixels
    large: its left and top there, and its size."""

    width: int
    height: int
    left: int
    top: int
    across: int
    down: int


def cut(pyramid: Pyramid, place: Place, development: Development) -> Codes:
    """The bytes of one rectangle, exactly: nearest above 200 %, the area's mean below."""
    picture = pyramid.picture
    scale = place.width / picture.width
    level = 0
    while level < len(pyramid.copies) and scale * 2 ** (level + 1) <= 1:
        level += 1
    pixels = pyramid.copies[level - 1] if level else picture.pixels
    # A level's pixels are whole numbers of the picture's, so the scale is not taken from its size.
    scales = [place.width / picture.width * 2**level, place.height / picture.height * 2**level]
    across = axis(place.left, place.across, scales[0], pixels.shape[1])
    down = axis(place.top, place.down, scales[1], pixels.shape[0])
    mixes = picture.has_alpha and len(across.taps) + len(down.taps) > 2
    if level == 0 and mixes:
        rows = slice(int(down.taps.min()), int(down.taps.max()) + 1)
        down = Axis(down.taps - rows.start, down.weights)
        columns = slice(int(across.taps.min()), int(across.taps.max()) + 1)
        across = Axis(across.taps - columns.start, across.weights)
        pixels = premultiplied(pixels[rows, columns])
    if len(across.taps) == len(down.taps) == 1 and scale > NEAREST_ABOVE:
        return _enlarged(pixels, across.taps[0], down.taps[0], picture, development)
    values = resampled(pixels, across, down)
    if picture.has_alpha and (level or mixes):
        values = straight(values)
    return codes(values, picture, development)


def glance(picture: Picture, development: Development, side: int = GLANCE) -> Codes:
    """A quick copy of at most ``side`` pixels: every so many pixels one, none of them mixed."""
    step = max(1, -(-max(picture.width, picture.height) // side))
    return codes(picture.pixels[step // 2 :: step, step // 2 :: step], picture, development)


def image_of(made: Codes) -> QImage:
    """The bytes as an image that holds them."""
    kept = np.ascontiguousarray(made)
    height, width = kept.shape[:2]
    form = QImage.Format.Format_ARGB32_Premultiplied
    if kept[..., 3].min(initial=255) == 255:
        form = QImage.Format.Format_RGB32
    return QImage(kept.data, width, height, width * 4, form).copy()


class Tiles:
    """Developed tiles of pictures, the last used ones kept within a budget."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._kept: OrderedDict[object, QImage] = OrderedDict()
        self._bytes = 0

    def get(self, key: object) -> QImage | None:
        """The tile of a key, where it is kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: object, image: QImage) -> None:
        """Keep a tile that was not there; those that were not used for longest go for it."""
        self._kept[key] = image
        self._bytes += image.sizeInBytes()
        while self._bytes > self._budget and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.sizeInBytes()

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._bytes = 0


def _enlarged(
    pixels: Float32, across: object, down: object, picture: Picture, development: Development
) -> Codes:
    """Squares of single pixels: developed once each, then repeated."""
    columns, rows = np.asarray(across), np.asarray(down)
    left, top = int(columns.min()), int(rows.min())
    small = pixels[top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    made = codes(small, picture, development)
    return np.asarray(made[rows - top][:, columns - left])
