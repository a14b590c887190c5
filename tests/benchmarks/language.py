"""How well the world's language models do, on unseen scenes, beside doing without.

``python -m tests.benchmarks.language --count 300`` measures all of it; ``--part`` one of boxes,
captions, rewrite and encoder. Scenes of held-out pairs of two objects; lower ends of 95 %
intervals, Wilson's for shares.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.sdk import Conditioning
from backend.train.caption import Facts, parse
from backend.train.figures import machine, rate
from backend.train.language import corpus
from backend.train.scene import SIZE, Spec, picture
from backend.train.scorer import Verdict, judge, score
from backend.train.vision import Found, Sight
from backend.train.world import draw_spec
from nodes.language import caption_image, load_language_model, rewrite_prompt
from nodes.llm_encoder import llm_encoder
from nodes.planning import plan_boxes
from tests.benchmarks.creative import PRIMER, Desk, floats, parts

RESOURCES = PRIMER.parent
ASSETS = PRIMER.parents[2] / "workflows/assets"
Box = tuple[float, float, float, float]

# Where an object of a place lies in the mean, and how large it is: what the caption fixes.
_MIDDLES = {"left": (0.26, 0.5), "right": (0.74, 0.5), "top": (0.5, 0.26), "bottom": (0.5, 0.74)}
_SIDE = 38 / SIZE


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """The intersection over union of two boxes (x, y, width, height)."""
    sides = [
        max(0.0, min(first[i] + first[i + 2], second[i] + second[i + 2]) - max(first[i], second[i]))
        for i in (0, 1)
    ]
    shared = sides[0] * sides[1]
    return shared / max(first[2] * first[3] + second[2] * second[3] - shared, 1e-9)


def truth_of(spec: Spec) -> list[tuple[str, Box]]:
    """The words and the box of each object, in the caption's order."""
    items = [spec.items[number] for number in spec.order]
    return [(corpus.noun(item.facts), corpus.box_of(item)) for item in items]


def middle_boxes(spec: Spec) -> list[Box]:
    """The boxes of the mean object at the places that the caption names."""
    middles = [_MIDDLES[spec.items[number].place] for number in spec.order]
    return [(x - _SIDE / 2, y - _SIDE / 2, _SIDE, _SIDE) for x, y in middles]


def box_matches(spec: Spec, told: Sequence[dict[str, object]], by_words: bool) -> list[float]:
    """The overlap of each true box with the one told for it: by its words, 0 where none has them,
    or (for the boxes of another caption) by its number."""
    found = []
    for number, (words, box) in enumerate(truth_of(spec)):
        hits = [each for each in told if each["caption"] == words] if by_words else [
            told[min(number, len(told) - 1)]]  # fmt: skip
        found.append(overlap(np.array(hits[0]["box"], float).tolist(), box) if hits else 0.0)
    return found


def lower(values: Sequence[float]) -> str:
    half = 1.96 * float(np.std(values)) / len(values) ** 0.5
    return f"{np.mean(values):.3f} (from {np.mean(values) - half:.3f})"


def boxes(desk: Desk, count: int, seed: int) -> None:
    """Boxes that the language model writes for a caption, against those of the scene.

    Each caption says where every object lies, so that the true box is fixed but for 4 pixels each
    way and a radius of 17 to 23. The middle of that is the most that a caption can tell.
    """
    model = load_language_model(desk, "language")
    specs = [draw_spec(seed, i, "held", 2) for i in range(count)]
    told = [json.loads(plan_boxes(desk, model, spec.caption)) for spec in specs]
    own = [m for spec, each in zip(specs, told, strict=True) for m in box_matches(spec, each, True)]
    turned = [*told[1:], told[0]]
    other = [
        m for spec, each in zip(specs, turned, strict=True) for m in box_matches(spec, each, False)
    ]
    best = [
        overlap(box, true)
        for spec in specs
        for box, (_, true) in zip(middle_boxes(spec), truth_of(spec), strict=True)
    ]
    print(f"boxes     mean IoU {lower(own)}   above 0.5 {rate(m > 0.5 for m in own)}")
    print(f"  of another caption {lower(other)}, middle of what the caption allows {lower(best)}")


def verdicts(told: str, facts: Facts) -> tuple[Verdict, ...]:
    """Which facts of a scene a caption tells rightly."""
    said = parse(told)
    things = tuple(
        Found(thing.shape, thing.colour, thing.texture, thing.place, 0, 0, 1)
        for thing in said.objects[:6]
    )
    return judge(Sight(said.background, things), facts).verdicts


