"""Fingers on a pad and input methods, by the events that the system sends."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QInputMethodEvent, QNativeGestureEvent, QPointingDevice
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit

from app.viewer.subject import Subject
from backend.graph.document import Node
from backend.values import Image
from tests.app.canvas.bench import laid_out

Gesture = Qt.NativeGestureType


def gesture(widget, kind: Gesture, value: float, at: QPointF) -> None:
    """What a pad sends for two fingers."""
    event = QNativeGestureEvent(
        kind, QPointingDevice.primaryPointingDevice(), 2, at, at,
        QPointF(widget.mapToGlobal(at.toPoint())), value, QPointF(),
    )  # fmt: skip
    assert event.type() == QEvent.Type.NativeGesture
    QApplication.sendEvent(widget, event)


def compose(widget, preedit: str, commit: str = "") -> None:
    """What an input method sends: letters that are not chosen yet, and those that are."""
    event = QInputMethodEvent(preedit, [])
    if commit:
        event.setCommitString(commit)
    QApplication.sendEvent(widget, event)


@pytest.fixture
def one(desktop):
    desktop.open(laid_out({"blur": Node("blur")}, {"blur": (80, 80)}))
    return desktop


def test_two_fingers_zoom_the_graph_around_the_place_between_them(one):
    canvas, at = one.window.canvas, QPointF(240, 160)
    under = canvas.camera.to_canvas(at)
    for _ in range(4):
        gesture(canvas, Gesture.ZoomNativeGesture, 0.1, at)
    assert canvas.camera.zoom == pytest.approx(1.1**4, rel=1e-6)
    after = canvas.camera.to_canvas(at)
    assert (after - under).manhattanLength() < 2
    gesture(canvas, Gesture.ZoomNativeGesture, -0.5, at)
    assert canvas.camera.zoom == pytest.approx(1.1**4 / 2, rel=1e-6)


def test_a_jump_of_the_driver_does_not_lose_the_graph(one):
    canvas = one.window.canvas
    gesture(canvas, Gesture.ZoomNativeGesture, -7.0, QPointF(200, 200))
    assert canvas.camera.zoom >= 0.05
    gesture(canvas, Gesture.RotateNativeGesture, 30.0, QPointF(200, 200))


def test_two_fingers_zoom_the_picture(one, spin):
    panel = one.window.view_pane.show_tab("Viewer")
    panel.look_at(Subject(Image(np.full((1, 64, 64, 3), 0.5, np.float32)), "Grey", "Image"))
    view = panel.stage.view
    view.fit()
    fitted, at = view.frame.scale, QPointF(view.rect().center())
    gesture(view, Gesture.ZoomNativeGesture, 0.5, at)
    assert view.frame.scale > fitted
    view.fit()
    gesture(view, Gesture.SmartZoomNativeGesture, 0.0, at)
    assert view.frame.scale == 1
    gesture(view, Gesture.SmartZoomNativeGesture, 0.0, at)
    assert view.is_fitted
    panel.look_at(Subject(None))


def test_a_title_is_composed_by_an_input_method(one):
    one.document.select(["blur"])
    one.key(Qt.Key.Key_F2)
    (line,) = [each for each in one.window.canvas.findChildren(QLineEdit) if each.isVisible()]
    line.clear()
    compose(line, "に")
    assert one.document.workflow.graph.nodes["blur"].title in (None, "")
    compose(line, "", "日本語 🌍")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert one.document.workflow.graph.nodes["blur"].title == "日本語 🌍"


def test_keys_that_compose_are_no_commands(one):
    """While letters are composed in the palette, Enter and arrows are the input method's."""
    one.bench.key(Qt.Key.Key_Tab)
    compose(one.palette.field, "ぼ")
    assert one.palette.field.text() == ""
    assert one.palette.isVisible()
    compose(one.palette.field, "", "blur")
    assert one.palette.field.text() == "blur"
    assert one.offered()[0] == "Blur"
    one.key(Qt.Key.Key_Escape)


def test_a_note_is_composed_by_an_input_method(one):
    one.bench.move(400, 300)
    one.window.commands.do("note.add")
    (page,) = [e for e in one.window.canvas.findChildren(QPlainTextEdit) if e.isVisible()]
    compose(page, "mi")
    compose(page, "", "メモ 👩‍🎨")
    one.window.canvas.setFocus()
    QApplication.processEvents()
    assert one.document.workflow.layout.notes[0].text == "メモ 👩‍🎨"


def test_a_window_of_composition_stands_at_the_cursor(one):
    """The input method asks where the cursor is; a field tells it."""
    one.bench.key(Qt.Key.Key_Tab)
    one.type("blur")
    told = one.palette.field.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
    assert one.palette.field.rect().contains(QPoint(told.center()))
    one.key(Qt.Key.Key_Escape)
