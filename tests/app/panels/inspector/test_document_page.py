"""The document's own page: title, description, what it shows, and its models."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from app.document.edits.params import expose
from app.panels.inspector.document_page import DocumentPage

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(mount, theme, document, settle):
    for name in ("steps", "seed"):
        document.edit("Show", lambda w, name=name: expose(w, "", "one", name))
    made = DocumentPage(theme, missing=lambda need: need.name == "primer")
    mount(made, 480, 640)
    made.show_document(document)
    settle()
    return made


def test_the_title_and_the_description_are_edited(page, document, settle):
    page.title.begin()
    QTest.keyClicks(page.title.line, "Woods")
    QTest.keyClick(page.title.line, Qt.Key.Key_Return)
    assert document.workflow.title == "Woods"
    states = len(document.session.history.states)
    page.about.begin()
    QTest.keyClicks(page.about.box, " More.")
    assert document.workflow.about == "A test. More."
    page.title.setFocus()
    assert len(document.session.history.states) == states + 1, "one time of the hand, one step"


def test_figures_and_what_is_shown(page):
    assert page.figures.text() == "7 nodes, 5 links"
    assert [row.whose.text() for row in page.rows] == ["First · Steps", "First · Seed"]
    assert not page.nothing.isVisible()


def test_what_is_shown_is_renamed_grouped_ordered_and_taken_out(page, document, settle):
    row = page.rows[0]
    row.label.begin()
    QTest.keyClicks(row.label.line, "How long")
    QTest.keyClick(row.label.line, Qt.Key.Key_Return)
    settle()
    page.rows[0].group.give("Fine")
    settle()
    assert document.workflow.expose["steps"].label == "How long"
    assert document.workflow.expose["steps"].group == "Fine"
    assert not page.rows[0].buttons["arrow-up"].isEnabled()
    QTest.mouseClick(page.rows[1].buttons["arrow-up"], LEFT)
    settle()
    assert list(document.workflow.expose) == ["seed", "steps"]
    QTest.mouseClick(page.rows[0].buttons["x"], LEFT)
    settle()
    assert list(document.workflow.expose) == ["steps"]
    assert len(page.rows) == 1


def test_a_model_that_is_not_here_says_so_and_can_be_taken_out(page, document, settle):
    assert "Not on this machine" in [label.text() for label in page.findChildren(QLabel)]
    (button,) = [b for b in page.findChildren(QPushButton) if b.text() == "Take out"]
    assert button.accessibleName() == "Take primer off the list"
    QTest.mouseClick(button, LEFT)
    assert document.workflow.models == ()


def test_undo_is_seen(page, document, settle):
    page.title.give("Other")
    settle()
    document.undo()
    settle()
    assert page.title.line.text() == "Scene"


def test_the_page_of_a_subgraph_names_the_subgraph(mount, theme, settle):
    from app.document.session import Session
    from app.open_document import OpenDocument
    from backend.graph.format import parse

    text = """{"weft": 1, "nodes": {}, "subgraphs": {"s": {"title": "Face",
      "nodes": {"deep": {"type": "sample"}}}}}"""
    document = OpenDocument(Session(parse(text, "a test")))
    page = mount(DocumentPage(theme))
    page.show_document(document)
    document.enter("s")
    settle()
    assert page.title.line.text() == "Face"
    page.title.give("Head")
    assert document.workflow.subgraphs["s"].title == "Head"
    assert document.workflow.title == ""
    assert not page.about.isVisible()
