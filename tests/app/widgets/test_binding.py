"""What a hand edits is one undo step, in as many nodes as are selected."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.document.edits.place import lock
from app.document.session import Session
from app.open_document import OpenDocument
from app.widgets.binding import Binding, show_present
from app.widgets.context import EditorContext
from app.widgets.make import editor_for
from backend.graph.document import Layout, Placement
from backend.graph.format import parse
from backend.graph.spec import Param

STEPS = Param("steps", "integer", 20, 1, 101, 1)
LEFT = Qt.MouseButton.LeftButton
TEXT = """{"weft": 1, "nodes": {
  "a": {"type": "sample", "params": {"steps": 10}}, "b": {"type": "sample"},
  "loop": {"type": "repeat", "body": {"nodes": {"c": {"type": "sample"}}}}}}"""


@pytest.fixture
def document():
    return OpenDocument(Session(parse(TEXT, "a test")))


def bound(theme, put, document, *paths, param=STEPS):
    editor = put(editor_for(param, 0, EditorContext(theme)), 200)
    binding = Binding(editor, document, paths)
    binding.show_present()
    document.changed.connect(lambda *_: binding.show_present())
    return editor, binding


def steps(document, path):
    graph = document.workflow.graph
    for part in path.split("/"):
        node = graph.nodes[part]
        graph = node.body
    return node.params.get("steps")


def drag(editor, by, release=True):
    QTest.mousePress(editor, LEFT, pos=QPoint(50, 10))
    for share in range(1, 5):
        QTest.mouseMove(editor, QPoint(50 + by * share // 4, 10))
    if release:
        QTest.mouseRelease(editor, LEFT, pos=QPoint(50 + by, 10))


def test_a_drag_is_one_undo_step(theme, put, document):
    editor, _ = bound(theme, put, document, "a")
    assert editor.value == 10
    first = document.workflow
    drag(editor, 40)
    assert steps(document, "a") == 30
    assert len(document.session.history.states) == 2
    drag(editor, 40)
    assert steps(document, "a") == 50
    assert len(document.session.history.states) == 3
    document.undo()
    document.undo()
    assert document.workflow is first
    assert editor.value == 10


def test_esc_undoes_the_drag_and_nothing_before_it(theme, put, document):
    editor, _ = bound(theme, put, document, "a")
    drag(editor, 40)
    drag(editor, -20, release=False)
    assert steps(document, "a") == 20
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert steps(document, "a") == 30
    assert editor.value == 30


def test_several_nodes_are_set_at_once_zones_too(theme, put, document):
    editor, _ = bound(theme, put, document, "a", "loop/c")
    assert editor.mixed
    editor.begin()
    QTest.keyClicks(editor.line, "7")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert steps(document, "a") == steps(document, "loop/c") == 7
    assert steps(document, "b") is None
    assert not editor.mixed
    assert document.session.history.states[-1].label == "Set Steps"


def test_a_locked_node_refuses_and_says_so(theme, put, document):
    at = Layout(nodes={"a": Placement(0, 0)})
    from dataclasses import replace

    document.edit("Place", lambda workflow: replace(workflow, layout=at))
    document.edit("Lock", lambda workflow: lock(workflow, "", ("a",), True))
    editor, binding = bound(theme, put, document, "a")
    said = []
    binding.refused.connect(said.append)
    editor.give(99)
    assert said == ["A is locked. Unlock it to change it."]
    assert steps(document, "a") == 10
    assert editor.value == 10


def test_a_node_that_went_is_not_missed(theme, put, document):
    editor, _ = bound(theme, put, document, "gone")
    editor.give(5)
    assert len(document.session.history.states) == 1
    show_present(editor, document.workflow, "nowhere", ("a",), "steps")
