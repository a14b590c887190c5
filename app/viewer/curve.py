"""Numbers laid into a rectangle as a curve, with round figures beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from PySide6.QtCore import QPointF, QRectF


@dataclass(frozen=True)
class Curve:
    """``numbers`` in their order, from left to right in ``room``."""

    numbers: tuple[float, ...]
    room: QRectF

    @cached_property
    def span(self) -> tuple[float, float]:
        """The round figures below and above all numbers; 0 to 1 where there are none."""
        finite = [each for each in self.numbers if math.isfinite(each)]
        if not finite:
            return 0.0, 1.0
        low, high = min(finite), max(finite)
        if low == high:
            low, high = low - 0.5, high + 0.5
        step = _round_step((high - low) / 4)
        return math.floor(low / step) * step, math.ceil(high / step) * step

    def levels(self) -> list[tuple[float, float]]:
        """Round figures, and how high they lie."""
        low, high = self.span
        step = _round_step((high - low) / 4)
        count = round((high - low) / step)
        return [(low + at * step, self._y(low + at * step)) for at in range(count + 1)]

    def point(self, at: int) -> QPointF:
        """Where a number lies; at the bottom if it is not finite."""
        last = max(1, len(self.numbers) - 1)
        number = self.numbers[at]
        y = self._y(number) if math.isfinite(number) else self.room.bottom()
        return QPointF(self.room.left() + self.room.width() * at / last, y)

    def paths(self) -> list[list[QPointF]]:
        """The pieces of the curve between numbers that are not finite."""
        found: list[list[QPointF]] = [[]]
        for at, number in enumerate(self.numbers):
            if math.isfinite(number):
                found[-1].append(self.point(at))
            elif found[-1]:
                found.append([])
        return [path for path in found if path]

    def _y(self, number: float) -> float:
        low, high = self.span
        return self.room.bottom() - (number - low) / (high - low) * self.room.height()


def _round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, not below ``about``."""
    power = 10.0 ** math.floor(math.log10(about)) if about > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= about * 0.999)
