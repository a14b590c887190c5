"""The packs that are there, trusted or not. Nothing of them is imported."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from backend.engine.packs.pack import Pack, PackError, describe

GROUP = "weft.nodes"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
PREFIX = "weft_packs."


def find_packs(data: Path) -> tuple[list[Pack], list[str]]:
    """All packs by name, and a sentence for each that cannot be looked at.

    Args:
        data: Weft's data folder, whose ``packs`` holds a folder per pack.
    """
    found: dict[str, Pack] = {}
    problems: list[str] = []
    for make in (*_folders(data / "packs"), *_installed()):
        try:
            pack = make()
        except PackError as error:
            problems.append(str(error))
            continue
        if pack.name in found:
            problems.append(
                f"Two packs are called {pack.name!r}; the installed one is left out. Rename the "
                f"folder {found[pack.name].root}."
            )
            continue
        found[pack.name] = pack
    return [found[name] for name in sorted(found)], problems


def folder_pack(folder: Path) -> Pack:
    """The pack of a folder.

    Raises:
        PackError: its name is none that Python can import, or it cannot be read.
    """
    if NAME.fullmatch(folder.name) is None:
        raise PackError(
            f"The folder {folder.name!r} is no pack: its name must be letters, digits and _ ."
        )
    return describe(folder.name, "folder", PREFIX + folder.name, folder)


def installed_pack(entry: EntryPoint) -> Pack:
    """The pack of an entry point, found without importing it.

    Raises:
        PackError: it cannot be found, is spread over several folders, or cannot be read.
    """
    name, module = entry.name, entry.module
    if NAME.fullmatch(name) is None:
        raise PackError(f"The installed pack {name!r} must be named by letters, digits and _ .")
    top, _, inner = module.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None or spec.origin in (None, "built-in", "frozen"):
        raise PackError(
            f"The installed pack {name!r} names the package {top!r}, which is not there or is "
            "spread over several folders. Install it anew."
        )
    origin = Path(str(spec.origin))
    root = origin.parent if spec.submodule_search_locations else origin
    return describe(name, "installed", top, root, inner)


def _folders(packs: Path) -> Iterator[Maker]:
    try:
        folders = sorted(each for each in packs.iterdir() if each.is_dir())
    except OSError:
        return
    for folder in folders:
        if not folder.name.startswith((".", "__")):
            yield Maker(folder)


def _installed() -> Iterator[Maker]:
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        yield Maker(entry)


class Maker:
    """Describes one pack when it is called."""

    def __init__(self, source: Path | EntryPoint) -> None:
        self._source = source

    def __call__(self) -> Pack:
        if isinstance(self._source, Path):
            return folder_pack(self._source)
        return installed_pack(self._source)
