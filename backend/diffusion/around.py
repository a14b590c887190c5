"""What surrounds one call of a denoiser: patches are laid on for its length, then taken off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.values import Term

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Window:
    """The part of larger latents that a call sees: ``size`` (height, width) of the whole in cells,
    and which of its rows and columns these are."""

    size: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Moment:
    """One call of the denoiser, as those around it see it.

    The batch of ``shape`` holds ``count`` samples for each of ``terms``, in order; ``step`` of
    ``steps`` is the place in the whole schedule and ``image`` the image tokens of one sample. Where
    samples go through the model one after the other, ``first`` is the number of this one. Where
    latents go through it in tiles, ``shape`` is that of the tile and ``window`` tells its place.
    """

    sigma: float
    step: int
    steps: int
    shape: tuple[int, ...]
    terms: tuple[Term, ...]
    count: int
    image: int
    first: int = 0
    window: Window | None = None

    @property
    def whole(self) -> tuple[int, ...]:
        """``shape``, or that of the latents of which this is a tile."""
        return self.shape if self.window is None else (*self.shape[:-2], *self.window.size)

    @property
    def done(self) -> float:
        """The fraction of the schedule's steps already taken, 0..1."""
        return self.step / max(self.steps, 1)

    def rows(self, owner: Term | None) -> tuple[bool, ...]:
        """Which rows of the batch belong to a term (by identity); all for ``None``."""
        return tuple(owner is None or t is owner for t in self.terms for _ in range(self.count))


Around = Callable[[Moment], AbstractContextManager[None]]
"""Entered before a call of the denoiser and left after it, whatever happens in between."""

Mover = Callable[["Tensor", Moment, Sequence[Around]], "Tensor"]
"""Moves the latent before a step of the solver; it may call the denoiser, inside what surrounds
each of its calls. The moment's batch holds one row for each sample, and all terms are named."""
