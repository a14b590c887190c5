"""The procedural world: seeded scenes of coloured, textured shapes, and the published split.

Everything follows from a seed: the same seed and index give the same bits on any machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Final, Literal

import numpy as np

from backend.train.caption import draw_form, write
from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, RGB, SHAPES, TEXTURES
from backend.train.scene import SIZE, Item, Scene, Spec, draw_item, render

Split = Literal["train", "held", "any"]
Coloured = tuple[str, str]  # (shape, colour)

SPLIT_SEED: Final = "weft-primer-1"
HELD_SHARE: Final = 0.2

_OFFSET: Final = 31.0
_CENTRES: Final = {
    "left": (0.0, -_OFFSET),
    "right": (0.0, _OFFSET),
    "top": (-_OFFSET, 0.0),
    "bottom": (_OFFSET, 0.0),
}
_FACING: Final = (("left", "right"), ("top", "bottom"))
_JITTER: Final = 4.0
_RADII: Final = (17.0, 23.0)
_LEAST_SEEN: Final = 0.85
_COUNT_ODDS: Final = np.array([0.12, 0.83, 0.05])


def coloured_shapes() -> tuple[Coloured, ...]:
    """Every (shape, colour) of the world."""
    return tuple((shape, colour) for shape in SHAPES for colour in COLOURS)


def is_held(first: Coloured, second: Coloured) -> bool:
    """Whether training never draws these two coloured shapes in one scene.

    The rule: SHA-256 of the split seed and the two names in alphabetical order, its first eight
    bytes read as a number; a pair is held out when that number is in the lowest fifth.
    """
    names = sorted(f"{colour} {shape}" for shape, colour in (first, second))
    digest = hashlib.sha256("|".join([SPLIT_SEED, *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_SHARE * 2**64


def held_pairs() -> tuple[tuple[Coloured, Coloured], ...]:
    """Every unordered pair of different coloured shapes that training never draws."""
    return tuple(pair for pair in combinations(coloured_shapes(), 2) if is_held(*pair))


def _rng(seed: int, index: int, split: Split) -> np.random.Generator:
    return np.random.default_rng([seed, index, ("train", "held", "any").index(split)])


def near(rng: np.random.Generator, colour: RGB, by: int) -> RGB:
    """A colour of which each channel differs by up to ``by``."""
    moved = np.clip(np.array(colour) + rng.integers(-by, by + 1, 3), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def draw_kinds(rng: np.random.Generator, count: int, split: Split) -> list[Coloured]:
    """Different coloured shapes whose pairs all belong to the split."""
    every = coloured_shapes()
    while True:
        picked = [every[i] for i in rng.choice(len(every), count, replace=False)]
        held = [is_held(*pair) for pair in combinations(picked, 2)]
        if split == "any" or all(h == (split == "held") for h in held):
            return picked


def _places(rng: np.random.Generator, count: int) -> list[str]:
    if count == 2 and rng.random() < 0.4:  # facing pairs let captions speak of relations
        pair = _FACING[int(rng.integers(2))]
        return [pair[i] for i in rng.permutation(2)]
    return [PLACES[i] for i in rng.choice(len(PLACES), count, replace=False)]


def item_at(rng: np.random.Generator, kind: Coloured, place: str) -> Item:
    """An object at one of ``PLACES``, of some size and texture."""
    shape, colour = kind
    dy, dx = _CENTRES[place]
    jitter = rng.uniform(-_JITTER, _JITTER, 2)
    return Item(
        shape=shape,
        colour=colour,
        texture=TEXTURES[int(rng.choice(3, p=[0.5, 0.25, 0.25]))],
        place=place,
        y=round(SIZE / 2 + dy + float(jitter[0]), 2),
        x=round(SIZE / 2 + dx + float(jitter[1]), 2),
        radius=round(float(rng.uniform(*_RADII)), 2),
        rgb=near(rng, COLOURS[colour], 8),
    )


def _seen_well(items: list[Item]) -> bool:
    """Whether enough of every object shows, and objects of one colour stay apart."""
    masks = []
    for item in items:
        mask = np.zeros((SIZE, SIZE), np.float32)
        where, patch = draw_item(replace(item, texture="plain"))
        mask[where] = patch[..., 3] > 127
        masks.append(mask)
    for back, front in combinations(range(len(items)), 2):
        hidden = float((masks[back] * masks[front]).sum())
        if items[back].colour == items[front].colour and hidden:
            return False
        if hidden > (1 - _LEAST_SEEN) * float(masks[back].sum()):
            return False
    return True


def _may_touch(items: list[Item]) -> bool:
    return any(
        np.hypot(a.y - b.y, a.x - b.x) < 1.15 * (a.radius + b.radius) + 4
        for a, b in combinations(items, 2)
    )


def _apart(items: list[Item]) -> bool:
    """Objects of one colour must not touch: nothing in the picture would tell them apart."""
    return all(
        a.colour != b.colour or np.hypot(a.y - b.y, a.x - b.x) > 1.1 * (a.radius + b.radius) + 3
        for a, b in combinations(items, 2)
    )


def drawable(items: list[Item]) -> bool:
    """Whether a scene of these objects, back to front, can be told apart by looking."""
    return _apart(items) and (not _may_touch(items) or _seen_well(items))


def draw_spec(seed: int, index: int, split: Split = "train", count: int | None = None) -> Spec:
    """Scene number ``index`` of a seed: 1 to 3 objects (mostly two), or exactly ``count``."""
    rng = _rng(seed, index, split)
    number = count or int(rng.choice([1, 2, 3], p=_COUNT_ODDS))
    kinds = draw_kinds(rng, number, split)
    background = list(BACKGROUNDS)[int(rng.integers(len(BACKGROUNDS)))]
    while True:
        places = _places(rng, number)
        items = [item_at(rng, *pair) for pair in zip(kinds, places, strict=True)]
        if drawable(items):
            break
    order = tuple(int(i) for i in rng.permutation(number))
    spec = Spec(background, near(rng, BACKGROUNDS[background], 5), tuple(items), order, "")
    return replace(spec, caption=write(spec.facts, draw_form(rng)))


def draw(seed: int, index: int, split: Split = "train", count: int | None = None) -> Scene:
    """Scene number ``index`` of a seed, drawn with its truth (see ``draw_spec``)."""
    return render(draw_spec(seed, index, split, count))


def scenes(
    seed: int, count: int, split: Split = "train", objects: int | None = None
) -> Iterator[Scene]:
    """The first ``count`` scenes of a seed."""
    return (draw(seed, index, split, objects) for index in range(count))
