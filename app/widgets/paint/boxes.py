"""Boxes over a picture: drawn, moved and sized by hand or keys, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen

from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.theme.types import look_of
from app.widgets.line import Line, clean
from app.widgets.paint.view import PictureView
from app.words import tr

_GRIP = 8.0
_HUES = ("Mask", "Image", "TextEncoder", "Latent", "Model", "Layers", "Video", "Solver")
_CURSORS = {
    (-1, -1): Qt.CursorShape.SizeFDiagCursor, (1, 1): Qt.CursorShape.SizeFDiagCursor,
    (1, -1): Qt.CursorShape.SizeBDiagCursor, (-1, 1): Qt.CursorShape.SizeBDiagCursor,
    (-1, 0): Qt.CursorShape.SizeHorCursor, (1, 0): Qt.CursorShape.SizeHorCursor,
    (0, -1): Qt.CursorShape.SizeVerCursor, (0, 1): Qt.CursorShape.SizeVerCursor,
    (0, 0): Qt.CursorShape.SizeAllCursor,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels of the picture. ``key`` is whose it is; ``ellipse`` how it is drawn."""

    key: str
    caption: str
    left: float
    top: float
    width: float
    height: float
    ellipse: bool = False

    @property
    def rect(self) -> QRectF:
        """As Qt has it."""
        return QRectF(self.left, self.top, self.width, self.height)


