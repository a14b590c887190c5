"""The curve of a link: cubics with level ends, cut into short ones, each with what it paints.

It is always drawn as those, so that a part of it, painted anew, falls on the pixels of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import compress, pairwise
from math import ceil, hypot
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRect
from PySide6.QtGui import QPainterPath

from app.canvas.area import whole

REACH_LEAST, REACH_MOST = 24.0, 160.0
PIECE = 96.0
"""About how long a piece is, where that gives no more than ``_MOST`` of them."""
_MOST = 160
_SPANS = 24
"""In no more runs than this pieces are looked at together."""
STROKE = 5.0
"""How far a link paints beside its curve: casing, halo."""

Weights = tuple[float, float, float, float]


class Piece(NamedTuple):
    """A cubic: where it begins, its two handles and its end by their coordinates, and the
    rectangle of whole units that holds what is painted along it."""

    start: QPointF
    rest: tuple[float, float, float, float, float, float]
    rect: QRect


def reach_of(start: QPointF, end: QPointF) -> float:
    """How far a link goes straight out of its sockets."""
    return min(REACH_MOST, max(REACH_LEAST, abs(end.x() - start.x()) / 2))


def cut(points: Sequence[QPointF]) -> tuple[Piece, ...]:
    """The pieces of a curve from one point to the next."""
    return tuple(piece for ends in pairwise(points) for piece in _cut(*ends))


def _cut(start: QPointF, end: QPointF) -> Iterable[Piece]:
    x0, y0, x3, y3 = start.x(), start.y(), end.x(), end.y()
    reach = reach_of(start, end)
    x1, x2 = x0 + reach, x3 - reach
    count = min(_MOST, max(2, round((hypot(x3 - x0, y3 - y0) + reach) / PIECE)))
    x, y = x0, y0
    for handles in _weights(count):
        a, b, c = [
            (p * x0 + q * x1 + r * x2 + s * x3, (p + q) * y0 + (r + s) * y3)
            for p, q, r, s in handles
        ]
        xs, ys = (x, a[0], b[0], c[0]), (y, a[1], b[1], c[1])
        box = min(xs) - STROKE, min(ys) - STROKE, max(xs) + STROKE, max(ys) + STROKE
        yield Piece(QPointF(x, y), (*a, *b, *c), whole(box))
        x, y = c


@lru_cache(maxsize=_MOST)
def _weights(count: int) -> list[tuple[Weights, Weights, Weights]]:
    """Of each of ``count`` equal parts of a cubic the two handles and the end, as shares of the
    four points of the whole (its polar form)."""

    def share(u: float, v: float, w: float) -> Weights:
        left = (1 - u) * (1 - v) * (1 - w)
        near = u * (1 - v) * (1 - w) + v * (1 - u) * (1 - w) + w * (1 - u) * (1 - v)
        far = u * v * (1 - w) + u * w * (1 - v) + v * w * (1 - u)
        return left, near, far, u * v * w

    steps = pairwise(n / count for n in range(count + 1))
    return [(share(a, a, b), share(a, b, b), share(b, b, b)) for a, b in steps]


def joined(pieces: Sequence[Piece]) -> QPainterPath:
    """The path of the pieces."""
    path = QPainterPath(pieces[0].start)
    for piece in pieces:
        path.cubicTo(*piece.rest)
    return path


class Curve:
    """The curve of a link from one point to the next, and what of it lies where."""

    def __init__(self, points: Sequence[QPointF]) -> None:
        self._pieces = cut(points)
        step = ceil(len(self._pieces) / _SPANS)
        self._spans = [
            range(first, min(first + step, len(self._pieces)))
            for first in range(0, len(self._pieces), step)
        ]
        self.rects = tuple(self._around(span) for span in self._spans)
        """Rectangles that together hold all that is painted along it."""

    @cached_property
    def path(self) -> QPainterPath:
        """All of it."""
        return joined(self._pieces)

    def _around(self, span: range) -> QRect:
        rect = self._pieces[span[0]].rect
        for n in span[1:]:
            rect = rect.united(self._pieces[n].rect)
        return rect

    def part(self, wanted: Callable[[QRect], bool]) -> QPainterPath:
        """The path of the pieces whose rectangles are wanted, which paints these as all of it does.

        Each run of them has a short line before and behind it: Qt strokes a cubic that ends in a
        cap otherwise, by a tenth of a pixel.
        """
        pieces, path = self._pieces, QPainterPath()
        spans = compress(self._spans, map(wanted, self.rects))
        seen = [n for span in spans for n in span if len(span) == 1 or wanted(pieces[n].rect)]
        if not seen:
            return path
        last = len(pieces) - 1
        for n, before, after in zip(seen, [-2, *seen], [*seen[1:], -2], strict=False):
            start, (ax, ay, bx, by, x, y), _ = pieces[n]
            if n != before + 1:
                x0, y0 = start.x(), start.y()
                path.moveTo(_beyond(ax, ay, x0, y0) if n else start)
                path.lineTo(start)
            path.cubicTo(ax, ay, bx, by, x, y)
            if n != after - 1 and n != last:
                path.lineTo(_beyond(bx, by, x, y))
        return path


def _beyond(x0: float, y0: float, x1: float, y1: float) -> QPointF:
    """A point two units behind a line."""
    share = 2 / (hypot(x1 - x0, y1 - y0) or 1.0)
    return QPointF(x1 + (x1 - x0) * share, y1 + (y1 - y0) * share)


def through(points: Sequence[QPointF]) -> QPainterPath:
    """The curve of a link with its reroutes."""
    return joined(cut(points))


def along(line: QLineF) -> tuple[QRect, ...]:
    """Rectangles that together hold a straight line."""
    x0, y0, dx, dy = line.x1(), line.y1(), line.dx(), line.dy()
    count = min(_SPANS, max(1, round(hypot(dx, dy) / PIECE)))
    steps = pairwise((x0 + dx * n / count, y0 + dy * n / count) for n in range(count + 1))
    return tuple(
        whole((min(ax, bx) - 1, min(ay, by) - 1, max(ax, bx) + 1, max(ay, by) + 1))
        for (ax, ay), (bx, by) in steps
    )
