"""How well pictures obey the boxes of a layout, on unseen scenes, beside doing without.

``python -m tests.benchmarks.layout [--file ADAPTER] --count 300``: the mean overlap (IoU) of each
asked box with that of the object measured in the picture, 0 where it is missing, and how many
objects have the asked shape and colour; lower ends of 95 % intervals beside both (Wilson's for
shares). The pairs of coloured shapes are held out of Primer's training and the adapter's.

``anywhere``: objects anywhere and of any size, captions that tell no places. Primer's own training
told a place in each caption and knew four of them. ``places``: objects about these four, the
captions still tell none; what needs no training is measured there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.sdk import Conditioning, Guider, Layout, Model
from backend.train.caption import write
from backend.train.figures import machine, rate
from backend.train.scene import SIZE, Bytes
from backend.train.tasks.boxes import Boxes, Obeyed, box_of, draw_boxes, obeyed
from backend.train.world import draw_spec
from backend.values import Box
from nodes.latents import empty_latent, vae_decode
from nodes.regions import layout_adapter, layout_guidance, regional_prompts
from nodes.sampling import noise, sample_with_parts, schedule, solver
from tests.benchmarks.creative import PRIMER, Desk, codes

Way = Callable[[Desk, Boxes, int], Bytes]


def about_places(seed: int, index: int) -> Boxes:
    """A scene as Primer knows them, whose caption keeps its places to itself."""
    spec = draw_spec(seed, index, "held", 2)
    spec = replace(spec, items=tuple(replace(item, place="") for item in spec.items))
    spec = replace(spec, caption=write(spec.facts))
    return Boxes(spec, tuple(box_of(spec.items[i]) for i in spec.order))


def _plain(desk: Desk, model: Model, given: Boxes, seed: int) -> Bytes:
    said: Conditioning = desk.texts([given.spec.caption])
    return desk.made(model, said, desk.empty, 1, seed)[0]


def _layout(boxes: Sequence[Box]) -> Layout:
    return Layout(tuple(boxes), SIZE, SIZE)


def none(desk: Desk, given: Boxes, seed: int) -> Bytes:
    """The prompt alone."""
    return _plain(desk, desk.found.model, given, seed)


def regional(desk: Desk, given: Boxes, seed: int) -> Bytes:
    """Each box with a prompt of its own, that tells the place as a person would."""
    ground = f"on a {given.spec.background} background"
    boxes = [replace(box, caption=f"a {box.caption} {_place(box)}, {ground}")
             for box in given.boxes]  # fmt: skip
    positive = desk.texts([given.spec.caption])
    guider: Guider = regional_prompts(
        desk, desk.found.model, desk.found.text_encoder, positive, desk.empty,
        layout=_layout(boxes), strength=1.0,
    )  # fmt: skip
    latent = empty_latent(desk, desk.found.model, SIZE, SIZE, 1)
    parts = solver(desk), schedule(desk, "native", 28), noise(desk, seed=seed)
    return codes(vae_decode(desk, desk.found.vae, sample_with_parts(desk, guider, *parts, latent)))[
        0
    ]


def _place(box: Box) -> str:
    across, down = box.x + box.width / 2 - 0.5, box.y + box.height / 2 - 0.5
    if abs(across) > abs(down):
        return "on the left" if across < 0 else "on the right"
    return "at the top" if down < 0 else "at the bottom"


def guidance(desk: Desk, given: Boxes, seed: int) -> Bytes:
    """Layout guidance as its node offers it."""
    one, prompt = desk.found, given.spec.caption
    model = layout_guidance(desk, one.model, one.text_encoder, _layout(given.boxes), prompt)
    return _plain(desk, model, given, seed)


def adapter(file: str) -> Way:
    """A trained adapter at strength 1."""

    def made(desk: Desk, given: Boxes, seed: int) -> Bytes:
        one = desk.found
        model = layout_adapter(desk, one.model, one.text_encoder, _layout(given.boxes), file)
        return _plain(desk, model, given, seed)

    return made


def row(name: str, found: Sequence[Sequence[Obeyed]]) -> str:
    """A line of the table."""
    each = [one for scene in found for one in scene]
    overlaps = np.array([one.iou for one in each])
    low = overlaps.mean() - 1.96 * overlaps.std() / max(len(overlaps), 1) ** 0.5
    right, textures = rate(one.right for one in each), rate(one.texture for one in each)
    return (
        f"{name:9} IoU {overlaps.mean():.3f} (from {low:.3f})   shape and colour {right}   "
        f"texture {textures}"
    )


def scenes(kind: str, count: int, objects: int, seed: int) -> Iterator[Boxes]:
    for index in range(count):
        if kind == "places":
            yield about_places(seed, index)
        else:
            yield draw_boxes(seed, index, "held" if objects > 1 else "any", objects)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--file", default="", help="the adapter; without it the row is left out")
    reader.add_argument("--model", type=Path, default=PRIMER)
    reader.add_argument("--count", type=int, default=300)
    reader.add_argument("--objects", type=int, default=2)
    reader.add_argument("--seed", type=int, default=2027)
    reader.add_argument("--ways", default="none,regional,guidance,adapter")
    reader.add_argument("--kinds", default="anywhere,places")
    given = reader.parse_args()
    ways: dict[str, Way] = {"none": none, "regional": regional, "guidance": guidance}
    if given.file:
        ways["adapter"] = adapter(given.file)
    desk = Desk(given.model)
    for kind in given.kinds.split(","):
        asked = list(scenes(kind, given.count, given.objects, given.seed))
        print(kind)
        for name in [name for name in given.ways.split(",") if name in ways]:
            began = time.monotonic()
            found = [
                obeyed(ways[name](desk, each, given.seed + number), each)
                for number, each in enumerate(asked)
            ]
            pace = (time.monotonic() - began) / max(len(asked), 1)
            print(f"  {row(name, found)}   {pace:.1f} s each", flush=True)
    print(f"{given.count} scenes, seed {given.seed}, {machine()}")


if __name__ == "__main__":
    main()
