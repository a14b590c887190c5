"""The open documents: opened, saved, closed, kept safe while they are edited."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.document.recovery import Recovered, Recovery, forget, recoverable
from app.document.session import Change, Session
from app.open_document import OpenDocument
from app.words import tr
from backend.graph.document import Workflow
from backend.graph.format import FormatError, parse

AUTOSAVE = 2000
"""Milliseconds after an edit until the recovery file is written."""


class Documents(QObject):
    """Which documents are open, and which of them is looked at.

    Every edit is in a recovery file within seconds, so a crash or a kill loses nothing; saving is
    atomic and keeps what was there before.
    """

    opened = Signal(object)
    closed = Signal(object)
    current_changed = Signal()
    renamed = Signal(object)
    """A document has another name, or is (not) saved now."""
    changed_outside = Signal(object)
    """Another program has written the file of a document."""
    said = Signal(str)

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        """``data`` is Weft's data folder, where recovery files and backups lie."""
        super().__init__(parent)
        self._recovery_folder = data / "recovery"
        self._backups = data / "backups"
        self._open: list[OpenDocument] = []
        self._recoveries: dict[str, Recovery] = {}
        self._timers: dict[str, QTimer] = {}
        self._told: set[str] = set()
        self._current: OpenDocument | None = None
        self.saved_at: dict[str, float] = {}

    def __iter__(self) -> Iterator[OpenDocument]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    @property
    def current(self) -> OpenDocument | None:
        """The document that is looked at."""
        return self._current

    # -- opening --------------------------------------------------------------------------------

    def new(self) -> OpenDocument:
        """Open an empty document."""
        return self._add(Session())

    def open(self, path: Path) -> OpenDocument:
        """Open a file, or look at it where it is open.

        Raises:
            FormatError: it cannot be read or is no workflow.
        """
        wanted = path.absolute()
        for document in self._open:
            held = document.session.path
            if held is not None and held.absolute() == wanted:
                self.look_at(document)
                return document
        return self._add(Session.open(wanted))

    def open_text(self, text: str, title: str = "") -> OpenDocument:
        """Open a workflow that stands in a text, such as that of a picture; it has no file.

        Raises:
            FormatError: it is no workflow.
        """
        from dataclasses import replace

        name = tr("The graph of {title}", title=title) if title else tr("This graph")
        try:
            workflow = parse(text, name)
        except FormatError as error:
            raise FormatError(error.code, said_of_text(error, name), error.place) from None
        if title and not workflow.title:
            workflow = replace(workflow, title=title)
        return self._add(Session(workflow))

    def open_workflow(self, workflow: Workflow) -> OpenDocument:
        """Open a workflow as a new document without a file."""
        return self._add(Session(workflow))

    def recover(self) -> list[OpenDocument]:
        """Open what dead sessions have left."""
        found: list[Recovered] = list(recoverable(self._recovery_folder))
        made = []
        for each in found:
            session = Session(path=each.path) if each.path is None else _of_file(each)
            document = self._add(session)
            document.edit(tr("Recover"), _always(each.workflow))
            self._keep(document)
            forget(each)
            made.append(document)
        return made

    def _add(self, session: Session) -> OpenDocument:
        document = OpenDocument(session, self)
        self._open.append(document)
        self._recoveries[document.id] = Recovery(self._recovery_folder)
        timer = QTimer(self, singleShot=True, interval=AUTOSAVE)
        timer.timeout.connect(lambda: self._keep(document))
        self._timers[document.id] = timer
        document.changed.connect(lambda *_: self._on_changed(document))
        self.opened.emit(document)
        self.look_at(document)
        return document

    def look_at(self, document: OpenDocument | None) -> None:
        """Look at a document."""
        if document is not self._current:
            self._current = document
            self.current_changed.emit()

    # -- keeping --------------------------------------------------------------------------------

    def _on_changed(self, document: OpenDocument) -> None:
        self.renamed.emit(document)
        self._timers[document.id].start()

    def _keep(self, document: OpenDocument) -> None:
        """Write the recovery file, or take it away where all is saved."""
        recovery = self._recoveries.get(document.id)
        if recovery is None:
            return
        try:
            if document.session.is_changed:
                recovery.write(document.workflow, document.session.path)
            else:
                recovery.clear()
        except (OSError, FormatError) as error:
            if document.id not in self._told:
                self._told.add(document.id)
                self.said.emit(
                    tr("{name} cannot be kept safe while it is edited: {why}. Save it by hand.",
                       name=document.name, why=_why(error))
                )  # fmt: skip

    def keep_all(self) -> None:
        """Write all recovery files now."""
        for document in self._open:
            self._keep(document)

    def save(self, document: OpenDocument, path: Path | None = None) -> bool:
        """Write a document to its file or another; whether it could be."""
        try:
            document.save(path, self._backups)
        except FormatError as error:
            self.said.emit(error.sentence)
            return False
        self.saved_at[document.id] = time.monotonic()
        self._keep(document)
        self.renamed.emit(document)
        return True

    def look_outside(self) -> None:
        """See whether other programs have written the files of open documents."""
        for document in self._open:
            session = document.session
            if not session.changed_outside():
                continue
            if session.path is not None and not session.path.exists():
                self._disown(document)
                self.said.emit(
                    tr("{name} was removed or renamed by another program. What you see is in no "
                       "file now. Save it to keep it.", name=session.path.name)
                )  # fmt: skip
            else:
                self.changed_outside.emit(document)

    def _disown(self, document: OpenDocument) -> None:
        document.session.disown()
        self._keep(document)
        self.renamed.emit(document)

    def read_again(self, document: OpenDocument) -> bool:
        """Take what another program has written; undo brings back what was here. Whether it could
        be read; else what was here stays, and is not saved."""
        path = document.session.path
        if path is None:
            return False
        try:
            found = Session.open(path)
        except FormatError as error:
            self._disown(document)
            self.said.emit(error.sentence)
            return False
        document.edit(tr("Read again from the file"), lambda _: found.workflow)
        document.session.agree()
        self._keep(document)
        self.renamed.emit(document)
        return True

    # -- closing --------------------------------------------------------------------------------

    def close(self, document: OpenDocument) -> None:
        """Close a document; what is not saved of it is gone, as the user said so."""
        self._timers.pop(document.id).stop()
        self._recoveries.pop(document.id).clear()
        place = self._open.index(document)
        self._open.remove(document)
        if document is self._current:
            left = self._open[min(place, len(self._open) - 1)] if self._open else None
            self.look_at(left)
        self.closed.emit(document)
        document.deleteLater()

    def unsaved(self) -> list[OpenDocument]:
        """The documents that are not as their files."""
        return [document for document in self._open if document.session.is_changed]


def _always(workflow: Workflow) -> Change:
    return lambda _: workflow


def _of_file(found: Recovered) -> Session:
    """The session of the file that a recovered document was of, as that is now."""
    assert found.path is not None
    try:
        return Session.open(found.path)
    except FormatError:
        return Session()


def _why(error: Exception) -> str:
    sentence = getattr(error, "sentence", "") or getattr(error, "strerror", "") or str(error)
    return str(sentence).rstrip(".")


def said_of_text(error: FormatError, name: str) -> str:
    """What is wrong with a graph that stands in no file of its own, as a sentence; ``name`` is
    what it was called when it was parsed."""
    rest = error.sentence.removeprefix(name)
    if not rest.startswith(":"):
        return error.sentence
    place, _, why = rest.lstrip(": ").partition(": ")
    why = why.partition(". ")[0].rstrip(".")
    return tr(
        "{name} cannot be opened. At {place} it was damaged, or changed by hand: {why}.",
        name=name, place=place, why=why,
    )  # fmt: skip
