"""The viewer: a bar, and below it whatever shows the value that is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QRect, Qt, QUrl, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDesktopServices,
    QGuiApplication,
    QKeyEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QVBoxLayout, QWidget

from app.theme.theme import Theme
from app.viewer.background import Asked, Background
from app.viewer.bar import Bar
from app.viewer.commands import Commands
from app.viewer.files import FILTER, CannotSave, for_clipboard, save_picture
from app.viewer.media_files import read_file
from app.viewer.picture import Picture, pictures_of
from app.viewer.plain_views import FigureView, PlotView, TableView, TextView
from app.viewer.player import Player
from app.viewer.previews import picture_of_jpeg
from app.viewer.provenance import ProvenanceCard, Told, read_told
from app.viewer.stage import Stage
from app.viewer.subject import (
    Subject,
    figure_words,
    kind_of,
    numbers_of,
    rows_of,
    text_of,
    words_of,
)
from app.words import tr
from backend.values import Audio, Color, Layers, Video

if TYPE_CHECKING:
    from backend.media.apart import Decoder

_CARD = 288


class ViewerPanel(QWidget):
    """Shows a ``Subject``. It computes nothing of a graph and reads files only when told to."""

    use_as_input = Signal(object, int)
    """The subject, and the number of the picture in its batch, from 0."""
    open_graph = Signal(str)
    """The text of the workflow that made what is looked at."""
    went = Signal()
    """To the node whose output is looked at."""
    said = Signal(str)
    """A sentence for the user, such as why a picture could not be saved."""

    def __init__(self, theme: Theme, decoder: Decoder, parent: QWidget | None = None) -> None:
        """``decoder`` reads picture files; whoever made it closes it."""
        super().__init__(parent)
        self._theme, self._decoder = theme, decoder
        self._background = Background(self)
        self._reading: Asked[Any] | None = None
        self._subject = Subject(None)
        self._shows_table = False
        self._screen: _Screen | None = None
        self.setAccessibleName(tr("Viewer"))
        self.content = QWidget(self)
        self.bar = Bar(theme, self.content)
        self.stage = Stage(theme, self.bar, self._background, self.content)
        self.text, self.table = TextView(), TableView()
        self.figure, self.plot = FigureView(theme), PlotView(theme)
        self.stack = QStackedWidget(self.content)
        self.player = Player(theme, self.stage, self.content)
        self.player.changed.connect(self._name)
        for view in (
            self.stage, self.text, self.table, self.figure, self.plot, self.player.view,
        ):  # fmt: skip
            self.stack.addWidget(view)
        self.card = ProvenanceCard(theme, self.content)
        self.card.hide()
        self.card.open_graph.connect(self.open_graph)
        self.card.closed.connect(lambda: self.show_provenance(False))
        self.bar.went.connect(self.went)
        self.stage.turned.connect(lambda _: self._name())
        inner = QVBoxLayout(self.content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        inner.addWidget(self.bar)
        inner.addWidget(self.stack, 1)
        inner.addWidget(self.player.bar)
        outer = self._column = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.content)
        self.commands = Commands(self, theme)
        self.bar.more.setMenu(self.commands.menu)
        self.setFocusProxy(self.stage.view)
        self._name()

    # What is looked at

    @property
    def subject(self) -> Subject:
        """What is looked at."""
        return self._subject

    @property
    def picture(self) -> Picture | None:
        """The single picture that is looked at, where it is one."""
        is_shown = self.stack.currentWidget() is self.stage
        return self.stage.picture if is_shown else None

    def look_at(self, subject: Subject) -> None:
        """Show a value. Zoom, exposure and comparison stay as they are where they can."""
        if self._reading is not None:
            self._reading.cancel()
        other_file = subject.file != self._subject.file
        before = self._subject
        same_value = subject.value is before.value and subject.sound is before.sound
        self._subject = subject
        kind = kind_of(subject.value)
        if kind not in ("video", "sound"):
            self.player.close()
        elif not same_value or subject.title != before.title:
            self._play(subject)
        if kind in ("video", "sound"):
            self.stack.setCurrentWidget(self.stage if kind == "video" else self.player.view)
        elif kind in ("picture", "nothing"):
            if not (same_value and kind == "picture"):
                self._show_pictures(subject)
            self.stack.setCurrentWidget(self.stage)
        elif kind == "text":
            self.text.set_text(text_of(subject.value))
            self.stack.setCurrentWidget(self.text)
        elif kind in ("figure", "colour"):
            self._show_figure(subject.value)
        elif kind == "numbers":
            self._show_numbers()
        else:
            self.table.set_rows(rows_of(subject.value))
            self.stack.setCurrentWidget(self.table)
        if other_file:
            self._tell_provenance()
        self._name()

    def look_at_file(self, path: Path) -> None:
        """Show a file of a picture, a video or a sound, decoded apart; until it is there, what is
        shown stays."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = self._background.ask(
            lambda: read_file(path, self._decoder), self.look_at, self._cannot
        )

    def show_preview(self, jpeg: bytes, title: str) -> None:
        """Show a preview of a run that goes on, as the engine sends it."""
        picture = picture_of_jpeg(jpeg)
        if picture is not None:
            self.look_at(Subject(picture, title, "Image"))

    def set_stale(self, is_stale: bool) -> None:
        """Whether the graph has changed since this was made."""
        if is_stale != self._subject.is_stale:
            self._subject = replace(self._subject, is_stale=is_stale)
            self._name()

    def close_down(self) -> None:
        """Do no more work; before the panel is deleted."""
        if self._screen is not None:
            self.show_full_screen(False)
        self._background.close()
        self.player.close_down()
        self.stage.close_down()

    def _play(self, subject: Subject) -> None:
        video = subject.value if isinstance(subject.value, Video) else None
        sound = subject.value if isinstance(subject.value, Audio) else subject.sound
        self.player.open(video, sound, subject.title)

    def _show_pictures(self, subject: Subject) -> None:
        if not isinstance(subject.value, Layers):
            self.stage.set_pictures(pictures_of(subject.value), subject.title)
            return
        # Laying many layers over each other takes a while; what was seen stays until then.
        self._reading = self._background.ask(
            lambda: pictures_of(subject.value), lambda found: self._laid(found, subject)
        )

    def _laid(self, found: Any, subject: Subject) -> None:
        self.stage.set_pictures(found, subject.title)
        self._name()

    def _show_figure(self, value: object) -> None:
        colour = value if isinstance(value, Color) else None
        self.figure.say(words_of(value) if colour else figure_words(value), colour)
        self.stack.setCurrentWidget(self.figure)

    def _show_numbers(self) -> None:
        numbers = numbers_of(self._subject.value)
        if self._shows_table:
            self.table.set_numbers(numbers)
        else:
            self.plot.set_numbers(numbers)
        self.stack.setCurrentWidget(self.table if self._shows_table else self.plot)

    def show_as_table(self, on: bool) -> None:
        """Show numbers as a table, or as a curve."""
        self._shows_table = on
        if kind_of(self._subject.value) == "numbers":
            self._show_numbers()

    def _name(self) -> None:
        subject = self._subject
        has_picture = self.picture is not None
        self.bar.set_subject(subject.title, subject.type or type(subject.value).__name__)
        self.bar.for_pictures(has_picture)
        pill = tr("Last run, {job}", job=subject.job) if subject.job else tr("Last run")
        self.stage.view.pill = pill if subject.is_stale and has_picture else ""
        self.stage.view.update()
        self.commands.allow(subject, has_picture, self.stack.currentWidget() is self.text)

    def _cannot(self, error: Exception) -> None:
        from backend.sdk import UserError

        if not isinstance(error, UserError | CannotSave):
            raise error
        self.said.emit(str(error))

    # What can be done with it

    def copy(self) -> None:
        """Put the picture on the clipboard in its own size, or the text."""
        if self.picture is not None:
            QGuiApplication.clipboard().setImage(for_clipboard(self.picture))
        elif self.stack.currentWidget() is self.text:
            QGuiApplication.clipboard().setText(self.text.toPlainText())

    def save_as(self) -> None:
        """Ask for a name and write the picture there."""
        if self.picture is None:
            return
        start = self._subject.file.stem if self._subject.file else tr("picture")
        name, chosen = QFileDialog.getSaveFileName(self, tr("Save picture"), start + ".png", FILTER)
        if name:
            path = Path(name)
            if not path.suffix:
                path = path.with_suffix(chosen.partition("*")[2].rstrip(")") or ".png")
            self.save_to(path)

    def save_to(self, path: Path) -> None:
        """Write the picture that is looked at to a file."""
        picture = self.picture
        if picture is not None:
            self._background.ask(
                lambda: save_picture(picture, path),
                lambda _: self.said.emit(tr("{name} is saved.", name=path.name)),
                self._cannot,
            )

    def open_folder(self) -> None:
        """Show the folder of the file in the system's own program."""
        if self._subject.file is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._subject.file.parent)))

    def use(self) -> None:
        """Ask for a node that gives this picture."""
        if self.picture is not None:
            self.use_as_input.emit(self._subject, self.stage.at)

    def show_provenance(self, on: bool) -> None:
        """Show or hide the card that tells how it was made."""
        self.commands.provenance.setChecked(on)
        self.card.setVisible(on)
        if on:
            self._place_card()
            self.card.raise_()
            self._tell_provenance()

    def _tell_provenance(self) -> None:
        file = self._subject.file
        if self.card.isHidden():
            return
        if file is None:
            self.card.say(tr("This is not saved in a file yet, so its graph is the open one."))
            self._place_card()
            return
        self._background.ask(lambda: read_told(file), self._set_told, self._cannot)

    def _set_told(self, told: Told) -> None:
        self.card.set_told(told)
        self._place_card()

    def show_full_screen(self, on: bool) -> None:
        """Let the viewer take the whole screen, or come back."""
        if on == (self._screen is not None):
            return
        if on:
            self._screen = _Screen(self)
            self._screen.column.addWidget(self.content)
            self.content.show()
            self._screen.showFullScreen()
            self.stage.view.setFocus()
        else:
            screen, self._screen = self._screen, None
            assert screen is not None
            self._column.addWidget(self.content)
            self.content.show()
            screen.close()
            screen.deleteLater()
            self.window().activateWindow()
            self.stage.view.setFocus()
        self.commands.full_screen.setChecked(on)

    # What Qt tells

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """All that can be done, by a right click or the menu key."""
        self.commands.menu.popup(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the card in its corner."""
        super().resizeEvent(event)
        self._place_card()

    def _place_card(self) -> None:
        width = min(_CARD, self.content.width() - 24)
        top = self.bar.height() + 12
        height = min(self.card.wanted_height(width), self.content.height() - top - 40)
        left = self.content.width() - width - 12
        self.card.setGeometry(QRect(left, top, max(width, 1), max(height, 1)))


class _Screen(QWidget):
    """A window over the whole screen; Escape, or closing it, gives the viewer back."""

    def __init__(self, panel: ViewerPanel) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self._panel = panel
        self.setWindowTitle(tr("Viewer"))
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape goes one step back."""
        if event.key() == Qt.Key.Key_Escape:
            self._panel.show_full_screen(False)

    def closeEvent(self, event: QEvent) -> None:
        """However it is closed, nothing is lost."""
        self._panel.show_full_screen(False)
        event.accept()
