"""The settings as the window has them: what is set, from where, and changing it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.words import tr
from backend.settings import (
    Declaration,
    Loaded,
    SettingError,
    Settings,
    declarations,
    load,
    set_value,
    settings_file,
    unset,
)


class SettingsDesk(QObject):
    """Reads the settings file and the environment, and writes the file.

    ``changed`` carries the key of a setting that is another now. ``trouble`` is a sentence where
    the file cannot be read; then everything is as Weft has it.
    """

    changed = Signal(str)

    def __init__(
        self, file: Path | None = None, environ: Mapping[str, str] = os.environ,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.file = file or settings_file(environ)
        self._environ = environ
        self.trouble = ""
        self.loaded = self._load()

    @property
    def settings(self) -> Settings:
        """All of them."""
        return self.loaded.settings

    def value(self, key: str) -> Any:
        """The value of a setting."""
        return self.loaded.value(key)

    def declared(self) -> Mapping[str, Declaration]:
        """Every setting by its key, in order."""
        return declarations()

    def is_fixed(self, key: str) -> bool:
        """Whether an environment variable sets it, which goes before the file."""
        return declarations()[key].variable in self._environ

    def origin(self, key: str) -> str:
        """Where its value is from, in words; empty where it is as Weft has it."""
        found = self.loaded.origins.get(key, "")
        if not found:
            return ""
        return tr("set here") if found == str(self.file) else tr("set by {name}", name=found)

    def put(self, key: str, given: Any) -> str:
        """Set one; empty, or a sentence that says why it cannot be."""
        return self._write(key, lambda: set_value(self.file, key, given))

    def reset(self, key: str) -> str:
        """Have one as Weft has it; empty, or a sentence that says why it cannot be."""
        return self._write(key, lambda: unset(self.file, key))

    def reload(self) -> None:
        """Read the file again, as when somebody else has changed it."""
        before, self.loaded = self.loaded, self._load()
        for key in declarations():
            if before.value(key) != self.value(key):
                self.changed.emit(key)

    def _write(self, key: str, write: Any) -> str:
        before = self.value(key)
        try:
            write()
        except SettingError as error:
            said = str(error).removeprefix(f"{key}: ")  # the row has its name already
            return said[:1].upper() + said[1:]
        self.loaded = self._load()
        if self.value(key) != before:
            self.changed.emit(key)
        return ""

    def _load(self) -> Loaded:
        try:
            found = load(self.file, self._environ)
        except SettingError as error:
            self.trouble = str(error)
            return Loaded(Settings(), {}, self.file)
        self.trouble = ""
        return found
