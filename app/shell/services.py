"""What the window works with: made once at the start, closed once at the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.open_document import OpenDocument
from app.panels.settings.desk import SettingsDesk
from app.run.room import EngineRoom
from app.run.setup import engine_room
from app.shell.documents import Documents
from app.specs.book import SpecBook
from app.specs.helper import Helper
from app.specs.models import Models
from app.specs.outlook import Machine
from app.theme.theme import Theme
from backend.catalog.roots import shipped_folder
from backend.engine.checks.wire import Begin
from backend.logs import Log
from backend.settings import Settings, cache_folder, data_folder, log_folder

if TYPE_CHECKING:
    from backend.media.apart import Decoder


MakeRoom = Callable[..., EngineRoom]


@dataclass(frozen=True)
class Places:
    """The folders of the user."""

    cache: Path
    data: Path
    logs: Path
    output: Path

    @property
    def icons(self) -> Path:
        """Where icons in the colours of the theme are kept."""
        return self.cache / "icons"


def places_of(settings: Settings) -> Places:
    """The folders that the settings name, or Weft's own."""
    output = Path(settings.folders.output) if settings.folders.output else Path.cwd() / "output"
    return Places(
        cache_folder(settings), data_folder(settings), log_folder(settings), output.absolute()
    )


class Services(QObject):
    """Holds everything that outlives a document."""

    troubled = Signal(str)
    """Why nothing is checked at present; told once until all is well again."""
    output_changed = Signal()
    """Outputs go to another folder."""

    def __init__(self, desk: SettingsDesk, theme: Theme, make_room: MakeRoom = engine_room) -> None:
        """``make_room`` makes the engine room, given what ``engine_room`` is given."""
        super().__init__()
        settings = desk.settings
        self.desk, self.theme, self.places = desk, theme, places_of(settings)
        self.granted: dict[str, tuple[Path, ...]] = {}
        self.book = SpecBook.open(self.places.cache, self.places.data, parent=self)
        self.documents = Documents(self.places.data, self)
        index = self.places.cache / "models.sqlite"  # known also where the settings are broken
        self.models = Models(index, shipped_folder(), self)
        self._decoder: Decoder | None = None
        self.room: EngineRoom = make_room(
            settings, lambda: self.book.specs, lambda: self.places.output, self.grants_of
        )
        self._helper: Helper | None = None
        self._trouble = ""
        desk.changed.connect(self._on_setting)

    def _on_setting(self, key: str) -> None:
        if key == "folders.output":
            self.places = replace(self.places, output=places_of(self.desk.settings).output)
            self.output_changed.emit()

    @property
    def decoder(self) -> Decoder:
        """The process that decodes pictures of strangers; it starts with the first of them."""
        if self._decoder is None:
            from backend.media.apart import Decoder

            self._decoder = Decoder()
        return self._decoder

    @property
    def helper(self) -> Helper:
        """The process of checks, which ``begin`` starts."""
        if self._helper is None:
            self._helper = Helper(Begin(data_folder=str(self.places.data)), parent=self, later=True)
            self._helper.types.connect(self.book.take)
            self._helper.trouble.connect(self._on_trouble)
        return self._helper

    def _on_trouble(self, sentence: str) -> None:
        if sentence and not self._trouble:
            self.troubled.emit(sentence)
        self._trouble = sentence

    def begin(self) -> None:
        """The window is seen: start what works beside it."""
        self.helper.start()

    def machine(self) -> Machine:
        """Where a run would compute, as the settings say and the meters have found."""
        run = self.desk.settings.run
        gpu = self.room.memory.device_total
        return Machine(run.device, run.memory, gpu, str(self.places.cache))

    def grants_of(self, document: OpenDocument) -> tuple[Path, ...]:
        """What a document may read beside its own folder: what the user picked for it."""
        return self.granted.get(document.id, ())

    def grant(self, document: OpenDocument, path: Path) -> str:
        """Let a document read a picked path; how the document names it."""
        found = path.absolute()
        held = self.granted.get(document.id, ())
        if found not in held:
            self.granted[document.id] = (*held, found)
        file = document.session.path
        if file is not None:
            try:
                return found.relative_to(file.absolute().parent).as_posix()
            except ValueError:
                pass
        return os.fspath(found)

    def log(self, text: str) -> None:
        """Write down what went wrong, in the log that all processes share; nobody waits for it."""
        logs = self.desk.settings.logs
        log = Log(self.places.logs, logs.size, logs.keep)
        threading.Thread(target=log.write, args=(text,), name="weft-log-entry").start()

    def close(self) -> None:
        """End all threads and processes."""
        self.documents.keep_all()
        self.room.close()
        if self._helper is not None:
            self._helper.close()
        self.models.close()
        if self._decoder is not None:
            self._decoder.close()
