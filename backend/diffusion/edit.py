"""Edits: what a method does to the latent between two steps of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from backend.diffusion.paths import Path

if TYPE_CHECKING:
    from torch import Tensor

Edit: TypeAlias = "Callable[[Tensor, float, float], Tensor]"
"""``edit(x, sigma, left)``: the latent just brought to ``sigma``, with the fraction ``left`` of the
whole schedule's steps still to go (0 at the end)."""


@dataclass(frozen=True)
class Start:
    """What a run starts from: its path, the clean latent it was given, and its noise."""

    path: Path
    original: Tensor
    noise: Tensor


EditMaker: TypeAlias = Callable[[Start], Edit]
