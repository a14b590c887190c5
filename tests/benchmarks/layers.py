"""How well pictures with alpha come out, on unseen scenes, beside doing without the method.

``python -m tests.benchmarks.layers rgba --count 300``: lower ends of 95 % Wilson intervals.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from backend.media.pixels.cutout import Cut, cut_out
from backend.train.caption import nouns
from backend.train.figures import machine, rate
from backend.train.scene import Bytes
from backend.train.vision import _cores, _extend, _ground, _labels, _palette
from backend.train.world import draw_spec
from nodes.latents import empty_latent, vae_decode
from nodes.rgba import generate_rgba
from nodes.sampling import sample
from tests.benchmarks.creative import PRIMER, Desk, codes

SIZE = 128
MARGIN = SIZE // 16
OTHER = np.array([0.1, 0.9, 0.4], np.float32)
"""The new background on which fringes are looked for."""


class Truth:
    """What a made picture shows, by plain image analysis: the subject's mask, and its coverage and
    colour by the palette."""

    def __init__(self, picture: Bytes) -> None:
        values = picture.astype(np.float32)
        _, ground = _ground(values)
        cores = _cores(_labels(values, ground))
        masks = _extend(values, ground, cores) if cores else []
        self.mask = np.logical_or.reduce(masks) if masks else np.zeros(picture.shape[:2], bool)
        self.count = len(masks)
        if masks:
            own = _palette()[cores[0][0]]
            axis = own - ground
            self.share = np.clip((values - ground) @ axis / float(axis @ axis), 0, 1)
            self.colour = own / 255

    def margin(self) -> int:
        """Pixels between the subject and the nearest side."""
        rows, columns = np.nonzero(self.mask.any(1))[0], np.nonzero(self.mask.any(0))[0]
        if not len(rows):
            return 0
        height, width = self.mask.shape
        return int(min(rows[0], columns[0], height - 1 - rows[-1], width - 1 - columns[-1]))

    def overlap(self, alpha: np.ndarray) -> float:
        """Intersection over union of an alpha with the mask."""
        return float(np.minimum(alpha, self.mask).sum() / np.maximum(alpha, self.mask).sum())

    def fringe(self, rgba: np.ndarray) -> float:
        """Mean colour error along the outline when the picture is laid over another background."""
        kernel, whole = np.ones((5, 5), np.uint8), self.mask.astype(np.uint8)
        band = (cv2.dilate(whole, kernel) - cv2.erode(whole, kernel)).astype(bool)
        share, alpha = self.share[..., None], rgba[..., 3:]
        wanted = share * self.colour + (1 - share) * OTHER
        shown = alpha * rgba[..., :3] + (1 - alpha) * OTHER
        return float(np.abs(wanted - shown)[band].mean())


def boxed(picture: Bytes) -> np.ndarray:
    """The usual way: GrabCut from a centred box, the colours as they are."""
    edge = SIZE // 8
    marks = np.zeros((SIZE, SIZE), np.float32)
    marks[edge:-edge, edge:-edge] = 2 / 3
    return cut_out(
        picture.astype(np.float32) / 255, marks, Cut(frame=1 / SIZE, holes=False, edge=0)
    )


def rgba(desk: Desk, count: int, seed: int) -> None:
    """Room around the subject, alpha, and no fringe: Generate RGBA, and plain sampling with GrabCut
    from a centred box."""
    found: dict[str, list[tuple[Truth, np.ndarray]]] = {"plain": [], "rgba": []}
    plain = desk.found
    for index in range(count):
        spec = draw_spec(seed, index, "any", 1)
        begin, end = nouns(spec.caption)[0]
        latent = empty_latent(desk, plain.model, SIZE, SIZE, 1)
        made = sample(
            desk, plain.model, desk.texts([spec.caption]), latent, desk.empty, seed=seed + index
        )
        picture = codes(vae_decode(desk, plain.vae, made))[0]
        found["plain"].append((Truth(picture), boxed(picture)))
        cut = generate_rgba(
            desk, plain.model, plain.text_encoder, plain.vae, latent, spec.caption,
            spec.caption[begin:end], f"{spec.background} background", seed=seed + index,
        )  # fmt: skip
        found["rgba"].append((Truth(codes(cut.whole)[0]), cut.image.pixels[0]))
    for name, rows in found.items():
        report(name, rows)


def report(name: str, rows: Sequence[tuple[Truth, np.ndarray]]) -> None:
    """One line: room, alpha and fringe; pictures without a subject count as wrong."""
    seen = [(truth, made) for truth, made in rows if truth.count]
    overlaps = [truth.overlap(made[..., 3]) for truth, made in seen]
    fringes = [truth.fringe(made) for truth, made in seen]
    print(
        f"{name:6} room of 1/16 {rate(truth.margin() >= MARGIN for truth, _ in rows)}   "
        f"one subject {rate(truth.count == 1 for truth, _ in rows)}   "
        f"alpha IoU {spread(overlaps)}, above 0.9 {rate(each > 0.9 for each in overlaps)}   "
        f"edge colour error {spread(fringes)}"
    )


def spread(values: Sequence[float]) -> str:
    """The mean, with half its 95 % interval."""
    half = 1.96 * float(np.std(values)) / max(len(values), 1) ** 0.5
    return f"{np.mean(values):.3f} +- {half:.3f}"


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("what", choices=["rgba"])
    reader.add_argument("--model", type=Path, default=PRIMER)
    reader.add_argument("--count", type=int, default=300)
    reader.add_argument("--seed", type=int, default=2027)
    given = reader.parse_args()
    began = time.monotonic()
    rgba(Desk(given.model), given.count, given.seed)
    seconds = time.monotonic() - began
    print(f"{given.count} scenes, seed {given.seed}, {seconds:.0f} s, {machine()}")


if __name__ == "__main__":
    main()
