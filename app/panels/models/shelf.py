"""The models of this machine: read, scanned, verified and got in a thread of their own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from PySide6.QtCore import QObject, Signal

from app.panels.errands import Errands
from app.words import tr
from backend.catalog.errors import CatalogError
from backend.catalog.index import Entry

T = TypeVar("T")
_PACE = 0.1
"""Seconds between two words about how far something is."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is under way, in words, and its share from 0 to 1; less than 0 where nobody knows."""

    words: str
    share: float = -1.0


class _Read(NamedTuple):
    """What is there: models, folders, those that Weft ships, free bytes on the disk and in
    memory."""

    entries: tuple[Entry, ...]
    folders: tuple[Path, ...]
    shipped: frozenset[str]
    free: int
    memory: int


class ModelShelf(QObject):
    """What models there are.

    ``changed``: ``entries`` or ``folders`` are others. ``working`` carries a ``Work``, or ``None``
    at its end. ``told`` and ``refused`` carry a sentence on what was done, or cannot be.
    """

    changed = Signal()
    working = Signal(object)
    told = Signal(str)
    refused = Signal(str)

    def __init__(self, settings: Path | None = None, parent: QObject | None = None) -> None:
        """``settings`` is the settings file that folders are added to, or the user's own."""
        super().__init__(parent)
        self._settings = settings
        self._errands = Errands("weft-models", (CatalogError, OSError), self)
        self._said = 0.0
        self.entries: tuple[Entry, ...] = ()
        self.folders: tuple[Path, ...] = ()
        self.free = 0
        self.memory = 0
        self.shipped: frozenset[str] = frozenset()
        self.work: Work | None = None

    def close(self) -> None:
        """Give up what is under way, and wait for its thread."""
        self._errands.close()

    def cancel(self) -> None:
        """Give up what is under way; what was got of a model stays for the next time."""
        self._errands.stop()

    def refresh(self) -> None:
        """Read again what the last scan found."""
        self._do("", self._read, self._have_read)

    def scan(self) -> None:
        """Look through all folders."""
        self._do(tr("Looking through the folders"), self._scan, self._scanned)

    def add_folder(self, folder: Path) -> None:
        """Take in a folder of models, of another program, or a cache; nothing is copied."""
        self._do(tr("Looking through the folders"), lambda: self._add(folder), self._scanned)

    def remove_folder(self, folder: Path) -> None:
        """Leave a folder out again; its files stay."""
        self._do(tr("Looking through the folders"), lambda: self._leave_out(folder), self._scanned)

    def verify(self, chosen: Sequence[Entry]) -> None:
        """Read models whole and compare them with what their source or an earlier look said."""
        self._do(tr("Verifying"), lambda: self._verify(tuple(chosen)), self._verified)

    def get(self, source: str, sha256: str = "") -> None:
        """Download a model: a URL, or ``hf:ORG/REPO[/FILE][@REVISION]``."""
        self._do(tr("Getting {source}", source=source), lambda: self._get(source, sha256),
                 self._got)  # fmt: skip

    def _do(self, words: str, work: Callable[[], T], then: Callable[[T], None]) -> None:
        def begin() -> T:
            if words:
                self._say(words, -1.0)
            try:
                return work()
            finally:
                self._errands.tell(self._rest)

        self._errands.do(begin, then, self.refused.emit)

    def _say(self, words: str, share: float) -> None:
        """Tell how far it is, from the thread of the work, not more often than people can see.

        Raises:
            Stopped: it is to be given up.
        """
        self._errands.check()
        now = time.monotonic()
        if share < 0 or now - self._said >= _PACE:
            self._said = now
            self._errands.tell(lambda: self._show(Work(words, share)))

    def _show(self, work: Work) -> None:
        self.work = work
        self.working.emit(work)

    def _rest(self) -> None:
        if self.work is not None:
            self.work = None
            self.working.emit(None)

    def _read(self) -> _Read:
        import psutil

        from backend.catalog.index import opened
        from backend.catalog.roots import index_file, own_folder, read_folders, shipped_folder

        place = index_file()
        entries: tuple[Entry, ...] = ()
        if place.is_file():
            with opened(place) as index:
                entries = tuple(index.entries())
        home = own_folder()
        there = next(folder for folder in (home, *home.parents) if folder.exists())
        own = shipped_folder()
        shipped = frozenset(each.name for each in own.iterdir()) if own.is_dir() else frozenset()
        return _Read(
            entries, read_folders(self._settings), shipped, shutil.disk_usage(there).free,
            int(psutil.virtual_memory().available),
        )  # fmt: skip

    def _have_read(self, found: _Read) -> None:
        self.entries, self.folders, self.shipped = found.entries, found.folders, found.shipped
        self.free, self.memory = found.free, found.memory
        self.changed.emit()

    def _scan(self) -> str:
        from backend.catalog.identify import shipped_knowledge
        from backend.catalog.index import opened
        from backend.catalog.roots import default_roots, index_file
        from backend.catalog.scan import scan

        def far(count: int) -> None:
            self._say(tr("Looking through the folders, {n} models so far", n=count), -1.0)

        with opened(index_file()) as index:
            done = scan(default_roots(self._settings), index, shipped_knowledge(), far)
        said = tr("{n} models, {new} of them new.", n=done.new + done.same, new=done.new)
        return " ".join([said, *done.troubles[:2]])

    def _scanned(self, said: str) -> None:
        self.told.emit(said)
        self.refresh()

    def _add(self, folder: Path) -> str:
        from backend.catalog.roots import read_folders, write_folders
        from backend.settings import settings_file

        if not folder.is_dir():
            raise CatalogError(tr("{folder} is no folder. Choose another.", folder=folder))
        file = self._settings or settings_file()
        folders = list(read_folders(file))
        if folder not in folders:
            write_folders(file, [*folders, folder])
        return self._scan()

    def _leave_out(self, folder: Path) -> str:
        from backend.catalog.roots import read_folders, write_folders
        from backend.settings import settings_file

        file = self._settings or settings_file()
        write_folders(file, [each for each in read_folders(file) if each != folder])
        return self._scan()

    def _verify(self, chosen: tuple[Entry, ...]) -> str:
        from backend.catalog.index import opened
        from backend.catalog.roots import index_file
        from backend.catalog.verify import verify

        wrong: list[str] = []
        total, done = sum(entry.size for entry in chosen) or 1, 0
        with opened(index_file()) as index:
            for entry in chosen:
                words = tr("Verifying {name}", name=entry.name)

                def read(count: int, words: str = words) -> None:
                    nonlocal done
                    done += count
                    self._say(words, done / total)

                found = verify(entry, index, read)
                if not found.good:
                    said = tr("{name} is {said}.", name=entry.name, said=found.said)
                    wrong.append(entry.problem or said)
        if wrong:
            raise CatalogError(" ".join(wrong[:3]))
        if len(chosen) == 1:
            return tr("{name} is as it should be.", name=chosen[0].name)
        return tr("{n} models are as they should be.", n=len(chosen))

    def _verified(self, said: str) -> None:
        self.told.emit(said)
        self.refresh()

    def _get(self, source: str, sha256: str) -> str:
        from backend.catalog.fetch import Fetcher
        from backend.catalog.hub import wanted
        from backend.catalog.roots import own_folder
        from backend.catalog.web import Hub

        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
        hub = Hub(endpoint, os.environ.get("HF_TOKEN", "").strip())
        files = wanted(source, hub)
        if len(files) > 1 and sha256:
            raise CatalogError(tr("A hash is for a single file; name one in the source."))
        for number, file in enumerate(files, 1):
            target = own_folder() / file.path
            if len(files) > 1 and target.exists():
                continue
            words = tr("Getting {name}", name=file.path.name)
            if len(files) > 1:
                words += " " + tr("({n} of {all})", n=number, all=len(files))

            def far(done: int, of: int, words: str = words) -> None:
                self._say(words, done / of if of else -1.0)

            Fetcher(hub, far).fetch(file.url, target, sha256)
        self._scan()
        return tr("{source} is here now.", source=source)

    def _got(self, said: str) -> None:
        self.told.emit(said)
        self.refresh()
