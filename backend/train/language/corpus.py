"""The texts that the language model learns from: captions to go on with, to rewrite, and boxes.

Everything follows from a seed and an index, as the scenes do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from backend.train.caption import Facts, ObjectFacts, draw_form, garnish, write
from backend.train.language.tokenizer import ANSWER, BOXES, END, REWRITE, START
from backend.train.scene import SIZE, Item, Spec, draw_item
from backend.train.world import Split, draw_spec

Text = tuple[str, str]
"""What is given, and what is to be written after it."""

TASKS: Final = ("go on", "rewrite", "boxes", "rewrite with ground")


def draw(seed: int, index: int, task: str, split: Split = "train") -> Text:
    """Text number ``index`` of a seed for one of ``TASKS``."""
    spec = draw_spec(seed, index, split)
    rng = np.random.default_rng([seed, index, 11, TASKS.index(task)])
    caption = spoken(spec.caption, rng)
    if task == "boxes":
        return f"{START}{BOXES}{caption}{ANSWER}", f"{boxes_json(spec)}{END}"
    if task.startswith("rewrite"):
        asked = short(spec.facts, rng, 1.0 if task.endswith("ground") else 0.35)
        return f"{START}{REWRITE}{asked}{ANSWER}", f"{spec.caption}{END}"
    return START, f"{caption}{END}"


def spoken(caption: str, rng: np.random.Generator) -> str:
    """A caption, now and then with a capital or with words around it."""
    chance = rng.random()
    if chance < 0.08:
        return garnish(caption, rng)
    return caption[0].upper() + caption[1:] if chance < 0.25 else caption


def noun(item: ObjectFacts) -> str:
    """The words of one object without its place: "a striped red circle"."""
    return write(Facts((replace(item, place=None),)))


def box_of(item: Item) -> tuple[float, float, float, float]:
    """Left, top, width and height of an object, as shares of the picture's sides."""
    (rows, columns), patch = draw_item(item)
    seen = patch[..., 3] > 0
    ys, xs = np.nonzero(seen.any(1))[0], np.nonzero(seen.any(0))[0]
    left, top = columns.start + int(xs[0]), rows.start + int(ys[0])
    width, height = int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1
    return left / SIZE, top / SIZE, width / SIZE, height / SIZE


def boxes_json(spec: Spec) -> str:
    """The objects of a scene in the caption's order, as the JSON of a layout on one line."""
    told = []
    for number in spec.order:
        item = spec.items[number]
        box = ",".join(f"{value:.2f}" for value in box_of(item))
        told.append(f'{{"box":[{box}],"caption":"{noun(item.facts)}"}}')
    return f"[{','.join(told)}]"


_SIDES: Final = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}
_PHRASES: Final = {
    "left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom",
}  # fmt: skip
_JOINTS: Final = (", ", ", ", " and ", ", and ", " with ")


def short(facts: Facts, rng: np.random.Generator, ground_share: float = 0.35) -> str:
    """A short prompt as people write it, that states some of the facts of a scene; so many of them
    name the background."""
    article, placed = rng.random() < 0.3, rng.random()
    words = []
    for item in facts.objects:
        name = [item.shape]
        if rng.random() < 0.93:
            name.insert(0, item.colour)
        if item.texture != "plain" and rng.random() < 0.7:
            name.insert(0, item.texture)
        if article:
            name.insert(0, "an" if name[0][0] in "aeiou" else "a")
        if item.place and placed < 0.4:
            name.append(_SIDES[item.place] if placed < 0.12 else _PHRASES[item.place])
        words.append(" ".join(name))
    joint = str(rng.choice(_JOINTS))
    text = joint.join(words) if len(words) < 3 else ", ".join(words)
    if rng.random() < ground_share:
        ground = str(rng.choice([", {} background", " on {}", " on a {} background"]))
        text += ground.format(facts.background)
    if rng.random() < 0.2:
        text = text[0].upper() + text[1:]
    return text + "." if rng.random() < 0.1 else text


def description(spec: Spec) -> str:
    """What the image-text model is to say of a scene: all facts, objects from the top left on."""
    order = sorted(spec.items, key=lambda item: (item.y + item.x, item.y))
    return write(Facts(tuple(item.facts for item in order), spec.background), "sentence")


def captions(seed: int, count: int, split: Split = "train") -> list[str]:
    """Captions as people write them: a few with filler words, some with facts left out."""
    told = []
    for index in range(count):
        spec = draw_spec(seed, index, split)
        rng = np.random.default_rng([seed, index, 12])
        chance, facts = rng.random(), spec.facts
        if chance < 0.1:
            ground = facts.background if rng.random() < 0.5 else None
            facts = Facts(facts.objects, ground)
            told.append(write(facts, draw_form(rng)))
        else:
            told.append(spoken(spec.caption, rng))
    return told
