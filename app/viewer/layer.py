"""One picture as a view draws it: its tiles, made a few at a time, over a quick copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QImage, QPainter, QRegion

from app.viewer.background import Asked, Background
from app.viewer.develop import NEAREST_ABOVE, Development
from app.viewer.picture import Picture
from app.viewer.tiles import TILE, Place, Pyramid, Tiles, cut, glance, image_of


class Layer:
    """A picture with its smaller copies, which are made in the background where they are needed.

    Until they are there, and for tiles that there was no time for, it draws the quick copy.
    """

    def __init__(self, picture: Picture, background: Background, ready: Callable[[], None]) -> None:
        """``ready`` is called when the copies are there."""
        self.picture = picture
        self._pyramid = Pyramid(picture)
        self._background = background
        self._ready = ready
        self._asked: Asked[Pyramid] | None = None
        self._glance: tuple[Development, QImage] | None = None

    def drop(self) -> None:
        """Nobody looks at it any more."""
        if self._asked is not None:
            self._asked.cancel()

    def paint(
        self,
        painter: QPainter,
        size: tuple[int, int],
        corner: tuple[int, int],
        clip: QRect,
        development: Development,
        tiles: Tiles,
        until: float,
    ) -> bool:
        """Draw what lies in ``clip``, all in device pixels; false where tiles are missing yet.

        At least one tile is made, and others until ``until`` (of ``time.perf_counter``).
        """
        whole = QRect(*corner, *size)
        seen = whole & clip
        if seen.isEmpty():
            return True
        found = self._tiles(size, seen.translated(-whole.topLeft()), development, tiles, until)
        painter.save()
        missing = QRegion()
        for left, top, image in found:
            if image is None:
                missing += QRect(whole.left() + left, whole.top() + top, TILE, TILE)
        if not missing.isEmpty():
            painter.setClipRegion(missing & seen)
            self._paint_glance(painter, whole, development)
        painter.setClipRect(seen)
        for left, top, image in found:
            if image is not None:
                painter.drawImage(whole.left() + left, whole.top() + top, image)
        painter.restore()
        return missing.isEmpty()

    def _tiles(
        self,
        size: tuple[int, int],
        seen: QRect,
        development: Development,
        tiles: Tiles,
        until: float,
    ) -> list[tuple[int, int, QImage | None]]:
        """Left, top and image of the tiles that cover a rectangle of the drawn picture; those that
        are missing yet without an image."""
        exact, made = self._is_exact(size), 0
        found: list[tuple[int, int, QImage | None]] = []
        for column, row in _covering(seen):
            place = _place(size, column, row)
            key = (self.picture, size, development, column, row)
            image = tiles.get(key)
            if image is None and exact and (made == 0 or time.perf_counter() < until):
                image = image_of(cut(self._pyramid, place, development))
                tiles.put(key, image)
                made += 1
            found.append((place.left, place.top, image))
        return found

    def _paint_glance(self, painter: QPainter, whole: QRect, development: Development) -> None:
        if self._glance is None or self._glance[0] != development:
            self._glance = development, image_of(glance(self.picture, development))
        painter.drawImage(whole, self._glance[1])

    def _is_exact(self, size: tuple[int, int]) -> bool:
        """Whether the copies that this size needs are there; if not, they are asked for."""
        if self._pyramid.is_built or size[0] > self.picture.width / 2:
            return True
        if self._asked is None:
            self._asked = self._background.ask(self._pyramid.built, self._take)
        return False

    def _take(self, pyramid: Pyramid) -> None:
        self._pyramid, self._asked = pyramid, None
        self._ready()


def whole_picture(picture: Picture, development: Development) -> QImage:
    """A picture in its own size, as it is shown."""
    place = Place(picture.width, picture.height, 0, 0, picture.width, picture.height)
    return image_of(cut(Pyramid(picture), place, development))


def small_picture(picture: Picture, development: Development, room: QSize) -> QImage:
    """A picture fitted into some device pixels, by exact means."""
    scale = min(room.width() / picture.width, room.height() / picture.height, NEAREST_ABOVE)
    width = max(1, round(picture.width * scale))
    height = max(1, round(picture.height * scale))
    place = Place(width, height, 0, 0, width, height)
    return image_of(cut(Pyramid(picture).built(), place, development))


def _place(size: tuple[int, int], column: int, row: int) -> Place:
    left, top = column * TILE, row * TILE
    return Place(*size, left, top, min(TILE, size[0] - left), min(TILE, size[1] - top))


def _covering(seen: QRect) -> Iterator[tuple[int, int]]:
    """Column and row of the tiles that cover a rectangle of the drawn picture."""
    for row in range(seen.top() // TILE, seen.bottom() // TILE + 1):
        for column in range(seen.left() // TILE, seen.right() // TILE + 1):
            yield column, row
