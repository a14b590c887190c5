"""Opening, saving and closing documents, with the questions that go with it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.open_document import OpenDocument
from app.shell.documents import Documents
from app.words import tr
from backend.graph.format import FormatError

SUFFIX = ".weft.json"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a")
MEDIA = (*PICTURES, *VIDEOS, *SOUNDS)
"""Files that may carry a graph; for those that carry none there are nodes that read them."""


class Files(QObject):
    """Asks the user, and has ``Documents`` do it."""

    said = Signal(str)

    def __init__(self, documents: Documents, window: QWidget) -> None:
        super().__init__(window)
        self._documents, self._window = documents, window

    def ask_open(self) -> None:
        """Ask for files and open them."""
        shown = (
            tr("Workflows and pictures")
            + " (*.weft.json *.json *.png *.jpg *.webp *.tif *.mp4 *.webm *.gif *.wav *.flac *.mp3)"
        )
        chosen, _ = QFileDialog.getOpenFileNames(self._window, tr("Open"), self._begin(), shown)
        for name in chosen:
            self.open(Path(name))

    def open(self, path: Path) -> OpenDocument | None:
        """Open a workflow, or the one that a picture carries; a sentence where it cannot be."""
        try:
            if path.suffix.lower() in MEDIA:
                return self.open_carried(path)
            return self._documents.open(path)
        except FormatError as error:
            self.said.emit(error.sentence)
            return None

    def open_carried(self, path: Path) -> OpenDocument | None:
        """Open the workflow that a picture carries.

        Raises:
            FormatError: what it carries is no workflow.
        """
        from backend.media.errors import Damaged, Unsupported
        from backend.media.metadata import read_provenance
        from backend.sdk import UserError

        try:
            told = read_provenance(path)
        except (UserError, OSError, Damaged, Unsupported) as error:
            self.said.emit(str(error))
            return None
        text = told.get("workflow") if told else None
        if not isinstance(text, str):
            self.said.emit(tr("{name} carries no graph. It may be used as a picture.",
                              name=path.name))  # fmt: skip
            return None
        return self._documents.open_text(text, path.stem)

    def save(self, document: OpenDocument) -> bool:
        """Save a document, asking for a place where it has none."""
        if document.session.path is None:
            return self.save_as(document)
        if document.session.changed_outside() and not self._overwrite(document):
            return False
        return self._documents.save(document)

    def save_as(self, document: OpenDocument) -> bool:
        """Ask for a place and save a document there."""
        begin = str(Path(self._begin()) / f"{document.name}{SUFFIX}")
        name, _ = QFileDialog.getSaveFileName(
            self._window, tr("Save"), begin, tr("Workflows") + f" (*{SUFFIX})"
        )
        if not name:
            return False
        path = Path(name)
        if not path.name.endswith(".json"):
            path = path.with_name(path.name + SUFFIX)
        return self._documents.save(document, path)

    def close(self, document: OpenDocument) -> bool:
        """Close a document, asking where it is not saved; whether it was closed."""
        if document.session.is_changed:
            answer = self._ask_close(document)
            if answer == QMessageBox.StandardButton.Cancel:
                return False
            if answer == QMessageBox.StandardButton.Save and not self.save(document):
                return False
        self._documents.close(document)
        return True

    def _ask_close(self, document: OpenDocument) -> QMessageBox.StandardButton:
        buttons = QMessageBox.StandardButton
        box = QMessageBox(self._window)
        box.setText(tr("{name} is not saved.", name=document.name))
        box.setInformativeText(tr("Save it before it is closed?"))
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        return buttons(box.exec())

    def _overwrite(self, document: OpenDocument) -> bool:
        buttons = QMessageBox.StandardButton
        box = QMessageBox(self._window)
        box.setText(tr("Another program has changed {name}.", name=document.name))
        box.setInformativeText(tr("Saving puts this graph in place of that one; a backup is kept."))
        box.setStandardButtons(buttons.Save | buttons.Cancel)
        return box.exec() == buttons.Save

    def _begin(self) -> str:
        current = self._documents.current
        path = current.session.path if current is not None else None
        return str(path.parent if path is not None else Path.home())
