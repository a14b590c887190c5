"""Panels: pictures side by side in one, that stand in a relation to one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from backend.train.adapter.sets import Drawn
from backend.train.caption import write
from backend.train.scene import Bytes, Item, Spec, picture
from backend.train.task import Task
from backend.train.world import Split, draw_spec, item_at

OPPOSITE: Final = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}


@dataclass(frozen=True)
class Panels:
    """Two scenes of one object: the same object, on the opposite side in the second."""

    scenes: tuple[Spec, Spec]
    caption: str


def draw_panels(seed: int, index: int, split: Split = "train") -> Panels:
    """Set number ``index`` of a seed."""
    rng = np.random.default_rng([seed, index, 57, ("train", "held", "any").index(split)])
    first = draw_spec(seed, index, split, 1)
    item = first.items[0]
    place = OPPOSITE[item.place]
    there = item_at(rng, (item.shape, item.colour), place)
    moved = replace(item, place=place, y=there.y, x=there.x)
    second = _of(first, moved)
    return Panels((_of(first, item), second), f"two pictures: {write(_of(first, item).facts)}")


def _of(spec: Spec, item: Item) -> Spec:
    made = replace(spec, items=(item,), order=(0,))
    return replace(made, caption=write(made.facts))


def joined(panels: Panels) -> Bytes:
    """The scenes side by side, uint8 ``[h, 2 w, 3]``."""
    return np.concatenate([picture(spec) for spec in panels.scenes], 1)


def example(seed: int, index: int) -> Drawn:
    """A set of panels to learn from."""
    panels = draw_panels(seed, index)
    return Drawn(joined(panels), panels.caption)


PANELS: Final = Task("panels", "one thing on opposite sides of two panels", "text", example)
