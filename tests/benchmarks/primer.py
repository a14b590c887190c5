"""Primer, or a copy of it, painting captions of the world, and what the pictures are worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.sdk import Conditioning, Model
from backend.train.figures import Rate, SceneFigures, held_captions, scene_figures
from backend.train.frechet import Floats, distance, features
from backend.train.scene import Bytes
from backend.train.world import scenes
from nodes.conditioning import encode_text, guider
from nodes.latents import empty_latent, vae_decode
from nodes.loaders import LoadedModel, load_model
from nodes.sampling import noise, sample_with_parts, schedule, solver
from tests.nodes.fake_device import FakeDevice

PRIMER = Path(__file__).parents[2] / "resources/models/primer"
TRUE_SCENES = 1000
"""True scenes that the Fréchet distance is measured to."""


class Files(FakeDevice):
    """The fake context, with all files granted."""

    def read(self, path: str) -> Path:
        """The path as it is."""
        return Path(path)


@dataclass(frozen=True)
class Worth:
    """What some pictures are worth."""

    figures: SceneFigures
    frechet: float

    def __str__(self) -> str:
        shapes: Rate = self.figures.kinds["shape"]
        return (
            f"scenes right {self.figures.scene}; shapes {shapes.right}, "
            f"with textures {self.figures.with_textures.right}; Fréchet {self.frechet:.2f}"
        )


class Painter:
    """A model folder behind a fake context, and the captions that it is judged by."""

    def __init__(self, count: int, seed: int, **folders: Path) -> None:
        """``folders`` are further models, by the names under which ``model`` gives them."""
        self.ctx = Files({"primer": PRIMER, **folders})
        self.loaded: LoadedModel = load_model(self.ctx, "primer")
        self.seed = seed
        self.captions = held_captions(seed, count)
        truth = np.stack([s.pixels for s in scenes(seed + 1, TRUE_SCENES, "held", 2)])
        self.truth: Floats = features(truth)

    def model(self, name: str) -> Model:
        """The model of a further folder."""
        return load_model(self.ctx, name).model

    def judge(self, model: Model, batch: int = 25) -> Worth:
        """Paint every caption at the defaults (28 steps, CFG 2) and judge the pictures."""
        parts = [
            self._paint(model, self.captions[i : i + batch], self.seed + i)
            for i in range(0, len(self.captions), batch)
        ]
        pictures = np.concatenate(parts)
        found = scene_figures(pictures, self.captions)
        return Worth(found, distance(self.truth, features(pictures)))

    def _texts(self, words: list[str]) -> Conditioning:
        single = [encode_text(self.ctx, self.loaded.text_encoder, each) for each in words]
        names = single[0].tensors
        joined = {n: np.concatenate([each.tensors[n] for each in single]) for n in names}
        return Conditioning(single[0].space, joined, single[0].params)

    def _paint(self, model: Model, captions: list[str], seed: int) -> Bytes:
        who = guider(self.ctx, model, self._texts(captions), self._texts([""]), "cfg", 2.0)
        latent = empty_latent(self.ctx, model, 0, 0, len(captions))
        parts = solver(self.ctx), schedule(self.ctx, steps=28), noise(self.ctx, seed=seed)
        done = sample_with_parts(self.ctx, who, *parts, latent)
        pixels = vae_decode(self.ctx, self.loaded.vae, done).pixels
        return np.asarray(np.rint(pixels * 255), np.uint8)
