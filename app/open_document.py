"""One open document as the window sees it: its session, the graph that is looked at, and what is
selected there."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from app.document.session import Change, Session
from backend.graph.document import Workflow


class OpenDocument(QObject):
    """A session, the level that is shown of it, and the selection in that level.

    ``level`` is empty for the top graph, or the name of a subgraph. Selected nodes are named by
    their path in the level (``loop/blur`` for one inside a zone).
    """

    changed = Signal(object, object)
    """The document before and after."""
    selected = Signal()
    level_changed = Signal()
    saved = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.id = uuid4().hex
        self.session = session
        self.level = ""
        self.selection: frozenset[str] = frozenset()
        self.active = ""
        session.listen(self._on_change)

    @property
    def workflow(self) -> Workflow:
        """The document as it is now."""
        return self.session.workflow

    @property
    def name(self) -> str:
        """What its tab says: of its file, else its title."""
        path = self.session.path
        if path is not None:
            return path.name.removesuffix(".json").removesuffix(".weft")
        return self.workflow.title or "Untitled"

    def edit(self, label: str, change: Change, merge: str = "") -> bool:
        """Change the document (``Session.edit``)."""
        return self.session.edit(label, change, merge)

    def undo(self) -> bool:
        """Go back by one edit."""
        return self.session.undo()

    def redo(self) -> bool:
        """Do again what was undone."""
        return self.session.redo()

    def save(self, path: Path | None = None, backups: Path | None = None) -> None:
        """Write the document.

        Raises:
            FormatError: it cannot be written.
        """
        self.session.save(path, backups)
        self.saved.emit()

    def select(self, paths: Collection[str], active: str | None = None) -> None:
        """Select these nodes and no others; ``active`` is the one that the inspector shows."""
        chosen = frozenset(paths)
        if active is None:
            active = self.active if self.active in chosen else next(iter(sorted(chosen)), "")
        if (chosen, active) != (self.selection, self.active):
            self.selection, self.active = chosen, active
            self.selected.emit()

    def enter(self, level: str) -> None:
        """Look at another graph of the document.

        Raises:
            KeyError: there is no such subgraph.
        """
        if level and level not in self.workflow.subgraphs:
            raise KeyError(level)
        if level != self.level:
            self.level = level
            self.selection, self.active = frozenset(), ""
            self.level_changed.emit()
            self.selected.emit()

    def _on_change(self, before: Workflow, after: Workflow) -> None:
        if self.level and self.level not in after.subgraphs:
            self.enter("")
        self.changed.emit(before, after)
