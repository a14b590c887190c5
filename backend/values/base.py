"""What every value on a link has in common: it is frozen and knows its digest."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

Scalar: TypeAlias = "str | int | float | bool | None"
Params: TypeAlias = "Mapping[str, Scalar | tuple[Scalar, ...]]"


def no_params() -> Params:
    """The empty settings, as a default factory."""
    return MappingProxyType({})


def frozen_map(given: Mapping[str, object]) -> Mapping[str, object]:
    """A read-only copy of a mapping with its keys in order, lists turned to tuples."""
    return MappingProxyType(
        {k: tuple(v) if isinstance(v, list) else v for k, v in sorted(given.items())}
    )


class Value:
    """Base of the values that are more than a Python scalar.

    Subclasses are frozen dataclasses; their fields are scalars, tuples, mappings of scalars,
    read-only arrays or other values, so that one generic rule packs and digests them all
    (see ``backend.values.wire``).
    """
