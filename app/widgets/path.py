"""Files and folders: a name, a button that asks, and a place to drop one. Picking one grants it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import (
    QAccessible,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)

from app.widgets.context import PathQuestion
from app.widgets.editor import Well
from app.widgets.line import Line, clean
from app.words import tr

BUTTON = 26
_OPEN = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class PathEditor(Well):
    """A file or folder. A click on the folder asks for one; a click on the name types it."""

    spoken_role = QAccessible.Role.Button

    def build(self) -> None:
        """The line is made when something is typed."""
        super().build()
        self.setAcceptDrops(True)
        self.setMouseTracking(True)
        self.line: Line | None = None

    @property
    def is_folder(self) -> bool:
        """Whether a folder is wanted."""
        return self.param.kind == "folder"

    def words(self) -> str:
        """The path as the document names it; its end is what is seen."""
        return str(self._value) or (tr("Pick a folder") if self.is_folder else tr("Pick a file"))

    def pale(self) -> bool:
        """A hint where nothing is picked."""
        return self.mixed or not self._value

    def text_alignment(self) -> Qt.AlignmentFlag:
        """Names stand at the left."""
        return Qt.AlignmentFlag.AlignLeft

    def right(self) -> int:
        """Room for the button."""
        return BUTTON

    def refresh(self) -> None:
        """Paint anew, and tell the whole path."""
        self.setToolTip(str(self._value))
        self.setAccessibleDescription(tr("Several values") if self.mixed else self.words())
        self.update()

    def paint_words(self, painter: QPainter) -> None:
        """Nothing below what is typed."""
        if self.line is None:
            super().paint_words(painter)

    def paint_more(self, painter: QPainter) -> None:
        """The button."""
        name = "folder" if self.is_folder else "file"
        self.paint_icon(painter, name, QPointF(self.width() - BUTTON / 2, self.height() / 2), 14)

    def ask(self) -> None:
        """Have the user pick one."""
        title = tr("Pick a folder") if self.is_folder else tr("Pick a file")
        begin = str(Path(str(self._value)).parent) if self._value else ""
        found = self.context.ask_path(PathQuestion(title, self.is_folder, begin))
        if found is not None:
            self.take(found)

    def take(self, path: Path) -> None:
        """Grant a file or folder, and have the document name it."""
        said = self.context.grant(path)
        if said != self._value or self.mixed:
            self.give(said)

    def begin(self, text: str = "") -> None:
        """Type the path."""
        if self.line is not None:
            return
        line = Line(self.font_of(self.text_role()), self)
        line.setAccessibleName(self.accessibleName())
        line.setText(text or ("" if self.mixed else str(self._value)))
        line.kept.connect(lambda: self._close(True))
        line.dropped.connect(lambda: self._close(False))
        self.line = line
        self._place()
        line.show()
        line.setFocus(Qt.FocusReason.OtherFocusReason)
        if not text:
            line.selectAll()
        self.ringed = True
        self.update()

    def _close(self, kept: bool) -> None:
        line, self.line = self.line, None
        if line is None:
            return
        text, had = clean(line.text()).strip(), line.hasFocus()
        line.hide()
        line.deleteLater()
        if had:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.ringed = False
        if kept and (text != self._value or self.mixed):
            self.give(text)
        self.update()
        self.ended.emit(kept)

    def _place(self) -> None:
        if self.line is not None:
            self.line.setGeometry(self.rect().adjusted(0, 0, -BUTTON, 0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The line leaves room for the button."""
        self._place()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A hand over the button, an I-beam over the name."""
        over = event.position().x() >= self.width() - BUTTON
        self.setCursor(
            Qt.CursorShape.PointingHandCursor if over or not self._value
            else Qt.CursorShape.IBeamCursor
        )  # fmt: skip

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask, or type; what is empty asks wherever it is clicked."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        if event.position().x() >= self.width() - BUTTON or not self._value:
            self.ask()
        else:
            self.begin()

    def wants(self, event: QKeyEvent) -> bool:
        """Enter and Space ask, F2 and letters type, Delete empties."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        key = event.key()
        named = (*_OPEN, Qt.Key.Key_F2, Qt.Key.Key_Delete)
        return key in named or event.text().isalnum() or event.text() in ("/", ".", "~")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """As ``wants`` says."""
        if not self.wants(event):
            super().keyPressEvent(event)
        elif event.key() in _OPEN:
            self.ask()
        elif event.key() == Qt.Key.Key_Delete:
            if self._value:
                self.give("")
        else:
            self.begin("" if event.key() == Qt.Key.Key_F2 else event.text())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A file for a file, a folder for a folder."""
        if self._dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """What was dropped is picked."""
        found = self._dropped(event)
        if found is not None:
            self.take(found)
            event.acceptProposedAction()

    def _dropped(self, event: QDropEvent) -> Path | None:
        urls = event.mimeData().urls()
        if len(urls) != 1 or not urls[0].isLocalFile():
            return None
        path = Path(urls[0].toLocalFile())
        return path if path.is_dir() == self.is_folder else None
