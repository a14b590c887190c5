"""How well the creative nodes do what they are for, on unseen scenes, beside doing without.

``python -m tests.benchmarks.creative control --file workflows/assets/primer-edges.safetensors``
and ``... edits --file FILE``, ``... panels --file FILE``; ``--count`` scenes of held-out pairs,
with 95 % Wilson intervals.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from backend.media.pixels.outlines import edges
from backend.sdk import Conditioning, Image, Model
from backend.train.figures import machine, rate
from backend.train.scene import Bytes, picture
from backend.train.scorer import score
from backend.train.tasks import controls
from backend.train.tasks.edits import KINDS, draw_edit, untouched
from backend.train.tasks.panels import draw_panels
from backend.train.world import draw_spec
from nodes.conditioning import encode_text
from nodes.controls import control_lora
from nodes.latents import empty_latent, vae_decode, vae_encode
from nodes.loaders import load_model
from nodes.panels import compose_panels, in_context_generate, split_panels
from nodes.patches import lora
from nodes.references import reference_image
from nodes.sampling import sample
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).resolve().parents[2] / "resources/models/primer"
AT_ONCE = 20
NEAR = 1.5
"""Pixels by which an edge may lie off."""


class Desk(FakeDevice):
    """A context that reads any file."""

    def __init__(self, model: Path) -> None:
        super().__init__({"model": model})
        self.found = load_model(self, "model")
        self.empty = encode_text(self, self.found.text_encoder, "")

    def read(self, path: str) -> Path:
        return Path(path)

    def texts(self, words: Sequence[str]) -> Conditioning:
        """One conditioning with an entry for each text."""
        single = [encode_text(self, self.found.text_encoder, each) for each in words]
        names = single[0].tensors
        joined = {n: np.concatenate([s.tensors[n] for s in single]) for n in names}
        return Conditioning(single[0].space, joined, single[0].params)

    def made(
        self, model: Model, positive: Conditioning, negative: Conditioning, count: int, seed: int
    ) -> Bytes:
        """Pictures uint8 ``[count, 128, 128, 3]`` by the model's own settings."""
        latent = empty_latent(self, model, 128, 128, count)
        done = sample(self, model, positive, latent, negative, seed=seed)
        return codes(vae_decode(self, self.found.vae, done))


def codes(image: Image) -> Bytes:
    return np.asarray(np.rint(np.clip(image.pixels, 0, 1) * 255), np.uint8)


def floats(pictures: Sequence[Bytes]) -> Image:
    return Image(np.stack(pictures).astype(np.float32) / 255)


def parts(count: int) -> Iterator[range]:
    return (range(first, min(first + AT_ONCE, count)) for first in range(0, count, AT_ONCE))


def edge_match(made: Bytes, asked: Bytes) -> float:
    """F1 of a picture's edges against those asked for, each within ``NEAR`` pixels."""
    own = edges(floats([made])).pixels[0, ..., 0] > 0.5
    want = asked[..., 0] > 127
    gaps = [
        cv2.distanceTransform((~each).astype(np.uint8), cv2.DIST_L2, 5) <= NEAR
        for each in (own, want)
    ]
    if not own.any() or not want.any():
        return float(own.any() == want.any())
    recall, precision = float(gaps[0][want].mean()), float(gaps[1][own].mean())
    return 2 * recall * precision / max(recall + precision, 1e-9)


