"""What is loaded: each component once per process, under a budget, the oldest out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.family import Family
from backend.models.numerics import compute_dtype
from backend.values import Patch, Weights

Key = tuple[str, str, str, str, tuple[Patch, ...]]


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
    """Holds loaded components by identity, part, device, precision and patches.

    Dropping a component frees it once nobody uses it any more. Safe to call from several threads:
    one loads, the others wait for it.
    """

    def __init__(self, families: Mapping[str, Family], budget: int) -> None:
        """``budget`` is in bytes; the component asked for last stays even above it."""
        self._families = families
        self._budget = budget
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, weights: Weights, device: str) -> Any:
        """The component ``weights.part`` of the model at ``weights.source``, loaded if need be.

        Raises:
            CatalogError: the files are missing, broken, or of no known family or patch.
        """
        if weights.family not in self._families:
            raise CatalogError(f"There is no model family {weights.family!r} in this version.")
        if weights.patches:
            raise CatalogError(
                f"{weights.source} carries a patch {weights.patches[0].kind!r}, which this version "
                "cannot lay over weights. Remove the node that adds it."
            )
        family = self._families[weights.family]
        dtype = compute_dtype(device, family.card, weights.part)
        key = (weights.identity, weights.part, device, dtype, weights.patches)
        with self._lock:
            if key not in self._entries:
                folder = read_folder(Path(weights.source))
                folder.component(weights.part)
                value = family.load_part(folder, weights.part, device, dtype)
                self._entries[key] = _Entry(value, component_bytes(value))
            self._entries.move_to_end(key)
            self._shrink()
            return self._entries[key].value

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
    """Bytes of a module's parameters and buffers; 0 for anything else."""
    if not hasattr(value, "parameters"):
        return 0
    tensors = [*value.parameters(), *value.buffers()]
    return sum(int(t.numel() * t.element_size()) for t in tensors)
