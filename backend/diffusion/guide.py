"""Guidance: how several predictions of one model become the estimate that a solver steps with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import Estimate, split
from backend.diffusion.process import Process
from backend.diffusion.registry import scan
from backend.values import Params, Term

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Call:
    """One question to the guided model.

    ``predict(terms)`` evaluates the denoiser once, on one batch made of these terms, and gives a
    raw prediction for each. ``done`` is the fraction of the run's steps already taken, ``step``
    and ``steps`` the same as numbers; both model calls of a two-call solver share them.
    """

    x: Tensor
    sigma: float
    step: int
    steps: int
    process: Process
    terms: tuple[Term, ...]
    params: Params
    predict: Callable[[Sequence[Term]], list[Tensor]]

    @property
    def done(self) -> float:
        return self.step / self.steps

    def role(self, name: str) -> Term:
        """The term that plays ``name``.

        Raises:
            DiffusionError: the guider has none.
        """
        for term in self.terms:
            if term.role == name:
                return term
        raise DiffusionError(f"This guidance needs a {name} conditioning. Connect one.")

    def split(self, prediction: Tensor) -> Estimate:
        """Clean part and noise of a raw prediction at this point."""
        return split(self.process.path, self.process.prediction, self.x, self.sigma, prediction)


@dataclass(frozen=True)
class GuidanceKind:
    """A kind of guidance. One instance per module of ``backend.diffusion.guidance``.

    ``apply(call)`` gives the estimate. ``simple`` kinds need no more than a positive, a negative
    and ``cfg``, so the plain sample node can offer them. ``branches`` is the largest number of
    predictions per call for ``n`` terms, for the memory estimate. ``inverse`` is the kind to use
    when a run goes upwards, if that is another one.
    """

    kind: str
    title: str
    apply: Callable[[Call], Estimate]
    simple: bool = False
    branches: Callable[[int], int] = lambda terms: min(terms, 2)
    inverse: str = ""
    rank: int = 50


def guidance_kinds() -> Mapping[str, GuidanceKind]:
    """All kinds of guidance by name."""
    return scan("backend.diffusion.guidance", GuidanceKind)
