"""What lies where: rectangles in the cells of a grid."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_CELL = 512.0
_LARGE = 64
"""A box over more cells than this is kept apart and always looked at."""


class Index(Generic[Key]):
    """Finds the keys whose boxes touch a box, in about the time that it takes to name them."""

    def __init__(self) -> None:
        self._boxes: dict[Key, Box] = {}
        self._cells: dict[tuple[int, int], dict[Key, None]] = {}
        self._large: dict[Key, None] = {}

    def put(self, key: Key, box: Box) -> None:
        """Say where a key lies, now or from now on."""
        old = self._boxes.get(key)
        if old == box:
            return
        cells = _cells(box)
        if old is not None:
            if cells is not None and cells == _cells(old):
                self._boxes[key] = box
                return
            self.remove(key)
        self._boxes[key] = box
        if cells is None:
            self._large[key] = None
            return
        for cell in cells:
            self._cells.setdefault(cell, {})[key] = None

    def remove(self, key: Key) -> None:
        """Forget a key; one that is not known is not missed."""
        box = self._boxes.pop(key, None)
        if box is None:
            return
        cells = _cells(box)
        if cells is None:
            del self._large[key]
            return
        for cell in cells:
            held = self._cells[cell]
            del held[key]
            if not held:
                del self._cells[cell]

    def at(self, box: Box) -> Iterator[Key]:
        """The keys whose boxes touch ``box``, in the order in which they were put."""
        cells = _cells(box)
        found: dict[Key, None] = dict(self._large)
        if cells is None or len(cells) > len(self._cells):
            found = dict.fromkeys(self._boxes)
        else:
            for cell in cells:
                found.update(self._cells.get(cell, {}))
        left, top, right, bottom = box
        for key in found:
            x0, y0, x1, y1 = self._boxes[key]
            if x0 <= right and x1 >= left and y0 <= bottom and y1 >= top:
                yield key

    def box(self, key: Key) -> Box | None:
        """Where a key lies."""
        return self._boxes.get(key)

    def bounds(self) -> Box | None:
        """What holds everything."""
        if not self._boxes:
            return None
        lefts, tops, rights, bottoms = zip(*self._boxes.values(), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    def clear(self) -> None:
        """Forget everything."""
        self._boxes.clear()
        self._cells.clear()
        self._large.clear()


def _cells(box: Box) -> list[tuple[int, int]] | None:
    x0, y0 = int(box[0] // _CELL), int(box[1] // _CELL)
    x1, y1 = int(box[2] // _CELL), int(box[3] // _CELL)
    if (x1 - x0 + 1) * (y1 - y0 + 1) > _LARGE:
        return None
    return [(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)]
