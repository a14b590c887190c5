"""Finding the kinds of solver, schedule or guidance: every module of a package that defines one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from backend.diffusion.errors import DiffusionError


class Named(Protocol):
    """What is found: an object with the name under which a workflow asks for it."""

    @property
    def kind(self) -> str: ...


N = TypeVar("N", bound=Named)


def scan(package: str, wanted: type[N]) -> Mapping[str, N]:
    """All instances of ``wanted`` at the top of the modules of ``package``, by kind, in order.

    Raises:
        TypeError: two modules define the same kind.
    """
    found: Mapping[str, N] = _scan(package, wanted)
    return found


@cache
def _scan(package: str, wanted: type[Any]) -> Mapping[str, Any]:
    home = importlib.import_module(package)
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(home.__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, wanted) and found.setdefault(value.kind, value) is not value:
                raise TypeError(f"{module.__name__} defines {value.kind!r} a second time")
    return MappingProxyType({k: found[k] for k in sorted(found, key=lambda k: (found[k].rank, k))})


def choose(found: Mapping[str, N], kind: str, what: str) -> N:
    """The entry ``kind``.

    Raises:
        DiffusionError: there is none.
    """
    if kind not in found:
        raise DiffusionError(f"There is no {what} {kind!r}. Choose one of {', '.join(found)}.")
    return found[kind]