class BoxView(PictureView):
    """Edits boxes. A drag on free ground draws one (``drawn``); arrows move the chosen one, with
    Shift by 10, Alt sizes it; Enter or a double click edits its caption, Delete removes it."""

    edited = Signal(object, bool)
    """A box, and whether it is final."""
    reverted = Signal()
    captioned = Signal(str, str)
    drawn = Signal(object)
    removed = Signal(str)
    chosen_changed = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.boxes: tuple[Box, ...] = ()
        self.chosen = ""
        self.snap = 1.0
        self._from: tuple[QPointF, Box, tuple[int, int]] | None = None
        self._new: tuple[QPointF, QPointF] | None = None
        self.line: Line | None = None
        self.setAccessibleName(tr("Boxes"))
        self.setCursor(self.work_cursor())

    def show_boxes(self, boxes: Sequence[Box]) -> None:
        """Show these boxes."""
        self.boxes = tuple(boxes)
        if self.chosen not in {box.key for box in boxes}:
            self.chosen = ""
        self.update()

    def choose(self, key: str) -> None:
        """Choose a box, or none."""
        if key != self.chosen:
            self.chosen = key
            self.chosen_changed.emit(key)
            box = self.box(key)
            self.setAccessibleDescription(_said(box) if box is not None else "")
            self.update()

    def box(self, key: str) -> Box | None:
        """A box by its key."""
        return next((box for box in self.boxes if box.key == key), None)

    def hue(self, index: int) -> QColor:
        """The colour of a box; its number tells it as well."""
        return QColor(look_of(_HUES[index % len(_HUES)]).hue(self._theme.colours))

    def paint_over(self, painter: QPainter, box: QRectF) -> None:
        """Every box with its number and caption; grips on the chosen one."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        small = font(Role.CAPTION)
        metrics = QFontMetrics(small)
        for index, each in enumerate(self.boxes):
            rect, hue, mine = self.rect_to_widget(each.rect), self.hue(index), False
            mine = each.key == self.chosen
            fill = QColor(hue)
            fill.setAlpha(56 if mine else 36)
            painter.setBrush(fill)
            for pen in (QPen(QColor("#000000"), 3.5 if mine else 3), QPen(hue, 2 if mine else 1.5)):
                painter.setPen(pen)
                if each.ellipse:
                    painter.drawEllipse(rect)
                else:
                    painter.drawRect(rect)
                painter.setBrush(Qt.BrushStyle.NoBrush)
            words = f"{index + 1}  {each.caption}".rstrip()
            tag = QRectF(rect.left(), rect.top(), metrics.horizontalAdvance(words) + 10, 18)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(hue)
            painter.drawRect(tag)
            painter.setFont(small)
            painter.setPen(QColor("#101113" if self._theme.colours.dark else "#FFFFFF"))
            painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, words)
            if mine:
                painter.setPen(QPen(QColor("#000000"), 1))
                painter.setBrush(QColor("#FFFFFF"))
                for x, y in _CURSORS:
                    if (x, y) != (0, 0):
                        at = rect.center() + QPointF(x * rect.width() / 2, y * rect.height() / 2)
                        painter.drawRect(QRectF(at.x() - 3, at.y() - 3, 6, 6))
        if self._new is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._theme.colours.accent), 1.5, Qt.PenStyle.DashLine))
            painter.drawRect(self.rect_to_widget(QRectF(*self._new).normalized()))

    # By hand.

    def at(self, place: QPointF) -> tuple[Box, tuple[int, int]] | None:
        """The box under a place of the widget, and which side or corner; (0, 0) for its inside."""
        order = sorted(self.boxes, key=lambda box: box.key != self.chosen)
        for box in order:
            rect = self.rect_to_widget(box.rect)
            if box.key == self.chosen and rect.adjusted(
                -_GRIP, -_GRIP, _GRIP, _GRIP
            ).contains(place):  # fmt: skip
                x = _side(place.x(), rect.left(), rect.right())
                y = _side(place.y(), rect.top(), rect.bottom())
                return box, (x, y)
            if rect.contains(place):
                return box, (0, 0)
        return None

    def press(self, at: QPointF, event: QMouseEvent) -> None:
        """Choose and hold a box, or begin to draw one."""
        found = self.at(event.position())
        if found is None:
            self.choose("")
            self._new = (at, at)
            return
        box, side = found
        self.choose(box.key)
        self._from = (at, box, side)

    def drag(self, at: QPointF, event: QMouseEvent) -> None:
        """Move or size what is held."""
        if self._from is not None:
            start, box, side = self._from
            self._put(self._pulled(box, at - start, side), False)
        elif self._new is not None:
            self._new = (self._new[0], at)
            self.update()
        else:
            found = self.at(event.position())
            self.setCursor(_CURSORS[found[1]] if found else self.work_cursor())

    def release(self, at: QPointF, event: QMouseEvent) -> None:
        """That is it."""
        if self._from is not None:
            old, self._from = self._from[1], None
            box = self.box(old.key)
            if box is not None and box != old:
                self.edited.emit(box, True)
        elif self._new is not None:
            rect, self._new = QRectF(*self._new).normalized(), None
            self.update()
            if min(rect.width(), rect.height()) * self.zoom >= 6:
                left, top, width, height = (
                    self._snapped(v) for v in (rect.x(), rect.y(), rect.width(), rect.height())
                )
                self.drawn.emit(Box("", "", left, top, width, height))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Edit the caption."""
        found = self.at(event.position())
        if found is not None:
            self._from = None
            self.choose(found[0].key)
            self.name()

    def _pulled(self, box: Box, by: QPointF, side: tuple[int, int]) -> Box:
        x, y = side
        left, top, right, bottom = box.left, box.top, box.left + box.width, box.top + box.height
        if side == (0, 0):
            return replace(
                box, left=self._snapped(left + by.x()), top=self._snapped(top + by.y())
            )  # fmt: skip
        if x < 0:
            left = min(self._snapped(left + by.x()), right - self.snap)
        if x > 0:
            right = max(self._snapped(right + by.x()), left + self.snap)
        if y < 0:
            top = min(self._snapped(top + by.y()), bottom - self.snap)
        if y > 0:
            bottom = max(self._snapped(bottom + by.y()), top + self.snap)
        return replace(box, left=left, top=top, width=right - left, height=bottom - top)

    def _snapped(self, value: float) -> float:
        return round(value / self.snap) * self.snap

    def _put(self, box: Box, final: bool) -> None:
        if final or box != self.box(box.key):
            self.boxes = tuple(box if each.key == box.key else each for each in self.boxes)
            self.setAccessibleDescription(_said(box))
            self.update()
            self.edited.emit(box, final)

    # By keys.

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """As the class says; Page up and down choose."""
        box, key = self.box(self.chosen), event.key()
        moves = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }  # fmt: skip
        if key == Qt.Key.Key_Escape and self._from is not None:
            old, self._from = self._from[1], None
            self.boxes = tuple(old if each.key == old.key else each for each in self.boxes)
            self.update()
            self.reverted.emit()
        elif key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp) and self.boxes:
            keys = [each.key for each in self.boxes]
            step = 1 if key == Qt.Key.Key_PageDown else -1
            at = (keys.index(self.chosen) + step) % len(keys) if self.chosen in keys else 0
            self.choose(keys[at])
        elif box is None:
            super().keyPressEvent(event)
        elif key in moves:
            x, y = moves[Qt.Key(key)]
            by = self.snap * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
            sizes = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            side = (abs(x), abs(y)) if sizes else (0, 0)
            self._put(self._pulled(box, QPointF(x * by, y * by), side), True)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.name()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(box.key)
        else:
            super().keyPressEvent(event)

    def name(self) -> None:
        """Edit the caption of the chosen box, where it stands."""
        box = self.box(self.chosen)
        if box is None or self.line is not None:
            return
        rect = self.rect_to_widget(box.rect)
        line = Line(font(Role.BODY), self)
        line.setStyleSheet("")
        line.setAccessibleName(tr("Caption"))
        line.setText(box.caption)
        line.selectAll()
        line.setGeometry(int(rect.left()), int(rect.top()), max(120, int(rect.width())), 24)
        line.kept.connect(lambda: self._named(box, True))
        line.dropped.connect(lambda: self._named(box, False))
        self.line = line
        line.show()
        line.setFocus()

    def _named(self, box: Box, kept: bool) -> None:
        line, self.line = self.line, None
        if line is None:
            return
        said = clean(line.text()).strip()
        line.hide()
        line.deleteLater()
        self.setFocus()
        if kept and said != box.caption:
            self.captioned.emit(box.key, said)


def _side(value: float, low: float, high: float) -> int:
    grip = min(_GRIP, (high - low) / 4 + 2)
    return -1 if value < low + grip else 1 if value > high - grip else 0


def _said(box: Box) -> str:
    return tr(
        "{caption}, {w} x {h} at {x}, {y}", caption=box.caption, w=round(box.width),
        h=round(box.height), x=round(box.left), y=round(box.top),
    )  # fmt: skip
