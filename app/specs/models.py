"""The models at hand for a picker, read from the index in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from backend.catalog.errors import CatalogError
from backend.catalog.identity import KINDS
from backend.catalog.index import Entry, opened
from backend.catalog.suggest import Wish, suggest

WHOLE = ("checkpoint", "folder", "denoiser")
"""The kinds that hold a denoiser."""


@dataclass(frozen=True)
class ModelRow:
    """A model as a picker shows it.

    ``name`` is what goes into the parameter; ``kind`` is one of ``Identity.kind``; ``families`` are
    all that it may serve; ``spaces`` what it speaks, by role; ``problem`` why it cannot be used.
    """

    name: str
    kind: str
    title: str
    families: tuple[str, ...] = ()
    spaces: tuple[tuple[str, str], ...] = ()
    precision: str = ""
    size: int = 0
    path: Path = Path()
    problem: str = ""

    @property
    def kind_words(self) -> str:
        """Its kind as people read it."""
        return KINDS.get(self.kind, self.kind)


def row_of(entry: Entry) -> ModelRow:
    """A row of the index as a picker shows it."""
    known = entry.identity
    if known is None:
        return ModelRow(
            entry.name, "unknown", "", size=entry.size, path=entry.path, problem=entry.problem
        )
    families = known.families or ((known.family,) if known.family else ())
    return ModelRow(
        entry.name, known.kind, known.title, families, tuple(known.spaces.items()),
        known.precision, entry.size, entry.path, entry.problem,
    )  # fmt: skip


def built_in(folder: Path) -> tuple[ModelRow, ...]:
    """The models that Weft ships, which go by their bare names."""
    found = sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []
    rows = []
    for place in found:
        size = sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
        rows.append(ModelRow(place.name, "folder", place.name.capitalize(), size=size, path=place))
    return tuple(rows)


def chosen(
    rows: Iterable[ModelRow],
    *,
    kinds: Iterable[str] = (),
    family: str = "",
    space: str = "",
    text: str = "",
) -> tuple[ModelRow, ...]:
    """The rows that fit, usable ones first. What is empty may be anything; of what a model does not
    tell (no family, no spaces) it may be anything too. ``text`` is looked for in name and title."""
    wanted, letters = frozenset(kinds), text.casefold()

    def fits(row: ModelRow) -> bool:
        return (
            (not wanted or row.kind in wanted)
            and (not family or not row.families or family in row.families)
            and (not space or not row.spaces or space in dict(row.spaces).values())
            and letters in f"{row.name} {row.title}".casefold()
        )

    return tuple(sorted(filter(fits, rows), key=lambda row: (bool(row.problem), row.name)))


class Models(QObject):
    """The models that scans have found. ``read`` never makes the window wait."""

    changed = Signal()
    """``rows`` or ``sentence`` is another."""
    _found = Signal(object, str)

    def __init__(self, index: Path, shipped: Path, parent: QObject | None = None) -> None:
        """Args:
        index: The file of the index.
        shipped: The folder of the models that Weft ships.
        parent: The owner.
        """
        super().__init__(parent)
        self.rows: tuple[ModelRow, ...] = ()
        self.sentence = ""
        self._index, self._shipped = index, shipped
        self._entries: tuple[Entry, ...] = ()
        self._thread: threading.Thread | None = None
        self._again = False
        self._found.connect(self._take)

    def read(self) -> None:
        """Read the index anew; ``changed`` follows where it tells something else."""
        if self._thread is not None:
            self._again = True
            return
        self._thread = threading.Thread(target=self._work, name="weft-models", daemon=True)
        self._thread.start()

    def instead_of(self, name: str, family: str = "") -> tuple[str, ...]:
        """Names of models that would serve where one is missing, the best first."""
        wish = Wish(name=name[:200], kind="model", family=family)
        return tuple(each.entry.name for each in suggest(wish, self._entries))

    def close(self) -> None:
        """Wait for the thread."""
        if self._thread is not None:
            self._thread.join(10.0)

    def _work(self) -> None:
        entries: tuple[Entry, ...] = ()
        sentence = ""
        try:
            shipped = built_in(self._shipped)
            if self._index.is_file():
                with opened(self._index) as index:
                    entries = tuple(index.entries())
        except (CatalogError, OSError) as error:
            shipped, sentence = (), str(error)
        self._found.emit((entries, shipped), sentence)

    def _take(self, found: tuple[tuple[Entry, ...], tuple[ModelRow, ...]], sentence: str) -> None:
        self._thread = None
        self._entries, shipped = found
        scanned = {entry.path: row_of(entry) for entry in self._entries}
        # A shipped model is known by its bare name, and by what a scan says of it.
        own = tuple(replace(scanned.pop(row.path, row), name=row.name) for row in shipped)
        rows = (*own, *scanned.values())
        if (rows, sentence) != (self.rows, self.sentence):
            self.rows, self.sentence = rows, sentence
            self.changed.emit()
        if self._again:
            self._again = False
            self.read()
