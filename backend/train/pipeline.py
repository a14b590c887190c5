"""The steps of Primer's training in one folder; each goes on from what lies there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from backend.train import flow, reading, vae
from backend.train.bank import Bank, draw_bank
from backend.train.export import export, pipeline_of
from backend.train.preview import fit_previews
from backend.train.recipe import Recipe
from backend.train.vae import Log

PREVIEW_SCENES = 64
"""Scenes to which the colours of previews are fitted."""


@dataclass(frozen=True)
class Workplace:
    """A training folder with the recipe, the device and where progress is told."""

    folder: Path
    recipe: Recipe
    device: torch.device
    log: Log = print

    @property
    def model(self) -> Path:
        """Where the exported model lies."""
        return self.folder / "model"

    @property
    def _bank(self) -> Bank:
        return Bank(self.folder / "bank")

    def draw(self, workers: int = 2) -> None:
        """Draw the bank of scenes."""
        draw_bank(self.folder / "bank", self.recipe, workers)
        self.log(f"bank {len(self._bank)} scenes")

    def train_vae(self, stop_at: int | None = None) -> None:
        """Train the VAE, then turn scenes into latents."""
        vae.train(self.folder, self._bank, self.recipe, self.device, self.log, stop_at)
        if stop_at is None:
            flow.encode_bank(
                self.folder,
                self._bank,
                self.recipe.flow.scenes,
                vae.trained(self.folder, self.recipe.vae),
                self.device,
                self.log,
            )

    def train_flow(self, stop_at: int | None = None) -> None:
        """Teach the T5-style encoder to read, then train the transformer with both encoders."""
        latents = flow.load_latents(self.folder)
        captions = self._bank.captions[: len(latents.values)]
        reading.train(self.folder, captions, self.recipe, self.device, self.log)
        flow.train(self.folder, captions, latents, self.recipe, self.device, self.log, stop_at)

    def export(self) -> None:
        """Write the model folder from the checkpoints as they are."""
        latents = flow.load_latents(self.folder)
        pipeline = pipeline_of(
            flow.trained(self.folder, self.recipe),
            vae.trained(self.folder, self.recipe.vae),
            latents.shift,
            latents.scale,
        )
        export(pipeline, self.model)
        fit_previews(self.model, PREVIEW_SCENES, self.recipe.seed)
        self.log(f"exported to {self.model.name}")
