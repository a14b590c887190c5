"""What is loaded: each component once per process, under a budget, the oldest out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from backend.catalog.errors import CatalogError
from backend.catalog.source import read_source
from backend.models.family import Family
from backend.models.loaders import Loader
from backend.models.numerics import compute_dtype
from backend.values import Weights

Key = tuple[str, str, str, str, str]


class Components(Protocol):
    """What the engine needs of a store; how it keeps its promises is the store's affair."""

    def get(self, weights: Weights, device: str) -> Any:
        """The loaded component behind a reference, on a device."""

    def clear(self) -> None:
        """Let go of everything."""


@dataclass
class _Entry:
    value: Any
    nbytes: int


class Store:
    """Holds loaded components by identity, part, device and precision; patches go on for the length
    of a call only, so all references to one component share it.

    Dropping a component frees it once nobody uses it any more. Safe to call from several threads:
    one loads, the others wait for it.
    """

    def __init__(
        self,
        families: Mapping[str, Family],
        budget: int,
        others: Mapping[str, Loader] | None = None,
    ) -> None:
        """``budget`` is in bytes; the component asked for last stays even above it. ``others``
        load what no family answers for."""
        self._families = families
        self._others = others or {}
        self._budget = budget
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, weights: Weights, device: str) -> Any:
        """The component ``weights.part`` of the model at ``weights.source``, loaded if need be.

        Raises:
            CatalogError: the files are missing, broken, or of no known family.
        """
        dtype = self._dtype(weights, device)
        key = (weights.family, weights.identity, weights.part, device, dtype)
        with self._lock:
            if key not in self._entries:
                value = self._load(weights, device, dtype)
                self._entries[key] = _Entry(value, component_bytes(value))
            self._entries.move_to_end(key)
            self._shrink()
            return self._entries[key].value

    def _dtype(self, weights: Weights, device: str) -> str:
        if weights.family in self._others:
            return ""
        if weights.family not in self._families:
            raise CatalogError(f"There is no model family {weights.family!r} in this version.")
        return compute_dtype(device, self._families[weights.family].card, weights.part)

    def _load(self, weights: Weights, device: str, dtype: str) -> Any:
        if weights.family in self._others:
            return self._others[weights.family].load(weights, device)
        folder = read_source(weights.source)
        folder.component(weights.part)
        return self._families[weights.family].load_part(folder, weights.part, device, dtype)

    def clear(self) -> None:
        """Drop every component."""
        with self._lock:
            self._entries.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of what is held."""
        with self._lock:
            return sum(entry.nbytes for entry in self._entries.values())

    def _shrink(self) -> None:
        while len(self._entries) > 1 and self.nbytes > self._budget:
            self._entries.popitem(last=False)


def component_bytes(value: Any) -> int:
    """Bytes of a module's parameters and buffers, or what a value says itself; else 0."""
    if isinstance(said := getattr(value, "nbytes", None), int):
        return said
    if not hasattr(value, "parameters"):
        return 0
    tensors = [*value.parameters(), *value.buffers()]
    return sum(int(t.numel() * t.element_size()) for t in tensors)
