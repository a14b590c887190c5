"""Small real networks whose weights come from a dict, for the tests of residency."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

WIDTH = 64
BLOCK = WIDTH * WIDTH * 4


class Stack(nn.Module):
    """Blocks one after the other, between two layers that belong to none."""

    def __init__(self, blocks: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(WIDTH, WIDTH, bias=False)
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(blocks))
        self.last = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor, order: Sequence[int] | None = None) -> Tensor:
        """Call the blocks, in ``order`` if there is one."""
        x = self.first(x)
        for number in range(len(self.blocks)) if order is None else order:
            x = x + torch.tanh(self.blocks[number](x))
        made: Tensor = self.last(x)
        return made


def _ignore(name: str) -> None:
    """What happens before a read that nobody watches."""


class Kept:
    """Weights that lie in a dict and are put into a network when they are asked for. What is
    absent has no storage, so using it raises."""

    def __init__(self, module: nn.Module, before: Callable[[str], None] = _ignore) -> None:
        self.module, self.before = module, before
        self.pool = None
        self.held = {name: p.detach().clone() for name, p in module.named_parameters()}
        self.there: set[str] = set()
        self.reads: list[str] = []
        self.most = 0
        self.lock = threading.Lock()
        self.absent(list(self.held))

    @property
    def sizes(self) -> Mapping[str, int]:
        return {name: tensor.nbytes for name, tensor in self.held.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of what is there."""
        return sum(self.held[name].nbytes for name in self.there)

    def cost(self, names: Sequence[str]) -> int:
        return 0

    def unchanged(self, names: Sequence[str]) -> None:
        """They lie in no file."""

    def read(self, names: Sequence[str], check: Callable[[], None]) -> Mapping[str, Any]:
        found = {}
        for name in names:
            check()
            self.before(name)
            self.reads.append(name)
            found[name] = self.held[name].clone()
        return found

    def bring(self, raws: Mapping[str, Any], spare: int) -> Mapping[str, Any]:
        return raws

    def begin(self) -> None:
        """All is there."""

    def place(self, raws: Mapping[str, Any]) -> None:
        for name, raw in raws.items():
            self._set(name, raw)
            self.there.add(name)
        with self.lock:
            self.most = max(self.most, self.nbytes)

    def absent(self, names: Sequence[str]) -> None:
        for name in names:
            self._set(name, self.held[name].to("meta"))
            self.there.discard(name)

    def _set(self, name: str, tensor: Tensor) -> None:
        owner, _, own = name.rpartition(".")
        module = self.module.get_submodule(owner)
        module._parameters[own] = nn.Parameter(tensor, requires_grad=False)
