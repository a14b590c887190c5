"""The history: every edit by name; going to one is one click or Enter."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.document.edits.params import set_param
from app.panels.inspector.history_page import HistoryPage


@pytest.fixture
def page(mount, theme, document, settle):
    for steps in (1, 2, 3):
        document.edit(
            f"Set Steps to {steps}", lambda w, s=steps: set_param(w, "", "one", "steps", s)
        )
    made = mount(HistoryPage(theme), 300, 300)
    made.show_document(document)
    settle()
    return made


def steps(document):
    return document.workflow.graph.nodes["one"].params["steps"]


def said(page):
    states = page.states
    role = Qt.ItemDataRole.AccessibleTextRole
    return [states.data(states.index(i, 0), role) for i in range(states.rowCount())]


def test_every_edit_is_named_and_what_is_undone_is_told(page, document, settle):
    document.undo()
    settle()
    assert said(page) == [
        "Open", "Set Steps to 1", "Set Steps to 2, seen now", "Set Steps to 3, undone"
    ]  # fmt: skip


def test_a_click_goes_there_and_back(page, document, settle):
    view = page.view
    first = view.visualRect(page.states.index(1, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=first)
    settle()
    assert steps(document) == 1
    assert page.states.rowCount() == 4
    last = view.visualRect(page.states.index(3, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=last)
    assert steps(document) == 3


def test_keys_go_there_too(page, document, settle):
    page.view.setFocus()
    QTest.keyClick(page.view, Qt.Key.Key_Home)
    QTest.keyClick(page.view, Qt.Key.Key_Return)
    assert steps(document) == 8


def test_a_long_history_is_shown_at_once(page, document, settle):
    for n in range(3000):
        document.session.edit(f"Edit {n}", lambda w, n=n: set_param(w, "", "one", "steps", n + 10))
    begin = time.perf_counter()
    page.update_now()
    page.grab()
    assert time.perf_counter() - begin < 0.5
