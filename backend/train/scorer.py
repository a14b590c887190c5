"""The scorer: which facts of a caption a picture shows, by image analysis alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from backend.train.caption import Facts, ObjectFacts
from backend.train.scene import Bytes
from backend.train.vision import Found, Sight, look


@dataclass(frozen=True)
class Verdict:
    """Whether one fact holds. ``thing`` is the object's number in the caption, None for the scene.

    ``kind`` is "background", "count", "shape", "colour", "place" or "texture".
    """

    kind: str
    thing: int | None
    wanted: str
    found: str | None

    @property
    def right(self) -> bool:
        """Whether the picture shows what was wanted."""
        return self.wanted == self.found


@dataclass(frozen=True)
class Score:
    """The verdict on every fact of a caption."""

    verdicts: tuple[Verdict, ...]

    @property
    def scene(self) -> bool:
        """Background, number of objects, every shape, colour and place right."""
        return all(v.right for v in self.verdicts if v.kind != "texture")

    @property
    def scene_and_textures(self) -> bool:
        """The scene right, and every texture too."""
        return all(v.right for v in self.verdicts)

    def right(self, kind: str) -> bool:
        """Whether every fact of one kind holds."""
        return all(v.right for v in self.verdicts if v.kind == kind)


def _verdicts(number: int, wanted: ObjectFacts, found: Found | None) -> tuple[Verdict, ...]:
    pairs = [
        ("shape", wanted.shape, found.shape if found else None),
        ("colour", wanted.colour, found.colour if found else None),
        ("texture", wanted.texture, found.texture if found else None),
    ]
    if wanted.place:
        pairs.append(("place", wanted.place, found.place if found else None))
    return tuple(Verdict(kind, number, want, got) for kind, want, got in pairs)


def judge(sight: Sight, facts: Facts) -> Score:
    """Hold what was seen against a caption's facts.

    Objects are matched to the caption so that most facts are right; with more or fewer objects
    than the caption has, the count is wrong and what is missing has no right fact.
    """
    wanted = facts.objects
    seen: list[Found | None] = list(sight.objects)
    seen += [None] * (len(wanted) - len(seen))
    if len(seen) > 6:  # a picture in pieces: too many ways to match, and wrong in any
        seen = seen[:6]
    options = [
        tuple(
            v for i, pair in enumerate(zip(wanted, order, strict=True)) for v in _verdicts(i, *pair)
        )
        for order in permutations(seen, len(wanted))
    ]
    best = max(options, key=lambda verdicts: sum(v.right for v in verdicts))
    scene = [Verdict("count", None, str(len(wanted)), str(len(sight.objects)))]
    if facts.background:
        scene.append(Verdict("background", None, facts.background, sight.background))
    return Score((*scene, *best))


def score(pixels: Bytes, facts: Facts) -> Score:
    """Judge a picture uint8 [h, w, 3] by a caption's facts (see ``caption.parse``)."""
    return judge(look(pixels), facts)
