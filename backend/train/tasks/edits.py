"""Edits: a scene, one instruction, and the scene as it is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.train.adapter.sets import Drawn
from backend.train.caption import write
from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, SHAPES, TEXTURES
from backend.train.scene import SIZE, Item, Spec, draw_item, picture
from backend.train.task import Task
from backend.train.world import Split, draw_spec, drawable, item_at, near

KINDS: Final = ("recolour", "retexture", "move", "add", "remove", "background")
"""What may be asked for."""

_TRIES: Final = 20


@dataclass(frozen=True)
class Edit:
    """A scene before and after, and the words that ask for it.

    ``kind`` is one of ``KINDS``; ``touched`` are the objects, as they are before and after, whose
    pixels may change (none for a background, which changes all that is no object).
    """

    kind: str
    before: Spec
    after: Spec
    instruction: str
    touched: tuple[Item, ...]


def draw_edit(seed: int, index: int, split: Split = "train", kind: str | None = None) -> Edit:
    """Edit number ``index`` of a seed: of a kind, or of the kinds in turn."""
    rng = np.random.default_rng([seed, index, 31, ("train", "held", "any").index(split)])
    wanted, attempt = kind or KINDS[index % len(KINDS)], 0
    while True:
        count = 2 if wanted == "remove" else None
        before = draw_spec(seed + 7919 * attempt, index, split, count)
        for _ in range(_TRIES):
            found = _EDITS[wanted](before, rng)
            if found is not None and drawable(list(found.after.items)):
                return found
        attempt += 1


def untouched(edit: Edit) -> NDArray[np.bool_]:
    """The pixels that an edit of objects leaves alone, ``[size, size]``, with a rim of 3 pixels."""
    free = np.ones((SIZE, SIZE), bool)
    for item in edit.touched:
        (rows, columns), _ = draw_item(item)
        high, left = max(0, rows.start - 3), max(0, columns.start - 3)
        free[high : rows.stop + 3, left : columns.stop + 3] = False
    return free


def example(seed: int, index: int) -> Drawn:
    """An edit to learn from: what comes out, the instruction, and what it is made from."""
    edit = draw_edit(seed, index)
    return Drawn(picture(edit.after), edit.instruction, (picture(edit.before),))


def _noun(item: Item) -> str:
    return f"the {item.colour} {item.shape}"


def _with(spec: Spec, items: tuple[Item, ...]) -> Spec:
    """The scene with other objects, and words that fit them."""
    changed = replace(spec, items=items, order=tuple(range(len(items))))
    return replace(changed, caption=write(changed.facts))


def _swap(spec: Spec, old: Item, new: Item) -> Spec:
    return _with(spec, tuple(new if item is old else item for item in spec.items))


def _pick(rng: np.random.Generator, spec: Spec) -> Item:
    return spec.items[int(rng.integers(len(spec.items)))]


def _other(rng: np.random.Generator, words: tuple[str, ...], taken: set[str]) -> str:
    return str(rng.choice([word for word in words if word not in taken]))


def _recolour(spec: Spec, rng: np.random.Generator) -> Edit | None:
    old = _pick(rng, spec)
    colour = _other(rng, tuple(COLOURS), {item.colour for item in spec.items})
    new = replace(old, colour=colour, rgb=near(rng, COLOURS[colour], 8))
    told = f"make {_noun(old)} {colour}"
    return Edit("recolour", spec, _swap(spec, old, new), told, (old, new))


def _retexture(spec: Spec, rng: np.random.Generator) -> Edit | None:
    old = _pick(rng, spec)
    new = replace(old, texture=_other(rng, TEXTURES, {old.texture}))
    told = f"make {_noun(old)} {new.texture}"
    return Edit("retexture", spec, _swap(spec, old, new), told, (old, new))


def _move(spec: Spec, rng: np.random.Generator) -> Edit | None:
    old = _pick(rng, spec)
    place = _other(rng, PLACES, {item.place for item in spec.items})
    there = item_at(rng, (old.shape, old.colour), place)
    new = replace(old, place=place, y=there.y, x=there.x)
    told = f"move {_noun(old)} to the {place}"
    return Edit("move", spec, _swap(spec, old, new), told, (old, new))


def _add(spec: Spec, rng: np.random.Generator) -> Edit | None:
    if len(spec.items) > 2:
        return None
    place = _other(rng, PLACES, {item.place for item in spec.items})
    colour = _other(rng, tuple(COLOURS), {item.colour for item in spec.items})
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    new = replace(item_at(rng, (shape, colour), place), texture="plain")
    where = {"left": "on the left", "right": "on the right"}.get(place, f"at the {place}")
    article = "an" if colour[0] in "aeiou" else "a"
    told = f"add {article} {colour} {shape} {where}"
    return Edit("add", spec, _with(spec, (*spec.items, new)), told, (new,))


def _remove(spec: Spec, rng: np.random.Generator) -> Edit | None:
    old = _pick(rng, spec)
    left = tuple(item for item in spec.items if item is not old)
    return Edit("remove", spec, _with(spec, left), f"remove {_noun(old)}", (old,))


def _background(spec: Spec, rng: np.random.Generator) -> Edit | None:
    name = _other(rng, tuple(BACKGROUNDS), {spec.background})
    ground = near(rng, BACKGROUNDS[name], 5)
    after = _with(replace(spec, background=name, ground=ground), spec.items)
    return Edit("background", spec, after, f"make the background {name}", ())


_EDITS: Final[Mapping[str, Callable[[Spec, np.random.Generator], Edit | None]]] = MappingProxyType(
    {
        "recolour": _recolour,
        "retexture": _retexture,
        "move": _move,
        "add": _add,
        "remove": _remove,
        "background": _background,
    }
)


EDITS: Final = Task("edits", "a scene changed as an instruction says", "reference", example)
