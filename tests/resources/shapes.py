"""Names and shapes of the tensors of the simplest layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]


def linear(name: str, into: int, out: int, bias: bool = True) -> Shapes:
    """A linear layer that takes ``into`` values and gives ``out``."""
    return {f"{name}.weight": (out, into)} | ({f"{name}.bias": (out,)} if bias else {})


def conv(name: str, into: int, out: int, *kernel: int, bias: bool = True) -> Shapes:
    """A convolution over ``into`` channels to ``out`` with a kernel of any number of sides."""
    return {f"{name}.weight": (out, into, *kernel)} | ({f"{name}.bias": (out,)} if bias else {})


def norm(name: str, width: int, bias: bool = True) -> Shapes:
    """A normalisation with a weight, and a bias where it has one."""
    return linear(name, 0, width, bias) | {f"{name}.weight": (width,)}


def gathered(*groups: Shapes) -> Shapes:
    """Several groups of tensors as one."""
    return {key: shape for group in groups for key, shape in group.items()}
