"""No call of PySide6 that the canvas makes loses a reference to ``None``.

Before Python 3.12 ``None`` is counted like any other object. A binding that gives one back too
often at every call ends the interpreter after some thousands of them, far from the call that did
it: so it was with PySide6 6.12.0.
"""

from __future__ import annotations

import ctypes
import sys

import pytest
from PySide6.QtCore import QByteArray, QEvent, QLineF, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPolygonF,
    QRegion,
    QStaticText,
)
from PySide6.QtWidgets import QWidget

CALLS = 400
AT, TO = QPointF(1, 2), QPointF(9, 9)
PATH, RECT = QPainterPath(), QRectF(0, 0, 8, 8)


class Painted(QWidget):
    """A widget with overrides, as a canvas has them."""

    def paintEvent(self, event: object) -> None:
        """Nothing to paint."""

    def mouseMoveEvent(self, event: object) -> None:
        """Nothing to do."""


@pytest.fixture
def painter(application):
    image = QImage(64, 64, QImage.Format.Format_ARGB32_Premultiplied)
    painter = QPainter(image)
    yield painter
    painter.end()


@pytest.fixture
def widget(application):
    widget = Painted()
    yield widget
    widget.deleteLater()


def lost(call) -> float:
    """References to ``None`` that are fewer after each call."""
    for _ in range(3):  # what is made once, such as signatures, is made now
        call()
    before = sys.getrefcount(None)
    for _ in range(CALLS):
        call()
    return (before - sys.getrefcount(None)) / CALLS


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is not counted any more")
def test_the_probe_sees_a_loss():
    none = ctypes.py_object(None)
    assert lost(lambda: ctypes.pythonapi.Py_DecRef(none)) > 0.9
    for _ in range(CALLS + 3):
        ctypes.pythonapi.Py_IncRef(none)


PAINTER = {
    "drawLines": lambda p: p.drawLines([QLineF(AT, TO)]),
    "drawLine": lambda p: p.drawLine(AT, TO),
    "drawPoints": lambda p: p.drawPoints(QPolygonF([AT, TO])),
    "drawPolygon": lambda p: p.drawPolygon(QPolygonF([AT, TO])),
    "drawPolyline": lambda p: p.drawPolyline([AT, TO]),
    "drawRects": lambda p: p.drawRects([RECT]),
    "drawRect": lambda p: p.drawRect(RECT),
    "drawRoundedRect": lambda p: p.drawRoundedRect(RECT, 4, 4),
    "drawEllipse": lambda p: p.drawEllipse(AT, 3, 3),
    "drawPath": lambda p: p.drawPath(PATH),
    "fillRect": lambda p: p.fillRect(RECT, QColor(1, 2, 3)),
    "drawStaticText": lambda p: p.drawStaticText(AT, QStaticText("a")),
    "drawImage": lambda p: p.drawImage(RECT, QImage(4, 4, QImage.Format.Format_RGB32)),
    "drawPixmap": lambda p: p.drawPixmap(RECT, QPixmap(4, 4), QRectF(0, 0, 4, 4)),
    "setPen": lambda p: p.setPen(QPen(QColor(1, 2, 3), 2)),
    "setBrush": lambda p: p.setBrush(QColor(1, 2, 3)),
    "setOpacity": lambda p: p.setOpacity(1.0),
    "setClipRect": lambda p: p.setClipRect(RECT),
    "setClipRegion": lambda p: p.setClipRegion(QRegion(0, 0, 8, 8)),
    "setRenderHint": lambda p: p.setRenderHint(QPainter.RenderHint.Antialiasing, True),
    "save and restore": lambda p: (p.save(), p.translate(AT), p.scale(1, 1), p.restore()),
}


@pytest.mark.parametrize("name", PAINTER)
def test_painting_loses_no_none(painter, name):
    assert lost(lambda: PAINTER[name](painter)) < 0.5


PATHS = {
    "moveTo": lambda path: path.moveTo(AT),
    "lineTo": lambda path: path.lineTo(TO),
    "cubicTo": lambda path: path.cubicTo(AT, TO, AT),
    "addRoundedRect": lambda path: path.addRoundedRect(RECT, 2, 2),
    "addRect": lambda path: path.addRect(RECT),
    "setFillRule": lambda path: path.setFillRule(Qt.FillRule.WindingFill),
    "clear": lambda path: path.clear(),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_lose_no_none(application, name):
    path = QPainterPath(AT)

    def call() -> None:
        PATHS[name](path)
        if path.elementCount() > 200:
            path.clear()

    assert lost(call) < 0.5


def test_lists_of_points_lose_no_none(application):
    polygon = QPolygonF()
    assert lost(lambda: polygon.append(AT)) < 0.5
    assert lost(lambda: polygon << AT) < 0.5
    assert lost(polygon.clear) < 0.5
    assert lost(lambda: QPolygonF([AT, TO])) < 0.5
    data = QByteArray()
    assert lost(lambda: data.append(b"x")) < 0.5


WIDGET = {
    "update": lambda w: w.update(),
    "update of a part": lambda w: w.update(0, 0, 8, 8),
    "setCursor": lambda w: w.setCursor(Qt.CursorShape.CrossCursor),
    "move": lambda w: w.move(3, 3),
    "setVisible": lambda w: w.setVisible(False),
    "setAccessibleName": lambda w: w.setAccessibleName("Graph"),
    "setToolTip": lambda w: w.setToolTip("Graph"),
}


@pytest.mark.parametrize("name", WIDGET)
def test_widgets_lose_no_none(widget, name):
    assert lost(lambda: WIDGET[name](widget)) < 0.5


def test_overrides_and_signals_lose_no_none(widget):
    def move() -> None:
        widget.event(
            QMouseEvent(
                QEvent.Type.MouseMove, AT, AT, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
            )
        )  # fmt: skip

    assert lost(move) < 0.5
    assert lost(lambda: widget.render(QPixmap(8, 8), QPoint())) < 0.5
    widget.windowTitleChanged.connect(lambda _: None)
    titles = iter(range(10_000))
    assert lost(lambda: widget.setWindowTitle(str(next(titles)))) < 0.5


def test_a_canvas_loses_no_none(application):
    """The whole of it: painted, moved over, changed."""
    from app.canvas.canvas import Canvas
    from app.document.edits.place import move_to
    from app.document.session import Session
    from app.main import FIRST
    from app.open_document import OpenDocument
    from app.specs.book import SpecBook
    from app.theme.theme import Theme
    from backend.graph.format import parse

    document = OpenDocument(Session(parse(FIRST.read_text("utf-8"), "first")))
    canvas = Canvas(document, SpecBook({}), Theme())
    canvas.resize(400, 300)
    picture, places = QPixmap(400, 300), iter(range(10_000))

    def step() -> None:
        x = float(next(places))
        document.edit("Move", lambda w: move_to(w, "", {"sample": (x, 8.0)}), "move")
        canvas.render(picture)
        canvas._point_at(QPointF(x, 20))

    before = sys.getrefcount(None)
    for _ in range(100):
        step()
    gone = before - sys.getrefcount(None)
    canvas.deleteLater()
    assert gone < 100
