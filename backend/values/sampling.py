"""Values of the sampling graph: conditionings, latents, and the parts of a sampler as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from backend.values.arrays import Float32, freeze
from backend.values.base import Params, Value, frozen_map, no_params
from backend.values.weights import Model, Patch


@dataclass(frozen=True, eq=False)
class Conditioning(Value):
    """What a denoiser is told, in the text space ``space``.

    ``tensors`` are read-only float32 arrays by name, batch first (for a Flux: ``sequence``
    ``[batch, tokens, width]`` and ``pooled`` ``[batch, width]``); ``params`` are scalars that go
    along (sizes, embedded guidance). Which names there are is the family's affair.

    ``later`` are the conditionings that take its place in the course of a run, in order.
    """

    space: str
    tensors: Mapping[str, Float32]
    params: Params = field(default_factory=no_params)
    later: tuple[Phase, ...] = ()

    def __post_init__(self) -> None:
        frozen = {name: freeze(array) for name, array in sorted(self.tensors.items())}
        object.__setattr__(self, "tensors", MappingProxyType(frozen))
        object.__setattr__(self, "params", frozen_map(self.params))
        begins = [0.0, *(phase.begin for phase in self.later)]
        if not all(a < b < 1 for a, b in pairwise(begins)):
            raise ValueError("later conditionings begin one after another, between 0 and 1")
        if any(p.conditioning.space != self.space or p.conditioning.later for p in self.later):
            raise ValueError("later conditionings are of the same space, and have none themselves")

    @property
    def count(self) -> int:
        return int(next(iter(self.tensors.values())).shape[0]) if self.tensors else 0

    def row(self, index: int) -> Conditioning:
        """What it tells sample ``index`` of a batch: one entry serves all."""
        if self.count == 1:
            return self
        taken = {name: array[index : index + 1] for name, array in self.tensors.items()}
        later = tuple(replace(p, conditioning=p.conditioning.row(index)) for p in self.later)
        return replace(self, tensors=taken, later=later)

    def at(self, done: float) -> Conditioning:
        """The one that holds when the fraction ``done`` of a run's steps is taken."""
        held = self
        for phase in self.later:
            # Fractions such as 7 / 10 and 0.7 may differ in their last bit.
            if done >= phase.begin - 1e-9:
                held = phase.conditioning
        return held


@dataclass(frozen=True, eq=False)
class Phase(Value):
    """What holds from the fraction ``begin`` of a run's steps on, above 0 and below 1."""

    begin: float
    conditioning: Conditioning


@dataclass(frozen=True, eq=False)
class Latent(Value):
    """A batch of latents, unpacked and scaled as the denoiser sees them.

    ``samples`` is read-only float32 ``[batch, channels, height, width]`` (video adds a frames axis
    before height); ``space`` names the latent space. ``mask`` marks what may change when sampling,
    float32 ``[batch, height, width]`` at latent size, 1 = new, 0 = keep; ``sigma`` is the noise
    level that is still in the samples, 0 when clean.
    """

    samples: Float32
    space: str
    mask: Float32 | None = None
    sigma: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", freeze(self.samples))
        if self.samples.ndim not in (4, 5):
            raise ValueError(f"a latent has 4 or 5 dimensions, not {self.samples.ndim}")
        if self.mask is not None:
            object.__setattr__(self, "mask", freeze(self.mask, 3))

    @property
    def count(self) -> int:
        return int(self.samples.shape[0])

    def but(self, **changes: Any) -> Latent:
        return replace(self, **changes)


@dataclass(frozen=True)
class Recipe(Value):
    """A named choice with its settings: the form of a solver, a schedule or a noise as data."""

    kind: str
    params: Params = field(default_factory=no_params)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", frozen_map(self.params))


@dataclass(frozen=True)
class Solver(Recipe):
    """Which method integrates the sampling equation."""


@dataclass(frozen=True)
class Schedule(Recipe):
    """How the noise levels are placed; ``sigmas`` overrides the recipe by a fixed table."""

    steps: int = 28
    start: float = 0.0  # fraction of the steps that is skipped, 0 = from pure noise
    sigmas: tuple[float, ...] = ()


@dataclass(frozen=True)
class Noise(Recipe):
    """Where the starting noise comes from: a seed, and a kind such as ``gaussian`` or ``none``."""

    seed: int = 0


@dataclass(frozen=True, eq=False)
class Term(Value):
    """One conditioning in a guider, with the weight that it has there.

    ``patches`` change the model for this term's prediction alone, beside those of the model.
    """

    role: str
    conditioning: Conditioning
    weight: float = 1.0
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True, eq=False)
class Guider(Recipe):
    """How several predictions of one model become one: its model, its terms and its settings."""

    model: Model | None = None
    terms: tuple[Term, ...] = ()
