"""The figures that are published: scorer, VAE and scenes, with their Wilson bounds."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.train.caption import Facts, parse
from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, SHAPES
from backend.train.scene import Bytes, Scene
from backend.train.scorer import Score, judge, score
from backend.train.vision import look
from backend.train.world import draw_spec, scenes

KINDS = ("count", "background", "shape", "colour", "place", "texture")
WRONG_KINDS = ("background", "shape", "colour", "place")


@dataclass(frozen=True)
class Rate:
    """How many of some trials went right, with the 95 % Wilson interval of their share."""

    right: int
    count: int

    @property
    def share(self) -> float:
        """The share that went right, 0..1."""
        return self.right / self.count if self.count else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper end of the Wilson interval, 0..1."""
        if not self.count:
            return 0.0, 1.0
        z, n, p = 1.959964, self.count, self.share
        middle = p + z * z / (2 * n)
        spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)

    def as_json(self) -> dict[str, float]:
        """Plain numbers for a report."""
        low, high = self.bounds
        return {
            "right": self.right,
            "count": self.count,
            "share": round(self.share, 4),
            "low": round(low, 4),
            "high": round(high, 4),
        }

    def __str__(self) -> str:
        low, high = self.bounds
        return f"{self.right}/{self.count} = {self.share:.1%} (95 %: {low:.1%} to {high:.1%})"


def rate(results: Iterable[bool]) -> Rate:
    """The rate of some outcomes."""
    outcomes = list(results)
    return Rate(sum(outcomes), len(outcomes))


def machine() -> dict[str, str | int]:
    """What the figures were measured on, without any name of the machine."""
    import torch

    name = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        lines = [line for line in cpu.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return {"cpu": name, "torch": torch.__version__, "threads": torch.get_num_threads()}


def held_captions(seed: int, count: int) -> list[str]:
    """Captions of two objects whose pair of coloured shapes training never drew."""
    return [draw_spec(seed, i, "held", 2).caption for i in range(count)]


@dataclass(frozen=True)
class SceneFigures:
    """How often pictures show their captions: the whole scene, and each kind of fact."""

    scene: Rate
    with_textures: Rate
    kinds: dict[str, Rate]


def scene_figures(pictures: Iterable[Bytes], captions: Sequence[str]) -> SceneFigures:
    """Judge pictures uint8 [h, w, 3] by their captions."""
    scores: list[Score] = [
        score(picture, parse(caption)) for picture, caption in zip(pictures, captions, strict=True)
    ]
    return SceneFigures(
        scene=rate(s.scene for s in scores),
        with_textures=rate(s.scene_and_textures for s in scores),
        kinds={kind: rate(s.right(kind) for s in scores) for kind in KINDS},
    )


def with_one_wrong(facts: Facts, kind: str, rng: np.random.Generator) -> Facts:
    """The facts with one of a kind changed ("background", "shape", "colour" or "place").

    A place changes to one that no object of the scene holds.
    """

    def other(words: Iterable[str], taken: set[str | None]) -> str:
        return str(rng.choice([word for word in words if word not in taken]))

    if kind == "background":
        return replace(facts, background=other(BACKGROUNDS, {facts.background}))
    which = int(rng.integers(len(facts.objects)))
    thing = facts.objects[which]
    if kind == "shape":
        changed = replace(thing, shape=other(SHAPES, {thing.shape}))
    elif kind == "colour":
        changed = replace(thing, colour=other(COLOURS, {thing.colour}))
    else:
        changed = replace(thing, place=other(PLACES, {item.place for item in facts.objects}))
    things = (*facts.objects[:which], changed, *facts.objects[which + 1 :])
    return replace(facts, objects=things)


@dataclass(frozen=True)
class ScorerFigures:
    """How the scorer does: true scenes found right, scenes with one fact wrong refused."""

    true: Rate
    textures: Rate
    refused: dict[str, Rate]


def scorer_figures(
    count: int, seed: int, change: Callable[[list[Scene]], Iterable[Bytes]] | None = None
) -> ScorerFigures:
    """The scorer's own figures on ``count`` true scenes of two objects.

    ``change`` may turn the scenes into other pictures of the same truth (a VAE's round trip).
    A scene with one fact wrong counts as refused when the scorer says that this fact is wrong.
    """
    drawn = list(scenes(seed, count, "any", 2))
    pictures = change(drawn) if change else [scene.pixels for scene in drawn]
    sights = [look(picture) for picture in pictures]
    facts = [scene.spec.facts for scene in drawn]
    true = [judge(*pair) for pair in zip(sights, facts, strict=True)]
    rng = np.random.default_rng(seed)
    refused = {
        kind: rate(
            not judge(sight, with_one_wrong(truth, kind, rng)).right(kind)
            for sight, truth in zip(sights, facts, strict=True)
        )
        for kind in WRONG_KINDS
    }
    return ScorerFigures(
        rate(s.scene for s in true), rate(s.right("texture") for s in true), refused
    )
