"""What surrounds one call of a denoiser: patches are laid on for its length, then taken off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from backend.values import Term


@dataclass(frozen=True)
class Moment:
    """One call of the denoiser, as those around it see it.

    The batch of ``shape`` holds ``count`` samples for each of ``terms``, in order; ``step`` of
    ``steps`` is the place in the whole schedule and ``image`` the image tokens of one sample. Where
    samples go through the model one after the other, ``first`` is the number of this one.
    """

    sigma: float
    step: int
    steps: int
    shape: tuple[int, ...]
    terms: tuple[Term, ...]
    count: int
    image: int
    first: int = 0

    @property
    def done(self) -> float:
        """The fraction of the schedule's steps already taken, 0..1."""
        return self.step / max(self.steps, 1)

    def rows(self, owner: Term | None) -> tuple[bool, ...]:
        """Which rows of the batch belong to a term (by identity); all for ``None``."""
        return tuple(owner is None or t is owner for t in self.terms for _ in range(self.count))


Around = Callable[[Moment], AbstractContextManager[None]]
"""Entered before a call of the denoiser and left after it, whatever happens in between."""
