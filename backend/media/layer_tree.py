"""Groups of layers as files have them, opened into one row of layers that looks the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from backend.media.pixels.flatten import laid
from backend.values import Float32, Layer, LayerMode
from backend.values.layers import MOST_PIXELS

DEEPEST = 64
"""Groups within groups."""


@dataclass(frozen=True)
class Coverage:
    """A mask ``[height, width]``, 0..1, with its top left corner at ``x``, ``y``; ``outside`` holds
    beyond it."""

    values: Float32
    x: int
    y: int
    outside: float = 0.0

    def over(self, layer: Layer) -> Layer:
        """A layer, covered as far as the mask says."""
        amount = np.full((layer.height, layer.width), self.outside, np.float32)
        dx, dy = self.x - layer.x, self.y - layer.y
        top, left = max(dy, 0), max(dx, 0)
        bottom = min(dy + self.values.shape[0], layer.height)
        right = min(dx + self.values.shape[1], layer.width)
        if bottom > top and right > left:
            inner = self.values[top - dy : bottom - dy, left - dx : right - dx]
            amount[top:bottom, left:right] = inner
        pixels = layer.pixels.copy()
        pixels[..., 3] *= amount
        pixels.setflags(write=False)
        return layer.but(pixels=pixels)


@dataclass(frozen=True)
class Branch:
    """A group, its members from the bottom up. Members of an ``isolated`` one blend with each
    other alone, not with what lies below the group."""

    name: str
    members: tuple[Member, ...]
    mode: LayerMode = "normal"
    opacity: float = 1.0
    visible: bool = True
    isolated: bool = True
    mask: Coverage | None = None


Member: TypeAlias = "Layer | Branch"


def opened(members: Sequence[Member], notes: list[str]) -> tuple[Layer, ...]:
    """The layers of a tree, from the bottom up, that give the same picture.

    A group that changes nothing gives its layers, their names behind its own. One with an opacity,
    a mode or a mask of its own, or whose members blend with each other alone, becomes one layer,
    and a note says so.

    Raises:
        ValueError: a group has more pixels than a stack may have.
    """
    return tuple(_opened(members, notes, ""))


def _opened(members: Sequence[Member], notes: list[str], above: str) -> Iterator[Layer]:
    for member in members:
        if isinstance(member, Layer):
            yield member
            continue
        inner = tuple(_opened(member.members, notes, f"{above}{member.name}/"))
        if not inner:
            continue
        if _changes_nothing(member, inner):
            for layer in inner:
                visible = layer.visible and member.visible
                yield layer.but(name=f"{member.name}/{layer.name}", visible=visible)
            continue
        notes.append(
            f"The group {above + member.name!r} has an opacity, a blend mode or a mask of its own, "
            "or blends by itself; it is one layer now, which looks the same."
        )
        yield merged(member, inner)


def _changes_nothing(group: Branch, inner: Sequence[Layer]) -> bool:
    plain = group.opacity == 1 and group.mode == "normal" and group.mask is None
    return plain and (not group.isolated or all(each.mode == "normal" for each in inner))


def merged(group: Branch, inner: Sequence[Layer]) -> Layer:
    """A group as one layer: its visible members laid over each other, on nothing.

    Raises:
        ValueError: it has more pixels than a stack may have.
    """
    left, top = min(each.x for each in inner), min(each.y for each in inner)
    width = max(each.x + each.width for each in inner) - left
    height = max(each.y + each.height for each in inner) - top
    if width * height > MOST_PIXELS:
        raise ValueError(f"the group {group.name!r} has {width}x{height} pixels")
    pixels = laid(inner, width, height, left, top)
    layer = Layer(pixels, group.name, group.mode, group.opacity, left, top, group.visible)
    return group.mask.over(layer) if group.mask else layer
