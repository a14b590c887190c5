"""A mask under the brush: strokes, lassos and fills, each of which can be undone.

Coverage is 8 bits: 0 is out, 255 is in. An undo step keeps the rectangle that it changed, before
and after, so that it costs what was painted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QImageWriter, QPainter, QPolygonF, QRadialGradient

_MOST = 256 << 20
"""Bytes of undo steps that are kept."""


@dataclass(frozen=True, slots=True)
class Brush:
    """``size`` is the diameter in pixels of the picture, ``hardness`` from 0 (soft) to 1."""

    size: float = 48.0
    hardness: float = 0.8
    erase: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    rect: QRect
    before: QImage
    after: QImage

    @property
    def bytes(self) -> int:
        return int(self.before.sizeInBytes() + self.after.sizeInBytes())


class MaskPainting:
    """A mask and its undo steps."""

    def __init__(self, size: QSize, mask: QImage | None = None) -> None:
        """Begin empty, or with ``mask``, which is scaled to ``size`` where it has another one.

        Raises:
            ValueError: the size is empty.
        """
        if size.isEmpty():
            raise ValueError("a mask has no empty side")
        self._image = QImage(size, QImage.Format.Format_Grayscale8)
        self._image.fill(0)
        if mask is not None and not mask.isNull():
            fitted = mask.convertToFormat(QImage.Format.Format_Grayscale8)
            if fitted.size() != size:
                fitted = fitted.scaled(
                    size, Qt.AspectRatioMode.IgnoreAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )  # fmt: skip
                fitted = fitted.convertToFormat(QImage.Format.Format_Grayscale8)
            self._image = fitted.copy()
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []
        self._before: QImage | None = None
        self._touched = QRect()
        self._last: QPointF | None = None
        self._brush: Brush | None = None
        self._left = 0.0

    @property
    def image(self) -> QImage:
        """The mask, 8 bits of grey; it is painted on in place."""
        return self._image

    @property
    def can_undo(self) -> bool:
        """Whether something was painted."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return bool(self._redo)

    # Strokes.

    def begin(self, at: QPointF, brush: Brush) -> QRect:
        """Put the brush down; the rectangle that changed."""
        self._open()
        self._brush = brush
        self._last, self._left = at, 0.0
        return self._stamp([at])

    def move(self, to: QPointF) -> QRect:
        """Draw the brush on to a place; the rectangle that changed."""
        if self._brush is None or self._last is None:
            return QRect()
        way = to - self._last
        length = (way.x() ** 2 + way.y() ** 2) ** 0.5
        apart = max(1.0, self._brush.size / 10)
        places, along = [], apart - self._left
        while along <= length:
            places.append(self._last + way * (along / length))
            along += apart
        self._left = length - (along - apart)
        self._last = to
        return self._stamp(places) if places else QRect()

    def end(self) -> None:
        """Lift the brush: the stroke is one undo step."""
        self._last = self._brush = None
        self._close()

    def cancel(self) -> QRect:
        """Take back a stroke that is under way; the rectangle that changed."""
        if self._before is None:
            return QRect()
        rect, self._image, self._before = self._touched, self._before, None
        self._last = self._brush = None
        return rect

    def _stamp(self, places: Sequence[QPointF]) -> QRect:
        if self._brush is None:
            return QRect()
        brush, gradient = self._brush, _print_of(self._brush)
        painter = QPainter(self._image)
        # Lighten and darken, so that a soft brush covers no more where its prints overlap.
        painter.setCompositionMode(
            QPainter.CompositionMode.CompositionMode_Darken if brush.erase
            else QPainter.CompositionMode.CompositionMode_Lighten
        )  # fmt: skip
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        radius, changed = brush.size / 2, QRectF()
        box = QRectF(-radius - 1, -radius - 1, brush.size + 2, brush.size + 2)
        for place in places:
            painter.translate(place)
            painter.drawEllipse(QPointF(0, 0), radius, radius)
            painter.resetTransform()
            changed = changed.united(box.translated(place))
        painter.end()
        return self._touch(changed.toAlignedRect())

    # Areas.

    def lasso(self, points: Sequence[QPointF], erase: bool = False) -> QRect:
        """Cover what a line encloses; the rectangle that changed. Fewer than 3 points enclose
        nothing."""
        if len(points) < 3:
            return QRect()
        self._open()
        painter = QPainter(self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("black" if erase else "white"))
        shape = QPolygonF(list(points))
        painter.drawPolygon(shape)
        painter.end()
        changed = self._touch(shape.boundingRect().toAlignedRect().adjusted(-1, -1, 1, 1))
        self._close()
        return changed

    def fill(self, at: QPoint, erase: bool = False) -> QRect:
        """Cover the area around a place, up to where the mask changes; the rectangle that changed.

        Within a painted ring it is the inside. A place outside the picture changes nothing.
        """
        if not self._image.rect().contains(at):
            return QRect()
        import cv2
        import numpy as np

        self._open()
        width, height = self._image.width(), self._image.height()
        lines = np.frombuffer(self._image.bits(), np.uint8).reshape(height, -1)
        pixels = np.ascontiguousarray(lines[:, :width])
        edges = np.zeros((height + 2, width + 2), np.uint8)
        _, _, _, (left, top, wide, tall) = cv2.floodFill(
            pixels, edges, (at.x(), at.y()), 0 if erase else 255, 96, 96,
            4 | cv2.FLOODFILL_FIXED_RANGE,
        )  # fmt: skip
        lines[:, :width] = pixels
        changed = self._touch(QRect(left, top, wide, tall))
        self._close()
        return changed

    def clear(self, covered: bool = False) -> QRect:
        """Cover nothing, or everything."""
        self._open()
        self._image.fill(255 if covered else 0)
        changed = self._touch(self._image.rect())
        self._close()
        return changed

    def invert(self) -> QRect:
        """Turn it inside out."""
        self._open()
        self._image.invertPixels()
        changed = self._touch(self._image.rect())
        self._close()
        return changed

    # Undo.

    def undo(self) -> QRect:
        """Take back the last step; the rectangle that changed."""
        return self._step(self._undo, self._redo, before=True)

    def redo(self) -> QRect:
        """Do again what was taken back; the rectangle that changed."""
        return self._step(self._redo, self._undo, before=False)

    def _step(self, source: list[_Step], target: list[_Step], before: bool) -> QRect:
        if not source or self._before is not None:
            return QRect()
        step = source.pop()
        target.append(step)
        painter = QPainter(self._image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(step.rect.topLeft(), step.before if before else step.after)
        painter.end()
        return step.rect

    def _open(self) -> None:
        self._before, self._touched = self._image.copy(), QRect()

    def _touch(self, rect: QRect) -> QRect:
        inside = rect.intersected(self._image.rect())
        self._touched = self._touched.united(inside)
        return inside

    def _close(self) -> None:
        before, self._before = self._before, None
        if before is None or self._touched.isEmpty():
            return
        old, new = before.copy(self._touched), self._image.copy(self._touched)
        if old == new:
            return
        self._undo.append(_Step(self._touched, old, new))
        self._redo.clear()
        while len(self._undo) > 1 and sum(step.bytes for step in self._undo) > _MOST:
            del self._undo[0]


def _print_of(brush: Brush) -> QRadialGradient:
    """One print of a brush around the origin: grey on what changes nothing."""
    ground, full = (255, 0) if brush.erase else (0, 255)
    radius = brush.size / 2
    gradient = QRadialGradient(QPointF(0, 0), radius)
    whole, none = QColor(full, full, full), QColor(ground, ground, ground)
    # Even the hardest edge has a pixel of slope, so that it is not jagged.
    hard = min(max(0.0, brush.hardness), 1 - 1 / max(2.0, radius))
    gradient.setColorAt(0, whole)
    gradient.setColorAt(hard, whole)
    gradient.setColorAt(1, none)
    return gradient


def save_mask(mask: QImage, path: Path) -> None:
    """Write a mask as a white PNG whose alpha is the coverage, whole or not at all.

    The node ``load_image`` gives it on its output ``mask``.

    Raises:
        OSError: it cannot be written.
    """
    white = QImage(mask.size(), QImage.Format.Format_RGBA8888)
    white.fill(QColor("white"))
    white.setAlphaChannel(mask)
    draft = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not QImageWriter(str(draft), QByteArray(b"png")).write(white):
            raise OSError(f"The mask could not be written to {path}.")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def mask_of(picture: QImage) -> QImage:
    """The mask that a picture carries: its alpha, or nothing covered where it has none."""
    if picture.hasAlphaChannel():
        alpha = picture.convertToFormat(QImage.Format.Format_Alpha8)
        alpha.reinterpretAsFormat(QImage.Format.Format_Grayscale8)
        return alpha
    empty = QImage(picture.size(), QImage.Format.Format_Grayscale8)
    empty.fill(0)
    return empty
