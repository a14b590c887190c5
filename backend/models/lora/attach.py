"""Laying adapters over a network for a while: beside its weights, never into them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backend.models.lora.changes import LowRank
from backend.models.lora.resolve import Delta, is_norm


@contextmanager
def attached(
    deltas: Iterable[Delta], strength: float, rows: tuple[bool, ...] | None = None
) -> Iterator[None]:
    """Add ``strength * scale * difference(x)`` to what each layer gives (LoRA, arXiv:2106.09685,
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
        more = _through(module, args[0], delta) * strength
        if delta.part == "bias" and not is_norm(module):
            more = more.expand_as(made)
        if flags is not None:
            share = torch.tensor(flags, device=made.device).repeat_interleave(
                made.shape[0] // len(flags)
            )
            more = more * share.view(-1, *[1] * (more.ndim - 1)).to(more)
        return made + more.to(made.dtype)

    return add


def _through(module: Any, x: Tensor, delta: Delta) -> Tensor:
    """What the difference alone makes of an input. Only low-rank factors stay apart: the matrix of
    any other form is made for each call and dropped again, so that it costs no memory."""
    change = delta.change
    if is_norm(module):
        return _normed(module, x, delta)
    if delta.part == "bias":
        return delta.weight().view(-1, *[1] * (module.weight.ndim - 2))
    convolves = not isinstance(module, nn.Linear)
    if isinstance(change, LowRank) and not (convolves and module.groups > 1):
        x = x.to(change.down.dtype)
        if not convolves:
            low = functional.linear(x, change.down)
            return functional.linear(low, change.up) * delta.scale
        low = _convolved(module, x, change.down)
        up = change.up.view(*change.up.shape, *[1] * (change.down.ndim - 2))
        raised: Tensor = getattr(functional, f"conv{up.ndim - 2}d")(low, up)
        return raised * delta.scale
    weight = delta.weight()
    x = x.to(weight.dtype)
    return _convolved(module, x, weight) if convolves else functional.linear(x, weight)


def _normed(module: nn.Module, x: Tensor, delta: Delta) -> Tensor:
    """What a norm gives more by the difference: with it, less what it gives without. In float32,
    since the difference may lie below what the weight's own precision can tell apart."""
    held = {name: value.detach().float() for name, value in module.named_parameters(recurse=False)}
    changed = held[delta.part] + delta.weight().to(held[delta.part])
    x = x.float()
    made: Tensor = _like(module, {**held, delta.part: changed}).forward(x)
    plain: Tensor = _like(module, held).forward(x)
    return made - plain


def _like(module: Any, held: Mapping[str, Tensor]) -> Any:
    """A module with other parameters; all else is shared with it."""
    found = copy.copy(module)
    none = {name: None for name, value in vars(module)["_parameters"].items() if value is None}
    vars(found)["_parameters"] = {**none, **held}
    return found


def _convolved(module: Any, x: Tensor, weight: Tensor) -> Tensor:
    convolve = getattr(functional, f"conv{weight.ndim - 2}d")
    made: Tensor = convolve(
        x, weight, None, module.stride, module.padding, module.dilation, module.groups
    )
    return made
