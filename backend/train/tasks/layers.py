"""Layers: a scene of things that cover one another, and each of them whole and by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np

from backend.train.adapter.sets import Drawn
from backend.train.caption import write
from backend.train.palette import BACKGROUNDS, COLOURS, TEXTURES
from backend.train.scene import SIZE, Bytes, Item, Scene, Spec, render
from backend.train.task import Task
from backend.train.world import Coloured, Split, draw_kinds, near

BACKGROUND: Final = "the background"
GREY: Final = 128
"""What lies behind a thing in the panel of its colours."""

ODDS: Final = np.array([0.15, 0.55, 0.3])
"""Of one, two and three things."""

RADII: Final = (17.0, 25.0)
MARGIN: Final = 5.0
LEAST_SEEN: Final = 0.5
COVERED: Final = 0.93
"""Shares of a thing's own area that show: at least, and at most where it is said to be covered."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A scene, and the words for each of its layers: the background, then things from the back to
    the front."""

    scene: Scene
    words: tuple[str, ...]

    def panels(self, number: int) -> Bytes:
        """A layer as two pictures side by side uint8 ``[h, 2 w, 3]``: its colours, over grey where
        nothing is, and its alpha."""
        layer = self.scene.layers[number].astype(np.float32)
        alpha = layer[..., 3:] / 255
        colours = np.rint(alpha * layer[..., :3] + (1 - alpha) * GREY)
        return np.concatenate([colours, layer[..., 3:].repeat(3, -1)], 1).astype(np.uint8)


def draw_stack(seed: int, index: int, split: Split = "train", count: int | None = None) -> Stack:
    """Scene number ``index`` of a seed: 1 to 3 things, or exactly ``count``, of which each shows at
    least ``LEAST_SEEN``; two or more lie so that one covers another in most."""
    rng = np.random.default_rng([seed, index, 97, ("train", "held", "any").index(split)])
    number = count or int(rng.choice([1, 2, 3], p=ODDS))
    kinds = draw_kinds(rng, number, split)
    background = list(BACKGROUNDS)[int(rng.integers(len(BACKGROUNDS)))]
    ground = near(rng, BACKGROUNDS[background], 5)
    covering = len({colour for _, colour in kinds}) > 1 and rng.random() < 0.8
    while True:
        items = tuple(_anywhere(rng, kind) for kind in kinds)
        if not _told_apart(items) or (covering and not _close(items)):
            continue
        scene = render(Spec(background, ground, items, tuple(range(number)), ""))
        least = min(float(each.visible.sum() / each.mask.sum()) for each in scene.objects)
        if least >= LEAST_SEEN and (least < COVERED or not covering):
            break
    words = (BACKGROUND, *(f"the {item.colour} {item.shape}" for item in items))
    spec = replace(scene.spec, caption=write(scene.spec.facts))
    return Stack(replace(scene, spec=spec), words)


def _anywhere(rng: np.random.Generator, kind: Coloured) -> Item:
    shape, colour = kind
    radius = round(float(rng.uniform(*RADII)), 2)
    y, x = (round(float(v), 2) for v in rng.uniform(radius + MARGIN, SIZE - radius - MARGIN, 2))
    texture = TEXTURES[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
    return Item(shape, colour, texture, "", y, x, radius, near(rng, COLOURS[colour], 8))


def _distance(a: Item, b: Item) -> float:
    return float(np.hypot(a.y - b.y, a.x - b.x))


def _told_apart(items: tuple[Item, ...]) -> bool:
    """Whether no two things of one colour touch."""
    return all(
        a.colour != b.colour or _distance(a, b) > 1.1 * (a.radius + b.radius) + 3
        for a, b in combinations(items, 2)
    )


def _close(items: tuple[Item, ...]) -> bool:
    return any(_distance(a, b) < a.radius + b.radius for a, b in combinations(items, 2))


def prompt(words: str) -> str:
    """What a model is told to take a layer out."""
    return f"layer: {words}"


def example(seed: int, index: int) -> Drawn:
    """A layer of a scene to learn from, beside the whole scene."""
    drawn = draw_stack(seed, index)
    number = int(np.random.default_rng([seed, index, 98]).integers(len(drawn.words)))
    return Drawn(drawn.panels(number), prompt(drawn.words[number]), (drawn.scene.pixels,))


LAYERS: Final = Task("layers", "one layer of a scene, its colours and its alpha", "layers", example)
