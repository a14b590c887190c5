"""Boxes of a layout: drawn on a ground by hand or keys, each with a caption, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QImage, QKeyEvent, QResizeEvent, QWheelEvent

from app.widgets.editor import ParamEditor
from app.widgets.paint.boxes import Box as Drawn
from app.widgets.paint.boxes import BoxView
from app.widgets.text import TextEditor
from app.words import tr
from backend.values import Box
from backend.values.layout import MOST, BadBoxes, placed, read_boxes, read_text, write_boxes

GROUND = 220
"""Logical pixels of the ground's height."""

UNITS = 1000
"""In how many parts the sides of the ground are cut."""

SNAP = 5.0

_OWN = frozenset({
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return,
    Qt.Key.Key_Enter, Qt.Key.Key_F2, Qt.Key.Key_Delete, Qt.Key.Key_Backspace,
})  # fmt: skip


class BoxesEditor(ParamEditor):
    """The boxes on a ground that stands for the picture, and over it a line with them as JSON.

    A drag on free ground draws a box and asks for its caption. Insert puts one in the middle; all
    else is as ``BoxView`` says. On a node there is the line alone.
    """

    spoken_role = QAccessible.Role.Grouping

    def build(self) -> None:
        """The line and the ground."""
        self.line = _BoxesLine(self.param, self._value, self.context, self)
        self.line.edited.connect(self.give)
        self.line.reverted.connect(self.reverted)
        self.line.noted.connect(self.noted)
        self.line.ended.connect(self.ended)
        self.ground = Ground(self.context.theme)
        self.ground.setParent(self)
        self.ground.setVisible(not self.context.compact)
        self.ground.edited.connect(self._move)
        self.ground.reverted.connect(self._back)
        self.ground.captioned.connect(self._caption)
        self.ground.drawn.connect(self._add)
        self.ground.removed.connect(self._remove)
        self.setFocusProxy(self.line)

    def refresh(self) -> None:
        """Both show the same."""
        self.line.show_value(self._value, self.mixed)
        boxes = () if self.mixed else boxes_of(self._value)
        self.ground.show_boxes([_drawn(number, box) for number, box in enumerate(boxes)])

    def begin(self, text: str = "") -> None:
        """Type them."""
        self.line.begin(text)

    def sizeHint(self) -> QSize:
        """A field, and the ground under it."""
        hint = super().sizeHint()
        return hint if self.context.compact else QSize(hint.width(), hint.height() + 4 + GROUND)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """The ground takes what the field leaves."""
        field = self.height()
        if not self.context.compact and field > self.context.theme.measures.field + 40:
            field = self.context.theme.measures.field
        self.line.setGeometry(0, 0, self.width(), field)
        self.ground.setGeometry(0, field + 4, self.width(), max(0, self.height() - field - 4))

    def _boxes(self) -> list[Box]:
        return list(boxes_of(self._value))

    def _move(self, drawn: Drawn, final: bool) -> None:
        boxes, at = self._boxes(), int(drawn.key)
        if at < len(boxes):
            boxes[at] = _kept(drawn, boxes[at])
            self._tell(boxes, final)

    def _back(self) -> None:
        self.reverted.emit()

    def _caption(self, key: str, said: str) -> None:
        boxes = self._boxes()
        old = boxes[int(key)]
        boxes[int(key)] = Box(old.x, old.y, old.width, old.height, said)
        self._tell(boxes, True)

    def _add(self, drawn: Drawn) -> None:
        boxes = self._boxes()
        if len(boxes) >= MOST:
            self.noted.emit(tr("There are {n} boxes; no more go.", n=MOST), True)
            return
        try:
            boxes.append(_placed(drawn, ""))
        except BadBoxes:
            return  # it was drawn beside the picture
        if self._tell(boxes, True):
            self.ground.choose(str(len(boxes) - 1))
            self.ground.name()

    def _remove(self, key: str) -> None:
        boxes = self._boxes()
        del boxes[int(key)]
        self._tell(boxes, True)
        self.ground.choose(str(min(int(key), len(boxes) - 1)) if boxes else "")

    def _tell(self, boxes: Sequence[Box], final: bool) -> bool:
        """Tell the boxes, if they make a layout; else show those that were."""
        try:
            found = write_boxes(read_boxes(write_boxes(boxes)))
        except BadBoxes as error:
            if final:
                self.noted.emit(str(error)[:1].upper() + str(error)[1:], True)
                self.refresh()
                self.reverted.emit()
            return False
        self.give(found, final)
        return True


