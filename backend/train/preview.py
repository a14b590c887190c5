"""The fit that a model's folder brings for previews: from latent cells to colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.catalog.folder import read_folder
from backend.models.family import families, recognise, references
from backend.models.preview import SHIPPED
from backend.models.preview_fit import Factors, Fit, write_factors
from backend.models.store import Store
from backend.train.world import scenes
from backend.values import Image

BATCH = 16


def fit_previews(folder: Path, count: int, seed: int) -> Factors:
    """Fit the colours of fresh scenes to their latents, and write the fit into the folder.

    The same seed gives the same fit, to the six digits that are written.
    """
    family = recognise(read_folder(folder), families())
    vae = references(read_folder(folder), family).vae
    store = Store(families(), 2**30)
    pictures = np.stack([scene.pixels for scene in scenes(seed, count, "any")])
    fit: Fit | None = None
    for first in range(0, count, BATCH):
        image = Image(pictures[first : first + BATCH].astype(np.float32) / np.float32(255))
        latent = family.encode_image(vae, image, lambda w: store.get(w, "cpu"), "cpu")
        fit = fit or Fit(latent.samples.shape[1])
        for sample, pixels in zip(latent.samples, image.pixels, strict=True):
            fit.add(sample, Image(pixels[None]))
    found = fit.solve() if fit else None
    if found is None:
        raise ValueError(f"{count} scenes are too few to fit colours to. Take more.")
    write_factors(folder / SHIPPED, vae.space, found)
    return found
