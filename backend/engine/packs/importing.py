"""Importing a pack: only the files that were trusted, each held against its digest."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from backend.engine.packs.find import PREFIX
from backend.engine.packs.pack import Pack, digest


class CheckedSource(SourceFileLoader):
    """Compiles exactly the bytes that were trusted, and looks at no compiled file beside them."""

    def __init__(self, name: str, path: str, trusted: str) -> None:
        super().__init__(name, path)
        self._trusted = trusted

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file.

        Raises:
            ImportError: the file is not the one that was trusted.
        """
        data = self.get_data(self.path)
        if digest(data) != self._trusted:
            raise _changed(fullname, self.path)
        code: CodeType = self.source_to_code(data, self.path)
        return code


class CheckedExtension(ExtensionFileLoader):
    """Loads a compiled module after a look at its bytes."""

    def __init__(self, name: str, path: str, trusted: str) -> None:
        super().__init__(name, path)
        self._trusted = trusted

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the file.

        Raises:
            ImportError: the file is not the one that was trusted.
        """
        if digest(Path(self.path).read_bytes()) != self._trusted:
            raise _changed(spec.name, self.path)
        return super().create_module(spec)


class PackFinder(MetaPathFinder):
    """Finds the modules of one pack, and nothing in its folder beside them."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of a name.

        Raises:
            ModuleNotFoundError: the name is the pack's, and no trusted file has it.
        """
        pack = self.pack
        if fullname != pack.package and not fullname.startswith(pack.package + "."):
            return None
        if pack.root.is_file():
            if fullname == pack.package:
                return self._spec(fullname, pack.root.name, pack.root, None)
            raise _unknown(fullname, pack)
        inner = fullname[len(pack.package) + 1 :].replace(".", "/")
        folder = pack.root / inner if inner else pack.root
        start = f"{inner}/__init__.py" if inner else "__init__.py"
        if start in pack.files:
            return self._spec(fullname, start, pack.root / start, folder)
        for name in (f"{inner}.py", *(inner + suffix for suffix in EXTENSION_SUFFIXES)):
            if name in pack.files:
                return self._spec(fullname, name, pack.root / name, None)
        if not inner or any(name.startswith(inner + "/") for name in pack.files):
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(folder)]
            return spec
        raise _unknown(fullname, pack)

    def _spec(self, fullname: str, name: str, path: Path, folder: Path | None) -> ModuleSpec | None:
        trusted = self.pack.files[name]
        kind = CheckedSource if name.endswith(".py") else CheckedExtension
        loader = kind(fullname, str(path), trusted)
        locations = [str(folder)] if folder is not None else None
        return spec_from_file_location(
            fullname, path, loader=loader, submodule_search_locations=locations
        )


def import_files(pack: Pack) -> Iterator[tuple[str, ModuleType | Exception]]:
    """Import each file of a pack that may declare nodes; the name with the module, or why not."""
    if not any(isinstance(each, PackFinder) and each.pack == pack for each in sys.meta_path):
        sys.meta_path.insert(0, PackFinder(pack))
    if pack.kind == "folder" and PREFIX[:-1] not in sys.modules:
        parent = ModuleType(PREFIX[:-1])
        parent.__path__ = []
        sys.modules[PREFIX[:-1]] = parent
    for name in pack.node_files:
        try:
            yield name, importlib.import_module(_module(pack, name))
        except (Exception, SystemExit) as error:
            cause = error if isinstance(error, Exception) else ImportError("it ends the program")
            yield name, cause


def _module(pack: Pack, name: str) -> str:
    if pack.root.is_file():
        return pack.package
    inner = name.removesuffix(".py").replace("/", ".")
    inner = "" if inner == "__init__" else inner.removesuffix(".__init__")
    return f"{pack.package}.{inner}" if inner else pack.package


def _changed(name: str, path: str) -> ImportError:
    return ImportError(f"{path} has changed since it was trusted", name=name, path=path)


def _unknown(name: str, pack: Pack) -> ModuleNotFoundError:
    sentence = f"no trusted file of the pack {pack.name!r} is the module {name!r}"
    return ModuleNotFoundError(sentence, name=name)
