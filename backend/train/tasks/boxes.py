"""Boxes: a scene with objects anywhere, the box and the words of each, and how a picture obeys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Final

import numpy as np

from backend.train.adapter.sets import Drawn
from backend.train.caption import draw_form, write
from backend.train.palette import BACKGROUNDS, COLOURS, TEXTURES
from backend.train.scene import SIZE, Bytes, Item, Spec, draw_item, picture
from backend.train.task import Task
from backend.train.vision import Found, look
from backend.train.world import Coloured, Split, draw_kinds, drawable, near
from backend.values import Box
from backend.values.layout import overlap

ODDS: Final = np.array([0.15, 0.6, 0.25])
"""Of one, two and three objects."""

RADII: Final = (15.0, 25.0)
MARGIN: Final = 5.0
_MOST_SHARED: Final = 0.08


@dataclass(frozen=True)
class Boxes:
    """A scene whose caption tells no places, and a box for each of its objects."""

    spec: Spec
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Obeyed:
    """How one object of a picture obeys: the overlap of its box with the one asked for, and whether
    its shape, colour and texture are those of the caption."""

    iou: float
    shape: bool
    colour: bool
    texture: bool

    @property
    def right(self) -> bool:
        """Shape and colour."""
        return self.shape and self.colour


def draw_boxes(seed: int, index: int, split: Split = "train", count: int | None = None) -> Boxes:
    """Scene number ``index`` of a seed: 1 to 3 objects anywhere, or exactly ``count``."""
    rng = np.random.default_rng([seed, index, 71, ("train", "held", "any").index(split)])
    number = count or int(rng.choice([1, 2, 3], p=ODDS))
    kinds = draw_kinds(rng, number, split)
    background = list(BACKGROUNDS)[int(rng.integers(len(BACKGROUNDS)))]
    while True:
        items = [_anywhere(rng, kind) for kind in kinds]
        boxes = tuple(box_of(item) for item in items)
        apart = all(overlap(a, b) < _MOST_SHARED for a, b in combinations(boxes, 2))
        if apart and drawable(items):
            break
    order = tuple(int(i) for i in rng.permutation(number))
    spec = Spec(background, near(rng, BACKGROUNDS[background], 5), tuple(items), order, "")
    spec = replace(spec, caption=write(spec.facts, draw_form(rng)))
    return Boxes(spec, tuple(boxes[i] for i in order))


def _anywhere(rng: np.random.Generator, kind: Coloured) -> Item:
    shape, colour = kind
    radius = round(float(rng.uniform(*RADII)), 2)
    y, x = (round(float(v), 2) for v in rng.uniform(radius + MARGIN, SIZE - radius - MARGIN, 2))
    texture = TEXTURES[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
    return Item(shape, colour, texture, "", y, x, radius, near(rng, COLOURS[colour], 8))


def words(item: Item) -> str:
    """What the caption of an object's box says: "striped red circle"."""
    plain = f"{item.colour} {item.shape}"
    return plain if item.texture == "plain" else f"{item.texture} {plain}"


def box_of(item: Item) -> Box:
    """The box of an object's pixels, with its words."""
    (rows, columns), patch = draw_item(item)
    solid = patch[..., 3] > 127
    down, across = np.nonzero(solid.any(1))[0], np.nonzero(solid.any(0))[0]
    top, bottom = rows.start + int(down[0]), rows.start + int(down[-1]) + 1
    left, right = columns.start + int(across[0]), columns.start + int(across[-1]) + 1
    return Box(left / SIZE, top / SIZE, (right - left) / SIZE, (bottom - top) / SIZE, words(item))


def obeyed(pixels: Bytes, given: Boxes) -> tuple[Obeyed, ...]:
    """Each asked object against what a picture uint8 ``[h, w, 3]`` shows.

    Objects are matched by colour and shape first, then by place: one of the right look at the
    wrong place has its own small overlap. What is missing has none, and nothing right.
    """
    wanted = [given.spec.items[i] for i in given.spec.order]
    seen: list[Found | None] = [*look(pixels).objects[:6]]
    seen += [None] * (len(wanted) - len(seen))
    ways = [
        tuple(_held(item, box, found, pixels.shape[0])
              for item, box, found in zip(wanted, given.boxes, order, strict=True))
        for order in permutations(seen, len(wanted))
    ]  # fmt: skip
    return max(ways, key=lambda way: sum(o.shape + o.colour + 0.9 * o.iou for o in way))


def _held(item: Item, box: Box, found: Found | None, size: int) -> Obeyed:
    if found is None:
        return Obeyed(0.0, False, False, False)
    top, left, bottom, right = (edge / size for edge in found.box)
    own = Box(left, top, right - left, bottom - top)
    return Obeyed(
        overlap(own, box),
        found.shape == item.shape,
        found.colour == item.colour,
        found.texture == item.texture,
    )


def example(seed: int, index: int) -> Drawn:
    """A scene to learn from, with its boxes."""
    drawn = draw_boxes(seed, index)
    return Drawn(picture(drawn.spec), drawn.spec.caption, (), drawn.boxes)


BOXES: Final = Task("boxes", "a scene and the boxes of its objects", "layout", example)
