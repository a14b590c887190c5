"""The history panel over a real queue file: searched while one types, paged while one scrolls."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.panels.history import HistoryPanel, panel
from backend.engine.queue.claims import Claims
from backend.engine.queue.job import Draft, Ending
from backend.engine.queue.store import Queue
from backend.sdk import Saved


class Archive(QObject):
    """A queue file whose answers may be held back."""

    def __init__(self, path):
        super().__init__()
        self.queue = Queue(path)
        self.claims = Claims(self.queue)
        self.later, self.held = False, []
        self.retried = []

    def ran(self, words, ending=None, seed=1):
        document = json.dumps({"weft": 1, "nodes": {}})
        draft = Draft(document, "/b", "/out", seeds={"n.seed": seed}, title="scene", words=words)
        (number,) = self.queue.add([draft])
        self.claims.finish(self.claims.take(), ending or Ending("done", seconds=2.0))
        return number

    def ask(self, act, then=bool):
        found = act(self.queue)
        if self.later:
            self.held.append(lambda: then(found))
        else:
            then(found)

    def retry(self, job):
        self.retried.append(job)


@pytest.fixture
def archive(tmp_path, application):
    made = Archive(tmp_path / "queue.sqlite")
    yield made
    made.claims.close()
    made.queue.close()


def titles(history):
    return [card.title for card in history.list.cards.cards]


def test_the_last_that_ended_stands_first_with_what_came_of_it(theme, archive, mount):
    archive.ran("a fox", seed=11)
    archive.ran("a boat", Ending("failed", "save: the disk is full."), seed=12)
    history = mount(HistoryPanel(theme, archive))
    history.refresh()
    assert titles(history) == ["Job 2 · seed 12 · scene", "Job 1 · seed 11 · scene"]
    failed, done = history.list.cards.cards
    assert failed.sentence.endswith("save: the disk is full.")
    assert "Done in 2.0 s" in done.sentence
    assert (failed.mark, done.mark) == ("circle-alert", "check")


def test_typing_finds_any_part_of_a_prompt(theme, archive, mount, spin):
    for words in ("a red fox", "a boat", "a fox at night"):
        archive.ran(words)
    history = mount(HistoryPanel(theme, archive))
    history.refresh()
    QTest.keyClick(history, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert history.field.hasFocus()
    QTest.keyClicks(history.field, "FOX nig")
    spin(lambda: len(titles(history)) == 1)
    assert titles(history)[0].startswith("Job 3")
    QTest.keyClicks(history.field, "zzz")
    spin(lambda: not titles(history))
    assert history._empty.isVisible()
    assert "Nothing holds these words." in history._empty.accessibleName()


def test_an_answer_to_older_words_is_dropped(theme, archive, mount):
    archive.ran("a fox")
    archive.ran("a boat")
    history = mount(HistoryPanel(theme, archive))
    archive.later = True
    history.field.setText("fox")
    history.refresh()
    history.field.setText("boat")
    history.refresh()
    older, newer = archive.held
    newer()
    older()
    assert [title[:5] for title in titles(history)] == ["Job 2"]


def test_more_is_read_when_one_scrolls_to_the_end(theme, archive, mount, monkeypatch):
    monkeypatch.setattr(panel, "PAGE", 10)
    for number in range(25):
        archive.ran(f"number {number}")
    history = mount(HistoryPanel(theme, archive))
    history.refresh()
    assert len(titles(history)) == 10
    for expected in (20, 25):
        bar = history.list.verticalScrollBar()
        bar.setValue(bar.maximum())
        QApplication.processEvents()
        assert len(titles(history)) == expected


def test_pictures_are_asked_for_once_and_shown_when_they_come(theme, archive, mount):
    archive.ran("x", Ending("done", seconds=1, outputs=(Saved("a.txt", ""), Saved("b.png", ""))))
    asked = []
    history = mount(HistoryPanel(theme, archive, lambda *given: asked.append(given)))
    history.refresh()
    history.refresh()
    ((path, then),) = asked
    assert str(path) == "/out/b.png"
    then(b"a jpeg")
    assert history.list.cards.card(0).picture == b"a jpeg"
    history.refresh()
    assert history.list.cards.card(0).picture == b"a jpeg"


def test_enter_opens_the_graph_and_the_menu_has_the_rest(theme, archive, mount):
    outputs = (Saved("a.png", ""),)
    number = archive.ran("x", Ending("failed", "It failed.", outputs=outputs), seed=4127)
    history = mount(HistoryPanel(theme, archive))
    history.refresh()
    heard = []
    history.graph_wanted.connect(lambda job: heard.append(("graph", job)))
    history.files_wanted.connect(lambda files: heard.append(("files", files)))
    history.list.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(history.list, Qt.Key.Key_Return)
    menu = history.menu_of(str(number))
    for action in menu.actions():
        action.trigger()
    menu.deleteLater()
    assert [each[0] for each in heard] == ["graph", "graph", "files"]
    assert str(heard[-1][1][0]) == "/out/a.png"
    assert archive.retried == [number]
    assert QGuiApplication.clipboard().text() == "4127"