def control(desk: Desk, file: str, count: int, seed: int) -> None:
    """Edges that are followed, and attributes that stay right, with and without the control."""
    found: dict[str, tuple[list[float], list[bool]]] = {"without": ([], []), "with": ([], [])}
    for numbers in parts(count):
        specs = [draw_spec(seed, i, "held", 2) for i in numbers]
        guides = [controls.guide(picture(spec), "edges") for spec in specs]
        told = desk.texts([spec.caption for spec in specs])
        plain = desk.found.model
        led = control_lora(desk, plain, desk.found.vae, floats(guides), file)
        for name, model in (("without", plain), ("with", led)):
            for made, spec, guide in zip(
                desk.made(model, told, desk.empty, len(specs), seed), specs, guides, strict=True
            ):
                found[name][0].append(edge_match(made, guide))
                found[name][1].append(score(made, spec.facts).scene)
    for name, (matches, right) in found.items():
        half = 1.96 * float(np.std(matches)) / len(matches) ** 0.5
        print(f"{name:8} edge F1 {np.mean(matches):.3f} +- {half:.3f}   scene right {rate(right)}")


def decibels(first: np.ndarray, second: np.ndarray) -> float:
    error = float(np.mean((first.astype(np.float64) - second) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


def edits(desk: Desk, file: str, count: int, seed: int) -> None:
    """Edits by instruction: the scene as asked, and all else as it was."""
    right: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    kept: list[float] = []
    taught = lora(desk, desk.found.model, file)
    for numbers in parts(count):
        drawn = [draw_edit(seed, i, "held") for i in numbers]
        before = floats([picture(each.before) for each in drawn])
        own = codes(vae_decode(desk, desk.found.vae, vae_encode(desk, desk.found.vae, before)))
        told = desk.texts([each.instruction for each in drawn])
        place = (desk.found.vae, before, taught)
        shown, plain = (reference_image(desk, c, *place) for c in (told, desk.empty))
        made = desk.made(taught, shown, plain, len(drawn), seed)
        for picture_made, each, was in zip(made, drawn, own, strict=True):
            right[each.kind].append(score(picture_made, each.after.facts).scene)
            if each.kind != "background":
                free = untouched(each)
                kept.append(decibels(picture_made[free], was[free]))
    for kind, hits in right.items():
        print(f"{kind:11} {rate(hits)}")
    whole = rate(hit for hits in right.values() for hit in hits)
    print(f"{'all':11} {whole}; without any edit 0 (no scene is as asked before)")
    print(f"outside     {np.mean(kept):.1f} dB in the mean, {np.median(kept):.1f} in the median")


def panels(desk: Desk, file: str, count: int, seed: int) -> None:
    """A second panel in the relation that the sets taught, beside a first that is given."""
    right: dict[str, list[bool]] = {"without": [], "with": []}
    for numbers in parts(count):
        drawn = [draw_panels(seed, i, "held") for i in numbers]
        told = desk.texts([each.caption for each in drawn])
        known = [floats([picture(each.scenes[0])]) for each in drawn]
        made = [compose_panels(desk, each) for each in known]
        canvas = floats([codes(each.canvas)[0] for each in made])
        mask = made[0].mask
        taught = lora(desk, desk.found.model, file)
        for name, model in (("without", desk.found.model), ("with", taught)):
            whole = in_context_generate(
                desk, model, desk.found.vae, told, canvas, mask, desk.empty, seed=seed
            )
            second = codes(split_panels(desk, whole)[1])
            for pixels, each in zip(second, drawn, strict=True):
                right[name].append(score(pixels, each.scenes[1].facts).scene)
    for name, hits in right.items():
        print(f"{name:8} relation holds {rate(hits)}")


WHAT = {"control": control, "edits": edits, "panels": panels}


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("what", choices=[*WHAT])
    reader.add_argument("--file", required=True, help="the adapter")
    reader.add_argument("--model", type=Path, default=PRIMER)
    reader.add_argument("--count", type=int, default=300)
    reader.add_argument("--seed", type=int, default=2027)
    given = reader.parse_args()
    began = time.monotonic()
    desk = Desk(given.model)
    WHAT[given.what](desk, given.file, given.count, given.seed)
    seconds = time.monotonic() - began
    print(f"{given.count} scenes, seed {given.seed}, {seconds:.0f} s, {machine()}")


if __name__ == "__main__":
    main()
