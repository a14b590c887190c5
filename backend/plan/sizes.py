"""What weights take on a device, told from their headers: the one rule of how they are held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

WIDEN = 256 * 2**20
"""Bytes that a whole network may take with all weights in the precision that it computes in. Up to
here they are: to widen them anew for each use costs more than the room is worth. Beyond, a weight
that is stored in less stays as stored."""

_FORMS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"float32": ("F32", 4), "bfloat16": ("BF16", 2), "float16": ("F16", 2)}
)
"""By the name of a precision: that of the same form in a file, and bytes of a number."""
_WHOLE = ("I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight as a file has it: its form (``F16``, ``F8_E4M3``, ``Q4_K``), shape and bytes."""

    form: str
    shape: tuple[int, ...]
    nbytes: int


def held_sizes(weights: Mapping[str, Weight], compute: str) -> dict[str, int]:
    """The bytes of each weight of a network on a device that computes in ``compute``.

    Whole numbers stay as they are, and what is stored in more than ``compute`` is narrowed. All
    else is widened if the whole network then takes no more than ``WIDEN``; if not, only what is one
    row of numbers, such as a bias.
    """
    form, item = _FORMS[compute]
    plain = {
        name: one.nbytes if one.form == form or one.form in _WHOLE else prod(one.shape) * item
        for name, one in weights.items()
    }
    if sum(plain.values()) <= WIDEN:
        return plain
    return {
        name: min(size, weights[name].nbytes) if _rows(weights[name]) else size
        for name, size in plain.items()
    }


def item_bytes(compute: str) -> int:
    """Bytes of a number in a precision."""
    return _FORMS[compute][1]


def _rows(weight: Weight) -> bool:
    return sum(side > 1 for side in weight.shape) > 1
