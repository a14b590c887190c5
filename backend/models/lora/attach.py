"""Laying adapters over a network for a while: beside its weights, never into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.models.lora.resolve import Delta


@contextmanager
def attached(
    deltas: Iterable[Delta], strength: float, rows: tuple[bool, ...] | None = None
) -> Iterator[None]:
    """Add ``strength * scale * up(down(x))`` to what each module gives (LoRA, arXiv:2106.09685,
    eq. 3), in some rows of the batch only if ``rows`` says so.

    The weights stay as they are, whatever their precision, so that taking the adapter off leaves
    the same bits behind.
    """
    flags = None if rows is None or all(rows) else rows
    handles = [
        delta.module.register_forward_hook(_adder(delta, strength, flags)) for delta in deltas
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _adder(delta: Delta, strength: float, flags: tuple[bool, ...] | None) -> Callable[..., Tensor]:
    def add(module: nn.Module, args: tuple[Any, ...], made: Tensor) -> Tensor:
        x = args[0].to(delta.down.dtype)
        more = _through(module, x, delta) * (strength * delta.scale)
        if flags is not None:
            share = torch.tensor(flags, device=made.device).repeat_interleave(
                made.shape[0] // len(flags)
            )
            more = more * share.view(-1, *[1] * (more.ndim - 1)).to(more)
        return made + more.to(made.dtype)

    return add


def _through(module: Any, x: Tensor, delta: Delta) -> Tensor:
    if delta.down.ndim == 2:
        return functional.linear(functional.linear(x, delta.down), delta.up)
    name = f"conv{delta.down.ndim - 2}d"
    convolve = getattr(functional, name)
    low = convolve(x, delta.down, None, module.stride, module.padding, module.dilation)
    raised: Tensor = convolve(low, delta.up)
    return raised
