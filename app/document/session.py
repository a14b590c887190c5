"""One open document. Every change of it goes through ``edit``, ``undo``, ``redo`` or ``go``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import blake3

from app.document.history import History, State
from backend.graph.document import Workflow
from backend.graph.format import FormatError, dump, load, save

Change: TypeAlias = Callable[[Workflow], Workflow]
Listener: TypeAlias = Callable[[Workflow, Workflow], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was when it was read or written: size, time and a digest of its bytes."""

    size: int
    time_ns: int
    digest: str


class Session:
    """A document, its file, and its history.

    Who draws or checks the document listens; each listener gets the document before and after, and
    tells by identity what has changed. What a change raises leaves everything as it was.
    """

    def __init__(self, workflow: Workflow | None = None, path: Path | None = None) -> None:
        """``path`` is the file that ``workflow`` was read from, if it was."""
        self._history = History(workflow or Workflow())
        self._saved: Workflow | None = self._history.workflow
        self._listeners: list[Listener] = []
        self._telling = False
        self.path = path
        self._seen = _look(path) if path is not None else None

    @classmethod
    def open(cls, path: Path) -> Session:
        """The session of a workflow file.

        Raises:
            FormatError: it cannot be read or is no workflow.
        """
        return cls(load(path), path)

    @property
    def workflow(self) -> Workflow:
        """The document as it is now."""
        return self._history.workflow

    @property
    def history(self) -> History:
        """What it was; change it by this session only."""
        return self._history

    @property
    def is_changed(self) -> bool:
        """Whether the document is another than the one in the file."""
        return self._saved is None or not _alike(self.workflow, self._saved)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` called after every change; the returned function takes that back."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def edit(self, label: str, change: Change, merge: str = "") -> bool:
        """Change the document; whether it is another one now.

        Args:
            label: What people call the edit, such as ``Move 3 nodes``.
            change: Gives the new document; it must not change the old one.
            merge: Edits in a row with the same one are undone as one.

        Raises:
            RuntimeError: a listener tries to edit what it is being told of.
            Whatever ``change`` raises; the document is then as it was.
        """
        if self._telling:
            raise RuntimeError("a listener may not edit the document")
        before = self.workflow
        after = change(before)
        if _alike(after, before):
            return False
        self._history.push(State(label, after, merge))
        self._tell(before)
        return True

    def seal(self) -> None:
        """The hand was taken off: the next edit is one of its own."""
        self._history.seal()

    def undo(self) -> bool:
        """Go back by one edit; false where there is none."""
        return self._history.can_undo and self.go(self._history.at - 1)

    def redo(self) -> bool:
        """Do again what was undone; false where there is nothing."""
        return self._history.can_redo and self.go(self._history.at + 1)

    def go(self, place: int) -> bool:
        """See another state of the history; whether it is another one.

        Raises:
            IndexError: there is none of that place.
        """
        before = self.workflow
        self._history.go(place)
        if self.workflow is before:
            return False
        self._tell(before)
        return True

    def save(self, path: Path | None = None, backups: Path | None = None) -> None:
        """Write the document, whole or not at all, and keep what stood there in ``backups``.

        Args:
            path: Another file than that of the session, which then is this one.
            backups: A folder for older versions; none are kept without it.

        Raises:
            FormatError: it cannot be written, or there is no path. The older file is unharmed.
        """
        target = path or self.path
        if target is None:
            raise FormatError("W014", "The workflow has no file yet. Choose one.", "")
        workflow = self.workflow
        if backups is not None:
            from app.document.backups import keep

            keep(target, backups)
        save(workflow, target)
        self.path, self._saved, self._seen = target, workflow, _look(target)

    def agree(self) -> None:
        """What is seen now is what the file holds, as it was just read again."""
        self._saved = self.workflow
        self._seen = _look(self.path) if self.path is not None else None

    def disown(self) -> None:
        """The file is gone, or holds no workflow any more: what is seen is saved nowhere."""
        self._saved = None

    def text(self) -> str:
        """The document as its file would have it.

        Raises:
            FormatError: it holds what a file cannot.
        """
        return dump(self.workflow)

    def changed_outside(self) -> bool:
        """Whether somebody else has written or removed the file since it was read or saved here;
        that it was removed is told until ``disown``."""
        if self.path is None or self._seen is None:
            return False
        try:
            now = os.stat(self.path)
        except OSError:
            return self._saved is not None
        if (now.st_size, now.st_mtime_ns) == (self._seen.size, self._seen.time_ns):
            return False
        seen = _look(self.path)
        return seen is None or seen.digest != self._seen.digest

    def _tell(self, before: Workflow) -> None:
        self._telling = True
        try:
            for listener in tuple(self._listeners):
                listener(before, self.workflow)
        finally:
            self._telling = False


def _alike(one: Workflow, other: Workflow) -> bool:
    """Whether two documents are the same: mappings are equal in any order, but what is shown
    outside, and the ports of a subgraph, are seen in theirs."""
    if one is other:
        return True
    return one == other and list(_orders(one)) == list(_orders(other))


def _orders(workflow: Workflow) -> Iterator[list[str]]:
    yield list(workflow.expose)
    for name in sorted(workflow.subgraphs):
        inner = workflow.subgraphs[name]
        yield from (list(inner.params), list(inner.inputs), list(inner.graph.outputs))


def _look(path: Path) -> Seen | None:
    try:
        data = path.read_bytes()
        about = os.stat(path)
    except OSError:
        return None
    return Seen(about.st_size, about.st_mtime_ns, blake3.blake3(data).hexdigest())
