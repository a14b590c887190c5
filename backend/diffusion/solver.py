"""Solvers: how one step of the sampling equation is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from backend.diffusion.paths import Estimate, Path
from backend.diffusion.registry import scan
from backend.values import Params

if TYPE_CHECKING:
    from torch import Tensor

Estimator: TypeAlias = "Callable[[Tensor, float], Estimate]"
"""The guided model: what it says about the point ``(x, sigma)``."""


@dataclass(frozen=True)
class Past:
    """A step that was taken: where it started, what the model said there, and where it led.

    ``ahead`` is the solver's own result, before any edit; only solvers that correct it keep it.
    """

    sigma: float
    x: Tensor
    estimate: Estimate
    ahead: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """One step to take: from ``x`` at ``sigma`` to ``target``.

    ``past`` are earlier steps of this run, the latest first; at most ``SolverKind.memory`` of them.
    ``last`` says that the schedule ends with it.
    """

    x: Tensor
    sigma: float
    target: float
    estimate: Estimator
    path: Path
    past: tuple[Past, ...]
    params: Params
    last: bool = False


def slope(path: Path, estimate: Estimate, x: Tensor, sigma: float) -> Tensor:
    """The path's slope at a point, from the estimate's trend and the noise that fits to it."""
    if estimate.trend is estimate.x0:
        return path.slope(estimate.x0, estimate.eps)
    alpha, scale = path.scales(sigma)
    eps = estimate.eps if scale == 0 else (x - alpha * estimate.trend) / scale
    return path.slope(estimate.trend, eps)


@dataclass(frozen=True)
class SolverKind:
    """A solver. One instance per module of ``backend.diffusion.solvers``.

    ``advance(step)`` gives the latent at ``step.target`` and the record of the step. ``order`` is
    its order of convergence, ``calls`` how often it asks the model per step, ``last`` in the step
    to level 0, ``memory`` how many past steps it wants.
    """

    kind: str
    title: str
    advance: Callable[[Step], tuple[Tensor, Past]]
    order: int
    calls: int = 1
    last: int = 1
    memory: int = 0
    rank: int = 50


def solver_kinds() -> Mapping[str, SolverKind]:
    """All solvers by name."""
    return scan("backend.diffusion.solvers", SolverKind)


def inverters() -> Mapping[str, SolverKind]:
    """The solvers that run upwards too: those that look at no earlier step."""
    return {name: kind for name, kind in solver_kinds().items() if not kind.memory}
