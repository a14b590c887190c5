"""Layouts: what shall be where in a picture, as boxes with captions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from json import JSONDecodeError, JSONDecoder
from typing import Any

from backend.values.base import Value

MOST = 64
"""Boxes that a layout has at most."""

LONGEST = 2000
"""Characters that a caption has at most."""

MOST_TEXT = 200_000
"""Characters of a text that are searched for boxes."""

LEAST = 1e-4
"""The least width and height, as a share of the picture's."""

_DIGITS = 6


class BadBoxes(ValueError):
    """Boxes that make no layout: the end of a sentence that begins with what holds them."""


@dataclass(frozen=True)
class Box(Value):
    """A part of a picture and what is there: its left and top edge, its width and height as shares
    of the picture's, 0..1, and a caption."""

    x: float
    y: float
    width: float
    height: float
    caption: str = ""

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @property
    def data(self) -> dict[str, Any]:
        """The box as it stands in files: ``{"box": [x, y, w, h], "caption": ...}``."""
        return {"box": [self.x, self.y, self.width, self.height], "caption": self.caption}


@dataclass(frozen=True)
class Layout(Value):
    """Boxes in a picture of ``width`` x ``height`` pixels, in the order in which they were given.

    Raises:
        BadBoxes: there is no box, more than ``MOST``, or two in one place.
        ValueError: the picture has no size.
    """

    boxes: tuple[Box, ...]
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a layout has a size above 0, not {self.width}x{self.height}")
        if not self.boxes:
            raise BadBoxes("has no box; draw one, or leave the layout out")
        check(self.boxes)


def check(boxes: Sequence[Box]) -> None:
    """Refuse boxes that no layout can hold together.

    Raises:
        BadBoxes: there are too many, or two are in the very same place.
    """
    if len(boxes) > MOST:
        raise BadBoxes(f"has {len(boxes)} boxes, but must have at most {MOST}")
    for (i, one), (k, two) in combinations(enumerate(boxes, 1), 2):
        if overlap(one, two) > 1 - 1e-4:
            raise BadBoxes(
                f"has box {i} and box {k} in the same place, where neither could show; move one, "
                "or make them one box with both in its caption"
            )


def overlap(one: Box, two: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    (a, b, c, d), (e, f, g, h) = one.edges, two.edges
    shared = max(min(c, g) - max(a, e), 0.0) * max(min(d, h) - max(b, f), 0.0)
    whole = one.width * one.height + two.width * two.height - shared
    return shared / whole if whole > 0 else 0.0


def read_boxes(data: Any) -> tuple[Box, ...]:
    """Boxes from a list of ``{"box": [x, y, w, h], "caption": "..."}``, shares of the picture.

    A box that reaches over the picture's edge is cut there. Numbers keep six digits, so that
    reading what was written gives the same again.

    Raises:
        BadBoxes: it is no such list, or a box is empty or lies outside of the picture.
    """
    if not isinstance(data, list | tuple):
        raise BadBoxes(
            'is no list of boxes, such as [{"box": [0.1, 0.1, 0.4, 0.5], "caption": "a cat"}]'
        )
    if len(data) > MOST:
        raise BadBoxes(f"has {len(data)} boxes, but must have at most {MOST}")
    boxes = tuple(_read(number, entry) for number, entry in enumerate(data, 1))
    check(boxes)
    return boxes


def read_text(text: str) -> tuple[Box, ...]:
    """The boxes of the first JSON list or object in a text.

    Raises:
        BadBoxes: there is none, it is broken, or says something else than boxes.
    """
    if len(text) > MOST_TEXT:
        raise BadBoxes(f"has {len(text)} characters, but must have at most {MOST_TEXT}")
    starts = [at for at in (text.find("["), text.find("{")) if at >= 0]
    if not starts:
        raise BadBoxes('holds no JSON; write [{"box": [0.1, 0.1, 0.4, 0.5], "caption": "a cat"}]')
    try:
        found: Any = JSONDecoder().raw_decode(text, min(starts))[0]
    except JSONDecodeError as error:
        raise BadBoxes(
            f"holds broken JSON (line {error.lineno}, column {error.colno}: {error.msg}); mend it, "
            "or let the language model write more tokens"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadBoxes(
            "holds JSON that cannot be read; its numbers or its depth are too large"
        ) from error
    if isinstance(found, dict):
        if "boxes" in found:
            found = found["boxes"]
        elif "box" in found:
            found = [found]
        else:
            raise BadBoxes('holds an object without "boxes"; write {"boxes": [...]}')
    boxes = read_boxes(found)
    if not boxes:
        raise BadBoxes("has no box; write at least one")
    return boxes


def write_boxes(boxes: Iterable[Box]) -> list[dict[str, Any]]:
    """What ``read_boxes`` reads."""
    return [box.data for box in boxes]


def _read(number: int, entry: Any) -> Box:
    if isinstance(entry, Box):
        entry = entry.data
    if not isinstance(entry, Mapping) or "box" not in entry:
        raise BadBoxes(
            f'has no "box" in entry {number}; write {{"box": [x, y, w, h], "caption": ""}}'
        )
    odd = next((key for key in entry if key not in ("box", "caption")), None)
    if odd is not None:
        raise BadBoxes(f"says {str(odd)[:40]!r} of box {number}; a box has a box and a caption")
    caption = entry.get("caption", "")
    if not isinstance(caption, str):
        raise BadBoxes(f"has a caption of box {number} that is no text")
    if len(caption) > LONGEST:
        raise BadBoxes(f"has a caption of box {number} with {len(caption)} characters, but must "
                       f"have at most {LONGEST}")  # fmt: skip
    return placed(*_numbers(number, entry["box"]), caption, f"box {number}")


def placed(x: float, y: float, width: float, height: float, caption: str, name: str) -> Box:
    """A box cut to the picture, in its one form; ``name`` is what it is called in a refusal.

    Raises:
        BadBoxes: nothing of it lies in the picture.
    """
    if width <= 0 or height <= 0:
        raise BadBoxes(
            f"has {name} with no area ({width:g} x {height:g}); give it a width and a height above "
            "0"
        )
    left, top = (round(min(max(v, 0.0), 1.0), _DIGITS) for v in (x, y))
    right, bottom = (round(min(max(v, 0.0), 1.0), _DIGITS) for v in (x + width, y + height))
    wide, high = round(right - left, _DIGITS), round(bottom - top, _DIGITS)
    if wide < LEAST or high < LEAST:
        outside = x >= 1 or y >= 1 or x + width <= 0 or y + height <= 0
        raise BadBoxes(
            f"has {name} outside of the picture; its numbers are shares of the picture, 0 to 1"
            if outside
            else f"has {name} too small to hold anything ({wide:g} x {high:g} of the picture)"
        )
    return Box(left + 0.0, top + 0.0, wide, high, caption)


def _numbers(number: int, given: Any) -> tuple[float, float, float, float]:
    said = f"has box {number} that is no list of four numbers, x, y, width and height"
    if not isinstance(given, list | tuple) or len(given) != 4:
        raise BadBoxes(said)
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in given):
        raise BadBoxes(said)
    try:
        x, y, width, height = (float(v) for v in given)
    except OverflowError:
        raise BadBoxes(f"has box {number} with a number that is not finite") from None
    if not all(map(math.isfinite, (x, y, width, height))):
        raise BadBoxes(f"has box {number} with a number that is not finite")
    return x, y, width, height