class Ground(BoxView):
    """Where boxes are drawn; the wheel goes on to what lies around, and Esc lets a new box go."""

    def __init__(self, theme: Any) -> None:
        super().__init__(theme)
        self.snap = SNAP
        self.show_picture(QImage(), QSize(UNITS, UNITS))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The panel scrolls."""
        event.ignore()

    def event(self, event: QEvent) -> bool:
        """Keys that edit a box are no shortcuts of the window."""
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            held = self._from is not None or self._new is not None
            if (
                (event.key() in _OWN and self.chosen)
                or event.key() == Qt.Key.Key_Insert
                or (event.key() == Qt.Key.Key_Escape and held)
            ):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Insert draws a box in the middle, Esc lets go of one that is being drawn."""
        if event.key() == Qt.Key.Key_Insert:
            third = UNITS / 4
            shift = 2 * SNAP * len(self.boxes)
            self.drawn.emit(Drawn("", "", third + shift, third + shift, 2 * third, 2 * third))
        elif event.key() == Qt.Key.Key_Escape and self._new is not None:
            self._new = None
            self.update()
        else:
            super().keyPressEvent(event)


class _BoxesLine(TextEditor):
    """The boxes as JSON."""

    def refresh(self) -> None:
        """Show them, unless they are being typed."""
        text = "" if self.mixed else written(self._value)
        hint = tr("Several values") if self.mixed else tr("Draw boxes, or paste them as JSON")
        self.line.setPlaceholderText(hint)
        if self.line.text() != text and not (self.line.hasFocus() and self.line.isModified()):
            self.line.setText(text)
            self.line.setCursorPosition(0)
        self.update()

    def look(self, text: str) -> None:
        """How many there are, or what is wrong."""
        try:
            count = len(typed(text))
        except BadBoxes as error:
            self.say(tr("This {what}", what=str(error)), True)
        else:
            self.say(tr("{n} boxes", n=count) if count != 1 else tr("1 box"))

    def accepts(self, text: str) -> bool:
        """Only boxes are kept."""
        try:
            typed(text)
        except BadBoxes:
            return False
        return True

    def give(self, value: Any, final: bool = True) -> None:
        """A list, as documents hold it."""
        super().give(write_boxes(typed(value)) if isinstance(value, str) else value, final)


def boxes_of(value: Any) -> tuple[Box, ...]:
    """The boxes of a value; none of one that holds no boxes, which the check tells."""
    try:
        return read_boxes(value)
    except BadBoxes:
        return ()


def typed(text: str) -> tuple[Box, ...]:
    """The boxes of a text; none of an empty one.

    Raises:
        BadBoxes: it holds something else.
    """
    return read_text(text) if text.strip() not in ("", "[]") else ()


def written(value: Any) -> str:
    """Boxes as JSON on one line; nothing where there are none."""
    if not isinstance(value, list | tuple):
        return str(value)
    return json.dumps(list(value), ensure_ascii=False, default=str) if value else ""


def _drawn(number: int, box: Box) -> Drawn:
    left, top, width, height = (v * UNITS for v in (box.x, box.y, box.width, box.height))
    return Drawn(str(number), box.caption, left, top, width, height)


def _placed(drawn: Drawn, caption: str) -> Box:
    left, top = drawn.left / UNITS, drawn.top / UNITS
    return placed(left, top, drawn.width / UNITS, drawn.height / UNITS, caption, "box")


def _kept(drawn: Drawn, old: Box) -> Box:
    """What was drawn, inside of the picture: what was moved keeps its size, what was sized is
    cut."""
    width, height = drawn.width / UNITS, drawn.height / UNITS
    left, top = drawn.left / UNITS, drawn.top / UNITS
    if abs(width - old.width) < 1e-4 and abs(height - old.height) < 1e-4:
        left, top = min(max(left, 0.0), 1 - width), min(max(top, 0.0), 1 - height)
    try:
        return placed(left, top, width, height, old.caption, "box")
    except BadBoxes:
        return old
