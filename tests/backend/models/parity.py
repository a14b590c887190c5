"""What the comparisons of families with diffusers' pipelines have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders import vae as diffusers_vae

from backend.catalog.folder import read_folder
from backend.diffusion import inpaint, sample
from backend.diffusion.noise import gaussian
from backend.models.family import Family, References, families, recognise, references
from backend.models.store import Store
from backend.values import Guider, Image, Latent, Noise, Params, Schedule, Solver, Term

TOLERANCE = 1e-4
MARGIN = 20
WIDTH, HEIGHT = 40, 24
STEPS = 7
PROMPTS = ["a red circle left of a blue square", "two dogs"]
NEGATIVE = ["blurry", "a very ugly and grey picture"]


@dataclass
class Weft:
    """Weft's own path from texts and pictures to latents, on one model folder."""

    family: Family
    refs: References
    store: Store
    negative_options: Params = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, **changes: Any) -> Weft:
        folder = read_folder(path)
        family = recognise(folder, families())
        return cls(family, references(folder, family), Store(families(), 2**30), **changes)

    def load(self, weights: Any) -> Any:
        return self.store.get(weights, "cpu")

    def run(
        self,
        latent: Latent,
        seed: int,
        cfg: float = 3.0,
        start: float = 0.0,
        prompts: Sequence[str] = PROMPTS,
        negative: Sequence[str] = NEGATIVE,
        guidance: str = "cfg",
        solver: str = "euler",
        **params: float,
    ) -> torch.Tensor:
        """The latents of a guided run; ``params`` go to the guidance."""
        told = (("positive", prompts, {}), ("negative", negative, self.negative_options))
        terms = [
            Term(role, self.family.encode_text(self.refs.text, texts, options, self.load, "cpu"))
            for role, texts, options in told
        ]
        result = sample.sample(
            self.family.denoiser(self.refs.model, self.load, "cpu"),
            Guider(guidance, {"cfg": cfg, **params}, self.refs.model, tuple(terms)),
            Solver(solver),
            Schedule("native", steps=STEPS, start=start),
            Noise("gaussian", seed=seed),
            latent,
        )
        return torch.from_numpy(result.samples.copy())

    def encode(self, image: Image, seed: int | None = None) -> Latent:
        return self.family.encode_image(self.refs.vae, image, self.load, "cpu", seed)

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        """Pictures ``[b, h, w, 3]``."""
        latent = Latent(samples.numpy(), "any")
        image = self.family.decode_latent(self.refs.vae, latent, self.load, "cpu")
        return torch.from_numpy(image.pixels.copy())

    def shape(self, count: int = 2) -> tuple[int, ...]:
        facts = self.family.facts(read_folder(Path(self.refs.model.source)))
        return facts.geometry.shape(WIDTH, HEIGHT, count)

    def empty(self, count: int = 2) -> Latent:
        return Latent(np.zeros(self.shape(count), np.float32), "any")

    def noise(self, seed: int = 3) -> torch.Tensor:
        return gaussian(seed, self.shape())

    def masked(self, seed: int = 11) -> Latent:
        """The encoded picture with a different mask for each sample."""
        mask = inpaint.latent_mask(coverage(), *self.shape()[-2:])
        return self.encode(picture(), seed=seed).but(mask=mask)


MEASURED: list[float] = []
"""What ``difference`` found within one test, for the table in ``docs/families.md``."""


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Relative difference of tensors of one shape; finite ones only count."""
    assert ours.shape == theirs.shape
    assert torch.isfinite(ours).all()
    assert torch.isfinite(theirs).all()
    found = ((ours - theirs).norm() / theirs.norm()).item()
    MEASURED.append(found)
    return found


def picture(count: int = 2) -> Image:
    rng = np.random.default_rng(5)
    return Image(rng.random((count, HEIGHT, WIDTH, 3), dtype=np.float32))


def pixels() -> torch.Tensor:
    return torch.from_numpy(picture().pixels.copy()).permute(0, 3, 1, 2)


def coverage() -> np.ndarray[Any, np.dtype[np.float32]]:
    mask = np.zeros((2, HEIGHT, WIDTH), np.float32)
    mask[0, 5:17, 9:31] = 1
    mask[1, :, 20:] = 1
    return mask


def mask_image() -> torch.Tensor:
    return torch.from_numpy(coverage())[:, None]


def pipeline(kind: Any, path: Path, **components: Any) -> Any:
    """A pipeline of diffusers with a model folder's components, silent; ``components`` take the
    place of the folder's."""
    pipe = kind.from_pretrained(str(path), local_files_only=True, **components)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@contextmanager
def injected(*modules: Any) -> Iterator[None]:
    """Posterior samples from seed 11, and noise from seed 12 in each pipeline's module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusers_vae, "randn_tensor", lambda shape, **_: gaussian(11, shape))
        for module in modules:
            patch.setattr(module, "randn_tensor", lambda shape, **_: gaussian(12, shape))
        yield
