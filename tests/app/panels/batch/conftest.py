"""The batch panel over a real queue and real hosts, as a hand finds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit

from app.document.edits.common import reader_of
from app.open_document import OpenDocument
from app.panels.batch import BatchPanel
from app.panels.batch.around import Around
from backend.graph.document import Workflow
from tests.app.run.conftest import Studio
from tests.app.run.conftest import studio as studio  # the fixture


class Dock:
    """A panel that is clicked and typed into."""

    def __init__(self, studio: Studio, theme, mount, spin, folder: Path) -> None:
        self.studio, self.spin, self.folder = studio, spin, folder
        self.picked: Path | None = None
        self.granted: list[Path] = []
        self.looked: list[Path] = []
        self.said: list[str] = []
        self.wrong = ""
        self.panel = BatchPanel(
            Around(
                theme, studio.room, lambda: studio.specs, reader_of(studio.specs),
                lambda _: (folder, (folder, *self.granted)), lambda: studio.out, self._grant,
                lambda: ("primer",), lambda _: self.wrong, lambda _: self.picked,
            )
        )  # fmt: skip
        self.panel.looked.connect(self.looked.append)
        self.panel.said.connect(self.said.append)
        mount(self.panel, 480, 640)

    def _grant(self, _: OpenDocument, path: Path) -> str:
        self.granted.append(path)
        return str(path)

    @property
    def form(self):
        return self.panel.form

    @property
    def way(self):
        return self.panel.way

    def open(self, workflow: Workflow) -> OpenDocument:
        document = self.studio.open(workflow)
        self.panel.show_document(document)
        QApplication.processEvents()
        return document

    def front(self) -> None:
        """Give the window the keyboard again, which a list took with it when it closed."""
        self.panel.activateWindow()
        QApplication.processEvents()

    def click(self, button: QAbstractButton) -> None:
        assert button.isVisible(), button.text()
        assert button.isEnabled(), button.text()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().center())
        QApplication.processEvents()

    def type(self, line: QLineEdit, text: str) -> None:
        assert line.isVisible()
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, text)
        QApplication.processEvents()

    def vary(self, words: str, said: str = "") -> None:
        """Pick a parameter by words from the list, and say its values."""
        self.click(self.form.vary)
        made = self.form.list
        if made.search.isVisible():
            QTest.keyClicks(made.search, words)
            QTest.keyClick(made.search, Qt.Key.Key_Return)
        else:
            (item,) = made.rows.findItems(words, Qt.MatchFlag.MatchContains)
            QTest.mouseClick(
                made.rows.viewport(), Qt.MouseButton.LeftButton,
                pos=made.rows.visualItemRect(item).center(),
            )  # fmt: skip
        QApplication.processEvents()
        if said:
            self.type(self.form.rows[-1].line, said)

    def known(self) -> None:
        """Wait until it is known what the batch would be."""
        self.spin(lambda: not self.panel._rest.isActive() and not self.panel._errands.waiting)

    def over(self, seconds: float = 90.0) -> None:
        self.spin(lambda: self.way.course.is_over and not self.way.course.trouble, seconds)

    def close(self) -> None:
        self.panel.close_down()


@pytest.fixture
def dock(studio, theme, mount, spin: Callable[..., None], tmp_path):
    made = Dock(studio, theme, mount, spin, tmp_path)
    yield made
    made.close()
