"""References to weights: what a Model, VAE or TextEncoder link carries, never a live module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

import numpy as np

from backend.values.arrays import Float32, freeze
from backend.values.base import Params, Value, frozen_map, no_params


def no_tensors() -> Mapping[str, Float32]:
    """No arrays, as a default factory."""
    return MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Patch(Value):
    """One change laid over weights, e.g. an adapter: its kind, strength and settings.

    A patch that has a file of its own names it as ``Weights`` does: ``identity`` for the bytes,
    ``source`` for the place, which is no part of the digest. ``tensors`` are read-only float32
    arrays by name that go along, such as the latent of a picture to follow.
    """

    kind: str
    strength: float = 1.0
    params: Params = field(default_factory=no_params)
    identity: str = ""
    source: str = field(default="", metadata={"digest": False})
    tensors: Mapping[str, Float32] = field(default_factory=no_tensors)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", frozen_map(self.params))
        held = {name: freeze(array) for name, array in sorted(self.tensors.items())}
        object.__setattr__(self, "tensors", MappingProxyType(held))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Patch):
            return NotImplemented
        plain = ("kind", "strength", "params", "identity", "source")
        return (
            all(getattr(self, name) == getattr(other, name) for name in plain)
            and self.tensors.keys() == other.tensors.keys()
            and all(np.array_equal(a, other.tensors[name]) for name, a in self.tensors.items())
        )

    __hash__ = None  # type: ignore[assignment]  # it holds arrays and mappings


@dataclass(frozen=True)
class Weights(Value):
    """A reference to one component of a model on disk.

    ``identity`` says which bytes these are: ``blake3:...`` when the content was hashed, or
    ``fast:...`` (size, time and header digest; good on this machine only) before that.
    ``source`` is where this process finds them and is no part of the digest: the same weights in
    another folder are the same weights. ``part`` names the component (``transformer``, ``vae``...).
    """

    family: str
    part: str
    identity: str
    source: str = field(metadata={"digest": False})
    patches: tuple[Patch, ...] = ()

    def with_(self, patch: Patch) -> Self:
        """The same weights with one more patch on top of the stack."""
        return replace(self, patches=(*self.patches, patch))


@dataclass(frozen=True)
class Model(Weights):
    """A denoiser: a transformer or UNet of ``family``.

    ``experts``, where there are any, run in its place, each in its own range of noise; the first
    is the model itself. Patches of the whole are laid on every one of them, after its own.
    ``preview`` is the file of a tiny decoder by which runs are shown while they go on; since it
    changes no result it is no part of the digest.
    """

    experts: tuple[Expert, ...] = ()
    preview: str = field(default="", metadata={"digest": False})


@dataclass(frozen=True)
class Expert(Value):
    """A model that runs at noise levels below ``below``, down to where the next takes over."""

    model: Model
    below: float


@dataclass(frozen=True)
class VAE(Weights):
    """An image codec; ``space`` names the latent space that it speaks."""

    space: str = ""


@dataclass(frozen=True)
class TextEncoder(Weights):
    """The text encoders of a family taken together; ``space`` names their text space."""

    space: str = ""


@dataclass(frozen=True)
class LanguageModel(Weights):
    """A model that writes text, with its tokenizer and, if it sees pictures, its processor."""


@dataclass(frozen=True)
class Upscaler(Weights):
    """A network that makes pictures larger or cleans them, in a file of its own."""


@dataclass(frozen=True)
class ControlNet(Weights):
    """A network beside a denoiser, by which that follows a picture."""
