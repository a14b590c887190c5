"""Working through a batch: one picture at a time, batches of one shared by batches of many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backend.media.bands import Check, bands, by_rows, unchecked
from backend.sdk import UserError
from backend.values import Float32

__all__ = [
    "MAX_PIXELS",
    "Check",
    "by_rows",
    "copied",
    "map_items",
    "map_rows",
    "put",
    "require_pixels",
    "require_size",
    "seal",
    "shared_count",
    "unchecked",
]

MAX_PIXELS = 2**28
"""The largest result: width x height x count."""


def seal(array: Float32) -> Float32:
    """Make a result read-only without another copy; the caller gives up the array."""
    sealed = np.ascontiguousarray(array, dtype=np.float32)
    if sealed.base is not None or not sealed.flags.owndata:
        sealed = sealed.copy()
    sealed.setflags(write=False)
    return sealed


def map_items(check: Check, work: Callable[..., Float32], *batches: Float32) -> Float32:
    """Apply ``work`` to the first, second... items of the batches; a batch of one is repeated.

    ``work`` gets one array per batch, without the batch axis, and gives one without it.
    """
    count = max(len(batch) for batch in batches)
    result: Float32 | None = None
    for index in range(count):
        check()
        one = work(*(batch[index if len(batch) > 1 else 0] for batch in batches))
        if result is None:
            result = np.empty((count, *one.shape), np.float32)
        put(check, result[index], one)
    assert result is not None  # a batch is never empty
    return seal(result)


def map_rows(check: Check, work: Callable[..., Float32], *batches: Float32) -> Float32:
    """``map_items`` for work that looks at each pixel by itself: a band of rows at a time."""
    return map_items(check, lambda *items: by_rows(check, work, *items), *batches)


def copied(check: Check, view: Float32) -> Float32:
    """A read-only copy of pictures or masks ``[count, height, width, ...]``."""
    result = np.empty(view.shape, np.float32)
    for place, one in zip(result, view, strict=True):
        put(check, place, one)
    return seal(result)


def put(check: Check, place: Float32, values: Float32) -> None:
    """Copy ``values`` to a ``place`` ``[height, width, ...]`` of another array, or repeat one
    pixel all over it."""
    spread = np.broadcast_to(values, place.shape)
    for rows in bands(len(place), place[:1].size):
        check()
        place[rows] = spread[rows]


def shared_count(**counts: int | None) -> int | None:
    """How many items come out when batches meet; ``None`` where one that matters is not known.

    Raises:
        UserError: two batches have different numbers of items and neither has one.
    """
    named = {name: count for name, count in counts.items() if count is not None and count > 1}
    names = list(named)
    for name in names[1:]:
        if named[name] != named[names[0]]:
            raise UserError(
                f"{_words(names[0])} is a batch of {named[names[0]]} and "
                f"{_words(name).lower()} a batch of {named[name]}; batches that meet must be "
                "equally long, or hold one picture."
            )
    if named:
        return named[names[0]]
    return None if None in counts.values() else 1


def require_size(**sizes: tuple[int | None, int | None]) -> None:
    """See that all sizes (width, height) that are known are equal.

    Raises:
        UserError: two of them differ; it names both.
    """
    known = {name: size for name, size in sizes.items() if None not in size}
    names = list(known)
    for name in names[1:]:
        (w0, h0), (w1, h1) = known[names[0]], known[name]
        if (w0, h0) != (w1, h1):
            raise UserError(
                f"{_words(names[0])} is {w0} x {h0} pixels and {_words(name).lower()} is "
                f"{w1} x {h1}; they must be equally large here. Resize, crop or pad one of them "
                "first."
            )


def require_pixels(width: int, height: int, count: int | None = 1) -> None:
    """See that a result stays within the cap.

    Raises:
        UserError: it has no pixels, or more than ``MAX_PIXELS``.
    """
    if width < 1 or height < 1:
        raise UserError(
            f"The result would be {width} x {height} pixels; each side needs one at least."
        )
    total = width * height * (count or 1)
    if total > MAX_PIXELS:
        times = f" x {count} pictures" if count and count > 1 else ""
        raise UserError(
            f"The result would be {width} x {height}{times}, {total / 1e6:.0f} million pixels; at "
            f"most {MAX_PIXELS / 1e6:.0f} million fit in one value. Choose a smaller size."
        )


def _words(name: str) -> str:
    """An argument's name as it begins a sentence: `mask` is "The mask", `image_2` "Image 2"."""
    words = name.replace("_", " ")
    return words.capitalize() if name[-1].isdigit() else "The " + words
