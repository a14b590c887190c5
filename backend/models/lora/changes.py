"""The forms in which adapters write down a difference to the weight of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Change(Protocol):
    """A difference to a weight, without its scale."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns: outputs, and inputs times the size of the kernel."""

    def dense(self) -> Tensor:
        """The difference as a matrix."""

    def rows(self, chosen: Tensor) -> Change:
        """The same of some rows alone, in the order of their numbers."""


@dataclass(frozen=True)
class LowRank:
    """LoRA (arXiv:2106.09685, eq. 3): ``up @ down``, ``[out, rank]`` and ``[rank, in, ...]``."""

    down: Tensor
    up: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.up.shape[0], self.down[0].numel()

    def dense(self) -> Tensor:
        """The product."""
        return self.up @ self.down.flatten(1)

    def rows(self, chosen: Tensor) -> LowRank:
        """Some outputs alone."""
        return LowRank(self.down, self.up[chosen])


@dataclass(frozen=True)
class Full:
    """A whole difference, ``[out]`` or ``[out, in, ...]``."""

    difference: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns; a row of numbers has one column."""
        return self.difference.shape[0], self.difference[0].numel()

    def dense(self) -> Tensor:
        """The difference itself."""
        return self.difference.reshape(self.shape)

    def rows(self, chosen: Tensor) -> Full:
        """Some outputs alone."""
        return Full(self.difference[chosen])


@dataclass(frozen=True)
class Hadamard:
    """LoHa (FedPara, arXiv:2108.06098, eq. 2): ``(a1 @ b1) * (a2 @ b2)``, each ``a``
    ``[out, rank]``, each ``b`` ``[rank, in]``."""

    a1: Tensor
    b1: Tensor
    a2: Tensor
    b2: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.a1.shape[0], self.b1.shape[1]

    def dense(self) -> Tensor:
        """The product of the products."""
        return (self.a1 @ self.b1) * (self.a2 @ self.b2)

    def rows(self, chosen: Tensor) -> Hadamard:
        """Some outputs alone."""
        return Hadamard(self.a1[chosen], self.b1, self.a2[chosen], self.b2)


@dataclass(frozen=True)
class Kronecker:
    """LoKr (LyCORIS, arXiv:2309.14859, eq. 5): the Kronecker product of ``[a, b]`` and
    ``[c, d, ...]``, of which ``chosen`` rows count."""

    first: Tensor
    second: Tensor
    chosen: Tensor | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows = self.first.shape[0] * self.second.shape[0]
        columns = self.first.shape[1] * self.second[0].numel()
        return rows if self.chosen is None else len(self.chosen), columns

    def dense(self) -> Tensor:
        """The product."""
        first = self.first.view(*self.first.shape, *[1] * (self.second.ndim - 2))
        found = torch.kron(first, self.second).flatten(1)
        return found if self.chosen is None else found[self.chosen]

    def rows(self, chosen: Tensor) -> Kronecker:
        """Some outputs alone."""
        kept = chosen if self.chosen is None else self.chosen[chosen]
        return Kronecker(self.first, self.second, kept)