def captions(desk: Desk, count: int, seed: int) -> None:
    """Captions of scenes, against their truth, and against that of other scenes."""
    model = load_language_model(desk, "captions")
    specs = [draw_spec(seed, i, "held", 2) for i in range(count)]
    told = caption_image(desk, model, floats([picture(spec) for spec in specs]), max_tokens=60)
    for name, said in (("captions", told), ("  of another picture", [*told[1:], told[0]])):
        judged = [verdicts(each, spec.facts) for each, spec in zip(said, specs, strict=True)]
        facts = rate(verdict.right for each in judged for verdict in each)
        whole = rate(all(verdict.right for verdict in each) for each in judged)
        print(f"{name:10} facts right {facts}   all of a scene {whole}")
        if name == "captions":
            for kind in ("count", "background", "shape", "colour", "texture", "place"):
                of_kind = [v.right for each in judged for v in each if v.kind == kind]
                print(f"  {kind:10} {rate(of_kind)}")


def rewrite(desk: Desk, count: int, seed: int) -> None:
    """Short prompts that become whole captions: the facts they state stay as they are."""
    model = load_language_model(desk, "language")
    kept, whole = [], []
    for index in range(count):
        facts = draw_spec(seed, index, "held", 2).facts
        short = corpus.short(facts, np.random.default_rng([seed, index]))
        made = parse(rewrite_prompt(desk, model, short, temperature=0.0, max_tokens=60)[0])
        kept.append(_keeps(short.lower(), facts, made))
        whole.append(all(thing.place for thing in made.objects) and made.background is not None)
    print(f"rewrite   stated facts kept {rate(kept)}   places and background told {rate(whole)}")


def _keeps(short: str, facts: Facts, made: Facts) -> bool:
    if len(made.objects) != len(facts.objects):
        return False
    pairs = list(zip(facts.objects, made.objects, strict=True))
    placed = any(f" {thing.place}" in short for thing in facts.objects)
    return all(
        a.shape == b.shape
        and (a.colour not in short or a.colour == b.colour)
        and (a.texture not in short or a.texture == b.texture)
        and (not placed or a.place == b.place)
        for a, b in pairs
    ) and (facts.background not in short.split() or facts.background == made.background)


def joined(each: Sequence[Conditioning]) -> Conditioning:
    """One conditioning with an entry for each of some."""
    names = each[0].tensors
    tensors = {name: np.concatenate([one.tensors[name] for one in each]) for name in names}
    return Conditioning(each[0].space, tensors, each[0].params)


def encoder(desk: Desk, count: int, seed: int, file: str) -> None:
    """Pictures by the language model and its refiner, against those by the model's own encoder."""
    model = load_language_model(desk, "language")

    def by_model(texts: Sequence[str]) -> Conditioning:
        return joined([llm_encoder(desk, model, file, text) for text in texts])

    ways: dict[str, Callable[[Sequence[str]], Conditioning]] = {
        "usual": desk.texts,
        "LLM": by_model,
    }
    right: dict[str, list[bool]] = {name: [] for name in ways}
    for numbers in parts(count):
        specs = [draw_spec(seed, i, "held", 2) for i in numbers]
        for name, way in ways.items():
            told, empty = way([spec.caption for spec in specs]), way([""])
            made = desk.made(desk.found.model, told, empty, len(specs), seed + numbers[0])
            right[name] += [score(m, s.facts).scene for m, s in zip(made, specs, strict=True)]
    for name, hits in right.items():
        print(f"encoder   {name:6} scene right {rate(hits)}")
    lost = (np.mean(right["usual"]) - np.mean(right["LLM"])) * 100
    print(f"  lost by the LLM encoder: {lost:.1f} points")


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--part", choices=["boxes", "captions", "rewrite", "encoder", "all"],
                        default="all")  # fmt: skip
    reader.add_argument("--language", type=Path, default=RESOURCES / "primer-language")
    reader.add_argument("--captions", type=Path, default=RESOURCES / "primer-captions")
    reader.add_argument("--refiner", default=str(ASSETS / "primer-language-refiner.safetensors"))
    reader.add_argument("--count", type=int, default=300)
    reader.add_argument("--seed", type=int, default=2027)
    given = reader.parse_args()
    began = time.monotonic()
    desk = Desk(PRIMER)
    desk.folders = {**desk.folders, "language": given.language, "captions": given.captions}
    for part in (boxes, captions, rewrite):
        if given.part in ("all", part.__name__):
            part(desk, given.count, given.seed)
    if given.part in ("all", "encoder"):
        encoder(desk, given.count, given.seed, given.refiner)
    seconds = time.monotonic() - began
    print(f"{given.count} scenes, seed {given.seed}, {seconds:.0f} s, {machine()}")


if __name__ == "__main__":
    main()
