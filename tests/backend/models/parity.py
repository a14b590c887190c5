"""What the comparisons of families with diffusers' pipelines have in common: Weft's own path,
what both sides are given, and how far apart their results are. ``battery.py`` has the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders import vae as diffusers_vae

from backend.catalog.folder import read_folder
from backend.diffusion import inpaint, sample
from backend.diffusion.noise import gaussian
from backend.models import fill
from backend.models.experts import assemble
from backend.models.family import Family, References, families, recognise, references
from backend.models.patch import surround
from backend.models.store import Store
from backend.values import (
    Conditioning,
    Float32,
    Guider,
    Image,
    Latent,
    Noise,
    Params,
    Schedule,
    Solver,
    Term,
)

TOLERANCE = 1e-4
MARGIN = 20
WIDTH, HEIGHT = 40, 24
STEPS = 7
CFG = 3.0
PROMPTS = ["a red circle left of a blue square", "two dogs"]
NEGATIVE = ["blurry", "a very ugly and grey picture"]

Shown = Callable[[str, Conditioning], Conditioning]
"""What is added to the conditioning of a role."""


def _nothing(role: str, told: Conditioning) -> Conditioning:
    return told


@dataclass
class Weft:
    """Weft's own path from texts and pictures to latents, on one model folder, and its settings.

    ``params`` go to the guidance and ``schedule`` to the schedule; ``options`` by role to the
    encoding of texts, to which ``shown`` adds pictures or numbers.
    """

    family: Family
    refs: References
    store: Store
    cfg: float = CFG
    steps: int = STEPS
    size: tuple[int, int] = (WIDTH, HEIGHT)
    frames: int = 1
    solver: str = "euler"
    guidance: str = "cfg"
    params: Params = field(default_factory=dict)
    schedule: Params = field(default_factory=dict)
    prompts: Sequence[str] = tuple(PROMPTS)
    negative: Sequence[str] = tuple(NEGATIVE)
    options: Mapping[str, Params] = field(default_factory=dict)
    shown: Shown = _nothing

    @classmethod
    def of(cls, path: Path, **settings: Any) -> Weft:
        folder = read_folder(path)
        family = recognise(folder, families())
        return cls(family, references(folder, family), Store(families(), 2**30), **settings)

    @property
    def path(self) -> Path:
        """The model folder."""
        return Path(self.refs.model.source)

    def load(self, weights: Any) -> Any:
        return self.store.get(weights, "cpu")

    def text(self, texts: Sequence[str], role: str = "positive", **options: Any) -> Conditioning:
        told = {**self.options.get(role, {}), **options}
        coded = self.family.encode_text(self.refs.text, texts, told, self.load, "cpu")
        return self.shown(role, coded)

    def terms(self) -> tuple[Term, ...]:
        """The prompts and the negative texts, encoded."""
        told = (("positive", self.prompts), ("negative", self.negative))
        return tuple(Term(role, self.text(texts, role)) for role, texts in told)

    def run(
        self, latent: Latent, seed: int = 3, start: float = 0.0, **changes: Any
    ) -> torch.Tensor:
        """The latents of a guided run; ``changes`` are of the settings."""
        done = replace(self, **changes).result(latent, seed, start)
        return torch.from_numpy(done.samples.copy())

    def result(
        self, latent: Latent, seed: int = 3, start: float = 0.0, terms: Sequence[Term] = ()
    ) -> Latent:
        """What a run leaves; ``terms`` go in the place of the texts."""
        told = tuple(terms) or self.terms()
        denoiser, around = assemble(
            self.refs.model, self.load, "cpu", lambda stage: surround(stage, told)
        )
        return sample.sample(
            denoiser,
            Guider(self.guidance, {"cfg": self.cfg, **self.params}, self.refs.model, told),
            Solver(self.solver),
            Schedule("native", steps=self.steps, start=start, params=self.schedule),
            Noise("gaussian", seed=seed),
            latent,
            around=around,
        )

    def encode(self, image: Image, seed: int | None = None) -> Latent:
        return self.family.encode_image(self.refs.vae, image, self.load, "cpu", seed)

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        """Pictures ``[b, h, w, 3]``."""
        latent = Latent(samples.numpy(), "any")
        image = self.family.decode_latent(self.refs.vae, latent, self.load, "cpu")
        return torch.from_numpy(image.pixels.copy())

    def shape(self, count: int = 2) -> tuple[int, ...]:
        geometry = self.family.facts(read_folder(self.path)).geometry
        return geometry.shape(*self.size, count, self.frames)

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


def with_hole(weft: Weft, mask: Float32, seed: int = 11) -> Shown:
    """The picture with a hole, for in-paint models; ``seed`` is the posterior's."""
    latent = weft.encode(fill.with_hole(picture(), mask), seed)
    return lambda role, told: fill.add(told, latent, mask)


def pipeline(kind: Any, path: Path, **components: Any) -> Any:
    """A pipeline of diffusers with a model folder's components, silent; ``components`` take the
    place of the folder's."""
    pipe = kind.from_pretrained(str(path), local_files_only=True, **components)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@contextmanager
def injected(*pipelines: type) -> Iterator[None]:
    """Posterior samples from seed 11, and noise from seed 12 where the pipelines draw it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusers_vae, "randn_tensor", lambda shape, **_: gaussian(11, shape))
        for kind in pipelines:
            module = sys.modules[kind.__module__]
            patch.setattr(module, "randn_tensor", lambda shape, **_: gaussian(12, shape))
        yield
