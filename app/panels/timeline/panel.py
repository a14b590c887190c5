"""The timeline panel: click a bar to go to its node, drag to measure, turn the wheel to zoom."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAction,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QScrollBar, QToolTip, QWidget

from app.panels.timeline.paint import LEFT, Frame, Marks, paint
from app.panels.timeline.record import Axis, Record, Span, neighbour
from app.panels.tools import bytes_words, tool
from app.run.words import show_seconds
from app.theme.theme import Theme
from app.widgets.empty import Empty
from app.words import tr

_ARROWS = {
    Qt.Key.Key_Left: "left", Qt.Key.Key_Right: "right", Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
}  # fmt: skip
_ROOM = 1.05
"""How much of the axis is free behind the end of a run."""


class TimelinePanel(QWidget):
    """A run as lanes of bars over its memory.

    ``go`` carries the path of the step whose bar was clicked; ``summary_changed`` a line for the
    title bar: the peak, or what is measured.
    """

    spoken_role = QAccessible.Role.Chart

    go = Signal(str)
    summary_changed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.record = Record()
        self._view: tuple[float, float] | None = None  # begin and seconds; None: all of it
        self._marks = Marks()
        self._began: QPointF | None = None
        self._summary = ""
        self._bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self._bar.valueChanged.connect(self._scrolled)
        self._empty = Empty(
            theme, "chart-line", tr("No run to show."),
            tr("A run draws its steps and its memory here."), parent=self,
        )  # fmt: skip
        self._tools = (
            tool(theme, self, "zoom-in", tr("Zoom in"), lambda: self.zoom(1.5), "+"),
            tool(theme, self, "zoom-out", tr("Zoom out"), lambda: self.zoom(1 / 1.5), "-"),
            tool(theme, self, "maximize", tr("Show all"), self.fit, "0"),
        )
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Run timeline"))
        theme.changed.connect(self.update)
        self.show_record(Record())

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return self._tools

    @property
    def summary(self) -> str:
        """A line for the title bar."""
        return self._summary

    @property
    def marks(self) -> Marks:
        """What is chosen, pointed at and measured."""
        return self._marks

    @property
    def axis(self) -> Axis:
        """The part of the run that is in sight."""
        inner = Frame(self.width(), self.height()).inner
        begin, seconds = self._view or (0.0, self._whole)
        return Axis(begin, seconds, inner)

    def show_record(self, record: Record) -> None:
        """Show a run; one that goes on is shown anew as it grows. What is zoomed stays so."""
        if record.spans[:1] != self.record.spans[:1]:
            self._view, self._marks = None, Marks(focused=self._marks.focused)
        self.record = record
        self._empty.setVisible(not record.spans)
        for action in self._tools:
            action.setEnabled(bool(record.spans))
        self._tell()
        self._place_bar()
        self.update()

    def fit(self) -> None:
        """Show all of the run, also as it grows."""
        self._view = None
        self._place_bar()
        self.update()

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Zoom around a place of the axis in pixels, or its middle."""
        axis = self.axis
        axis = axis.zoomed(factor, axis.width / 2 if around is None else around, self._whole)
        self._view = None if axis.seconds >= self._whole else (axis.begin, axis.seconds)
        self._place_bar()
        self.update()

    def span_at(self, place: QPointF) -> int:
        """The number of the span at a place, -1 where there is none."""
        frame, axis = Frame(self.width(), self.height()), self.axis
        if place.x() < LEFT:
            return -1
        for number in range(len(self.record.spans) - 1, -1, -1):
            span = self.record.spans[number]
            rect = frame.bar(span, self.record.end_of(span), axis)
            if rect.adjusted(-2, -2, 2, 2).contains(place):
                return number
        return -1

    def sizeHint(self) -> QSize:
        """Room for the lanes and a curve."""
        return QSize(640, 232)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The timeline, or what stands in its place."""
        if self.record.spans:
            painter = QPainter(self)
            frame = Frame(self.width(), self.height() - self._bar_height())
            paint(painter, frame, self.record, self.axis, self._theme.colours, self._marks)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Everything follows the size."""
        self._empty.setGeometry(self.rect())
        self._place_bar()
        super().resizeEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click or the begin of a measure."""
        if event.button() == Qt.MouseButton.LeftButton and event.position().x() >= LEFT:
            self._began = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up a bar, or measure."""
        place = event.position()
        if self._began is not None:
            far = abs(place.x() - self._began.x()) >= QApplication.startDragDistance()
            if far or self._marks.measure is not None:
                axis = self.axis
                whole = self._whole
                ends = [min(max(axis.second(p.x() - LEFT), 0.0), whole) for p in
                        (self._began, place)]  # fmt: skip
                self._mark(measure=(ends[0], ends[1]))
            return
        number = self.span_at(place)
        hand = Qt.CursorShape.PointingHandCursor if number >= 0 else Qt.CursorShape.ArrowCursor
        self.setCursor(hand)
        self._mark(hovered=number)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Go to the node of a bar; a click beside one drops the measure."""
        if event.button() != Qt.MouseButton.LeftButton or self._began is None:
            return
        moved = event.position() - self._began
        self._began = None
        if abs(moved.x()) >= QApplication.startDragDistance():
            return
        number = self.span_at(event.position())
        self._mark(chosen=number, measure=None, drop=True)
        if number >= 0:
            self.go.emit(self.record.spans[number].step)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to the pointer; sideways or with Shift, scroll."""
        turn = event.angleDelta()
        sideways = turn.x() or (
            turn.y() if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0
        )
        if sideways:
            self._bar.setValue(self._bar.value() - sideways)
        elif self.record.spans:
            self.zoom(1.0015 ** turn.y(), event.position().x() - LEFT)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows lead from bar to bar, Enter goes there, Escape drops the measure."""
        key = Qt.Key(event.key())
        spans = self.record.spans
        if key in _ARROWS and spans:
            self._choose(neighbour(spans, self._marks.chosen, _ARROWS[key]))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._marks.chosen >= 0:
            self.go.emit(spans[self._marks.chosen].step)
        elif key == Qt.Key.Key_Escape and self._marks.measure is not None:
            self._mark(measure=None, drop=True)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring of the keyboard is shown."""
        mouse = event.reason() == Qt.FocusReason.MouseFocusReason
        self._marks = _with(self._marks, focused=not mouse)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring of the keyboard is gone."""
        self._marks = _with(self._marks, focused=False)
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        """What a bar is, as a tool tip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = self.span_at(QPointF(event.pos()))
            words = self.span_words(self.record.spans[number]) if number >= 0 else ""
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

    def span_words(self, span: Span) -> str:
        """A bar in words: ``Sample, 4.9 s, from 1.4 s on``."""
        took = show_seconds(self.record.end_of(span) - span.begin)
        said = tr("{title}, {took}, from {begin} on", title=span.title, took=took,
                  begin=show_seconds(span.begin))  # fmt: skip
        return tr("{said}, failed", said=said) if span.failed else said

    @property
    def _whole(self) -> float:
        return max(self.record.length * _ROOM, 1e-2)

    def _choose(self, number: int) -> None:
        span = self.record.spans[number]
        self._marks = _with(self._marks, focused=True)
        self._mark(chosen=number)
        axis = self.axis
        if not axis.begin <= span.begin <= axis.begin + axis.seconds:
            moved = Axis(span.begin - axis.seconds / 4, axis.seconds, axis.width)
            moved = moved.inside(self._whole)
            self._view = (moved.begin, moved.seconds)
            self._place_bar()
        self.setAccessibleName(f"{tr('Run timeline')}: {self.span_words(span)}")

    def _mark(
        self, *, chosen: int | None = None, hovered: int | None = None,
        measure: tuple[float, float] | None = None, drop: bool = False,
    ) -> None:  # fmt: skip
        old = self._marks
        self._marks = Marks(
            old.chosen if chosen is None else chosen,
            old.hovered if hovered is None else hovered,
            None if drop else measure or old.measure,
            old.focused,
        )
        if self._marks != old:
            self._tell()
            self.update()

    def _tell(self) -> None:
        """The line for the title bar."""
        said = ""
        if self._marks.measure is not None:
            begin, end = sorted(self._marks.measure)
            held = [s.used for s in self.record.samples if begin <= s.at <= end]
            said = tr("Measured {time}", time=show_seconds(end - begin))
            if held:
                said += " · " + tr("peak {size}", size=bytes_words(max(held)))
        elif self.record.peak:
            words = tr("Peak so far {size}") if self.record.now is not None else tr("Peak {size}")
            said = words.replace("{size}", bytes_words(self.record.peak))
        if said != self._summary:
            self._summary = said
            self.summary_changed.emit(said)

    def _bar_height(self) -> int:
        return 10 if self._view is not None else 0

    def _place_bar(self) -> None:
        """The scroll bar, in milliseconds; there only where not all is in sight."""
        axis = self.axis
        with QSignalBlocker(self._bar):
            self._bar.setVisible(self._view is not None)
            self._bar.setGeometry(int(LEFT), self.height() - 10, int(axis.width), 10)
            self._bar.setPageStep(round(axis.seconds * 1e3))
            self._bar.setSingleStep(max(1, round(axis.seconds * 100)))
            self._bar.setRange(0, max(0, round((self._whole - axis.seconds) * 1e3)))
            self._bar.setValue(round(axis.begin * 1e3))

    def _scrolled(self, value: int) -> None:
        if self._view is not None:
            self._view = (value / 1e3, self._view[1])
            self.update()


def _with(marks: Marks, *, focused: bool) -> Marks:
    return Marks(marks.chosen, marks.hovered, marks.measure, focused)
