"""Captions: the facts of a scene in words, and back from words to facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, SHAPES, TEXTURES


@dataclass(frozen=True)
class ObjectFacts:
    """What a caption says of one object; ``None`` where it does not say."""

    shape: str
    colour: str
    texture: str = "plain"
    place: str | None = None


@dataclass(frozen=True)
class Facts:
    """What a caption says of a scene, objects in the order of the caption."""

    objects: tuple[ObjectFacts, ...]
    background: str | None = None


FORMS: Final[tuple[str, ...]] = ("sentence", "leading", "list", "labels", "relation")
_FORM_WEIGHTS: Final = np.array([0.4, 0.15, 0.15, 0.1, 0.2])

_PHRASES: Final = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
}
_RELATIONS: Final = {
    ("left", "right"): "to the left of",
    ("right", "left"): "to the right of",
    ("top", "bottom"): "above",
    ("bottom", "top"): "below",
}


def _noun(item: ObjectFacts) -> str:
    words = [item.colour, item.shape]
    if item.texture != "plain":
        words.insert(0, item.texture)
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([article, *words])


def _placed(item: ObjectFacts) -> str:
    return f"{_noun(item)} {_PHRASES[item.place]}" if item.place else _noun(item)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def relation(facts: Facts) -> str | None:
    """The words that say both places of a facing pair ("above"), or None where none fit."""
    if len(facts.objects) != 2:
        return None
    first, second = (item.place for item in facts.objects)
    return _RELATIONS.get((first, second)) if first and second else None


def write(facts: Facts, form: str = "sentence") -> str:
    """The caption of some facts in one of ``FORMS``.

    "relation" fits two objects that face each other; elsewhere it falls back to "sentence".
    """
    ground = f"{facts.background} background" if facts.background else ""
    words = relation(facts)
    if form == "relation" and words:
        body = f"{_noun(facts.objects[0])} {words} {_noun(facts.objects[1])}"
        return f"{body} on a {ground}" if ground else body
    if form == "labels" and all(item.place for item in facts.objects):
        parts = [f"{item.place}: {_noun(item)}" for item in facts.objects]
        return ", ".join([*parts, ground] if ground else parts)
    placed = [_placed(item) for item in facts.objects]
    if form == "list":
        return ", ".join([*placed, ground] if ground else placed)
    if form == "leading" and ground:
        return f"on a {ground}, {_joined(placed)}"
    return f"{_joined(placed)}, on a {ground}" if ground else _joined(placed)


def draw_form(rng: np.random.Generator) -> str:
    """One of ``FORMS`` at the odds that training and scoring use."""
    return str(rng.choice(FORMS, p=_FORM_WEIGHTS))


_FILLERS: Final = (
    "a picture of {}",
    "a photo of {}",
    "an image of {}",
    "a drawing with {}",
    "a scene with {}",
    "there is {}",
    "a simple picture of {}",
    "{} please",
    "{}, nice style",
    "{}.",
    "picture: {}",
    "a bright painting showing {}",
    "{}",
    "{}",
    "{}",
)


def garnish(caption: str, rng: np.random.Generator) -> str:
    """A caption with words around it that state no fact, as people write them."""
    spoken = str(rng.choice(_FILLERS)).format(caption)
    return spoken[0].upper() + spoken[1:] if rng.random() < 0.5 else spoken


_NOUN_PATTERN: Final = re.compile(
    rf"\b(?:(?P<texture>{'|'.join(TEXTURES)}) )?"
    rf"(?P<colour>{'|'.join(COLOURS)}) (?P<shape>{'|'.join(SHAPES)})\b"
)
_GROUND_PATTERN: Final = re.compile(rf"\b({'|'.join(BACKGROUNDS)}) background\b")
_PLACE_PATTERN: Final = re.compile(rf"\b({'|'.join(PLACES)})\b")
_LABEL_PATTERN: Final = re.compile(rf"\b({'|'.join(PLACES)}): an? $")
_RELATION_WORDS: Final = {words: places for places, words in _RELATIONS.items()}
_RELATION_PATTERN: Final = re.compile(rf"^ ({'|'.join(_RELATION_WORDS)}) an? $")


def parse(text: str) -> Facts:
    """The facts that a caption of this world states.

    Reads every form of ``write``. Text outside the grammar gives no objects or facts.
    """
    lowered = " ".join(text.lower().split())
    nouns = list(_NOUN_PATTERN.finditer(lowered))
    starts = [noun.start() for noun in nouns] + [len(lowered)]
    ends = [0] + [noun.end() for noun in nouns]
    gaps = [lowered[end:start] for end, start in zip(ends, starts, strict=True)]
    ground = _GROUND_PATTERN.search(lowered)
    return Facts(
        objects=tuple(
            ObjectFacts(noun["shape"], noun["colour"], noun["texture"] or "plain", place)
            for noun, place in zip(nouns, _places(gaps), strict=True)
        ),
        background=ground[1] if ground else None,
    )


def nouns(text: str) -> tuple[tuple[int, int], ...]:
    """Where each object's words ("striped red circle") start and end in a caption."""
    return tuple(found.span() for found in _NOUN_PATTERN.finditer(text.lower()))


def _places(gaps: list[str]) -> list[str | None]:
    """The place of each object from the texts before, between and after the objects."""
    if len(gaps) == 3 and (found := _RELATION_PATTERN.match(gaps[1])):
        return list(_RELATION_WORDS[found[1]])
    if any(_LABEL_PATTERN.search(gap) for gap in gaps[:-1]):
        labels = [_LABEL_PATTERN.search(gap) for gap in gaps[:-1]]
        return [label[1] if label else None for label in labels]
    found_after = [_PLACE_PATTERN.search(gap) for gap in gaps[1:]]
    return [found[1] if found else None for found in found_after]
