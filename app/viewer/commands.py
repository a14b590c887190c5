"""What can be done with what is looked at, as actions with keys and as one menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from app.theme.theme import Theme
from app.viewer.subject import Subject, kind_of
from app.words import tr

if TYPE_CHECKING:
    from app.viewer.panel import ViewerPanel


class Commands(QObject):
    """The actions of a viewer; their keys work while it has the keyboard."""

    def __init__(self, panel: ViewerPanel, theme: Theme) -> None:
        super().__init__(panel)
        self._panel, self._theme = panel, theme
        self._icons: list[tuple[QAction, str]] = []
        make = self._make
        self.copy = make("copy", tr("Copy"), panel.copy, "Ctrl+C")
        self.save = make("save", tr("Save picture as…"), panel.save_as, "Ctrl+Shift+S")
        self.folder = make("folder", tr("Open its folder"), panel.open_folder)
        self.use = make("log-in", tr("Use as input"), panel.use, "U")
        self.pin = make("pin", tr("Pin this picture as B"), panel.stage.pin, "P")
        self.probe = make("crosshair", tr("Probe"), panel.bar.probe.toggle, "I")
        self.histogram = make("chart-column", tr("Histogram"), panel.bar.histogram.toggle, "H")
        self.play = make("play", tr("Play"), panel.player.play_or_pause)
        self.loop = make("repeat", tr("Begin anew at the end"), None)
        self.loop.setCheckable(True)
        self.loop.toggled.connect(panel.player.set_loop)
        panel.player.playing_changed.connect(self._playing)
        panel.player.loop_changed.connect(self.loop.setChecked)
        self.as_table = make("table", tr("Show as a table"), None, "T")
        self.as_table.setCheckable(True)
        self.as_table.toggled.connect(panel.show_as_table)
        self.provenance = make("info", tr("How it was made"), None)
        self.provenance.setCheckable(True)
        self.provenance.toggled.connect(panel.show_provenance)
        self.full_screen = make("maximize", tr("Full screen"), None, "F11")
        self.full_screen.setCheckable(True)
        self.full_screen.toggled.connect(panel.show_full_screen)
        self.menu = QMenu(panel)
        for action in (self.copy, self.save, self.folder, self.use, None, self.pin, self.probe,
                       self.histogram, self.as_table, None, self.play, self.loop, None,
                       self.provenance, self.full_screen):  # fmt: skip
            if action is None:
                self.menu.addSeparator()
            else:
                self.menu.addAction(action)
        theme.changed.connect(self._dress)
        self._dress()

    def allow(self, subject: Subject, has_picture: bool, has_text: bool) -> None:
        """Offer what can be done with a subject."""
        for action in (self.save, self.use, self.pin, self.probe, self.histogram):
            action.setEnabled(has_picture)
        self.copy.setEnabled(has_picture or has_text)
        self.copy.setText(tr("Copy text") if has_text else tr("Copy picture"))
        self.folder.setEnabled(subject.file is not None)
        kind = kind_of(subject.value)
        self.as_table.setVisible(kind == "numbers")
        for action in (self.play, self.loop):
            action.setVisible(kind in ("video", "sound"))

    def _playing(self, on: bool) -> None:
        self.play.setText(tr("Pause") if on else tr("Play"))

    def _make(
        self, icon: str, words: str, act: Callable[[], object] | None, keys: str = ""
    ) -> QAction:
        # On the content, so that keys work on the full screen too.
        action = QAction(words, self._panel.content)
        if act is not None:
            action.triggered.connect(lambda _checked=False: act())
        if keys:
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._panel.content.addAction(action)
        self._icons.append((action, icon))
        return action

    def _dress(self) -> None:
        for action, icon in self._icons:
            action.setIcon(self._theme.qicon(icon, 16))
