"""Models by the names that a scan gave them: what a name means, and what would serve instead."""

from __future__ import annotations

from pathlib import Path

from backend.catalog.errors import CatalogError
from backend.catalog.index import opened
from backend.catalog.roots import index_file
from backend.catalog.scan import find
from backend.catalog.suggest import Wish, missing, suggest
from backend.catalog.walk import stamp_of


def by_name(name: str, index: Path | None = None) -> Path | None:
    """The scanned model that a name, or the end of one, means; ``None`` where there is none.

    Raises:
        CatalogError: several models are called so, or the one that is cannot be used.
    """
    place = index or index_file()
    if not place.is_file():
        return None
    with opened(place) as open_index:
        found = find(open_index, name)
    if len(found) > 1:
        raise CatalogError(
            f"{len(found)} models are called {name!r}: {', '.join(e.name for e in found[:4])}. "
            "Name the one that you mean by more of its path."
        )
    if not found:
        return None
    if found[0].problem:
        raise CatalogError(f"{found[0].name} cannot be used: {found[0].problem}")
    if not found[0].path.exists():
        raise CatalogError(
            f"{found[0].name} is not at {found[0].path} any more. Put it back, or run: weft models "
            "scan"
        )
    return found[0].path


def content_hash(path: Path, index: Path | None = None) -> str:
    """The full hash of a model as ``weft models verify`` took it; empty where it did not, or where
    the model has changed since."""
    place = index or index_file()
    if not place.is_file():
        return ""
    try:
        with opened(place) as open_index:
            entry = open_index.get(path)
        if entry is None or not entry.content:
            return ""
        home = entry.path if entry.path.is_dir() else entry.path.parent
        return entry.content if stamp_of(home, entry.files) == entry.stamp else ""
    except (CatalogError, OSError):
        return ""  # the index may be deleted at any time, and its word is only the better one


def instead_of(name: str, index: Path | None = None) -> str:
    """A sentence about scanned models that would serve in place of a missing one."""
    place = index or index_file()
    if not place.is_file():
        return "No folder of models has been scanned: weft models scan finds those you have."
    wish = Wish(name=name[:200], kind="model")
    with opened(place) as open_index:
        return missing(wish, suggest(wish, open_index.entries()))
