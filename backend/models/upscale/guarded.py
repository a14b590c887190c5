"""Importing Spandrel where torchvision is absent, unseen by everybody else.

Spandrel declares torchvision, yet uses it in two architectures only. A torchvision that somebody
else could see, if only for a moment, would be believed in for good: transformers and diffusers ask
once whether it is there and build their classes on the answer. So the stand-in is never put among
the modules of the process: for the time of the import a finder gives Spandrel's own modules an
``import`` that answers by the stand-in, and everything else keeps the ordinary one.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import MappingProxyType, ModuleType
from typing import Any

from backend.catalog.errors import CatalogError

VERSION = "0.4.2"
"""The version of Spandrel that this was tested with."""

INSTALL = f"pip install --no-deps spandrel=={VERSION} einops"
"""How to get Spandrel without torchvision, which it would pull in beside another torch."""

ABSENT = "torchvision"
_LOCK = threading.Lock()


def spandrel(package: str = "spandrel") -> Any:
    """Spandrel, imported. Any number of threads may ask at once.

    Raises:
        CatalogError: it is not installed, or does not load.
    """
    with _LOCK:
        if (found := sys.modules.get(package)) is not None:
            return found
        try:
            with without_torchvision(package):
                return importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise CatalogError(
                f"Learned upscalers need {error.name or 'Spandrel'}, which is not installed. Run "
                f"`{INSTALL}` in Weft's environment, then start Weft again."
            ) from error
        except Exception as error:  # a library of another version fails in many ways
            raise CatalogError(
                f"Spandrel does not load ({type(error).__name__}: {str(error)[:120]}). Install the "
                f"version that Weft knows: `{INSTALL}`."
            ) from error


@contextmanager
def without_torchvision(package: str) -> Iterator[None]:
    """Let a package's modules import a stand-in for torchvision; nothing where the real one is."""
    if importlib.util.find_spec(ABSENT) is not None:
        yield
        return
    finder = _Finder(package, stand_in())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def stand_in() -> Mapping[str, ModuleType]:
    """The modules of torchvision that Spandrel names, by name. What they hold cannot be used."""
    found: dict[str, ModuleType] = {}
    for name in (ABSENT, f"{ABSENT}.transforms", f"{ABSENT}.transforms.functional"):
        module = ModuleType(name, "A stand-in for torchvision, which is not installed.")
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        found[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(found[parent], child, module)
    leaf: Any = found[f"{ABSENT}.transforms.functional"]
    leaf.InterpolationMode = type("InterpolationMode", (), {"BILINEAR": "bilinear"})
    leaf.rotate = leaf.normalize = _refuse
    return MappingProxyType(found)


def _refuse(*_: Any, **__: Any) -> Any:
    raise CatalogError(
        "This upscaler computes with torchvision, which is not installed here. Choose another."
    )


class _Finder(PathFinder):
    """Finds the modules of one package, to be run with an ``import`` of their own."""

    def __init__(self, package: str, modules: Mapping[str, ModuleType]) -> None:
        self._package = package
        self._modules = modules

    def find_spec(  # type: ignore[override]  # of an instance, as all finders on meta_path may be
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._package and not fullname.startswith(self._package + "."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._modules)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, modules: Mapping[str, ModuleType]) -> None:
        super().__init__(name, path)
        self._modules = modules

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._import}
        super().exec_module(module)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and name.partition(".")[0] == ABSENT:
            if name not in self._modules:
                raise ModuleNotFoundError(f"No module named {name!r}", name=ABSENT)
            return self._modules[name if fromlist else ABSENT]
        return builtins.__import__(name, globals, locals, fromlist or (), level)
