"""Loaders of what is no component of a model folder: adapters, language models, whole pipelines."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol

from backend.values import Weights


class Loader(Protocol):
    """Loads the references of one name in ``Weights.family`` that no family answers for."""

    @property
    def family(self) -> str:
        """The name."""

    def load(self, weights: Weights, device: str) -> Any:
        """What a reference stands for, on a device.

        Raises:
            CatalogError: its files are missing or broken.
        """


@cache
def loaders() -> Mapping[str, Loader]:
    """All loaders by name: every module or package beside this one with a ``LOADER``. Light."""
    home = importlib.import_module("backend.models")
    found: dict[str, Loader] = {}
    for info in pkgutil.iter_modules(home.__path__):
        loader = getattr(importlib.import_module(f"backend.models.{info.name}"), "LOADER", None)
        if loader is not None:
            found[loader.family] = loader
    return MappingProxyType(found)
