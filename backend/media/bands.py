"""Large pictures a band at a time, so that a cancelled run stops between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from backend.values import Float32

Check: TypeAlias = Callable[[], None]
"""Called before every piece of work; it raises when the run was cancelled."""

VALUES = 1 << 20
"""Numbers in one band: some tens of milliseconds of most work."""


def unchecked() -> None:
    """The check of a caller that is never cancelled."""


def bands(count: int, values: int, most: int = VALUES, least: int = 1) -> Iterator[slice]:
    """Slices that cover ``count`` rows of ``values`` numbers each: ``most`` numbers at once, but
    ``least`` rows."""
    rows = max(least, most // max(1, values))
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def by_rows(check: Check, work: Callable[..., Float32], *planes: Float32) -> Float32:
    """``work`` on arrays ``[height, width, ...]``, a band of rows at a time.

    For work that looks at each pixel by itself: it gives the same bits as all rows at once.
    """
    height, result = len(planes[0]), None
    for rows in bands(height, planes[0][:1].size):
        check()
        part = work(*(plane[rows] for plane in planes))
        if part.shape[0] == height:
            return part
        if result is None:
            result = np.empty((height, *part.shape[1:]), part.dtype)
        result[rows] = part
    assert result is not None  # a picture has a row at least
    return result
