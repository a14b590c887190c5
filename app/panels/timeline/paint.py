"""How the timeline is painted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from app.panels.timeline.record import LANES, Axis, Record, Span, round_step, tick_words
from app.run.words import show_seconds
from app.theme.colours import Colours, mix
from app.theme.fonts import Role, font
from app.theme.types import category_look
from app.words import tr
from backend.graph.spec import Lane

LEFT, RIGHT, TOP = 80.0, 16.0, 32.0
PITCH, BAR = 26.0, 20.0
_LEAST_CURVE = 48.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the parts of the timeline lie in a widget of a size; in logical pixels."""

    width: float
    height: float

    @property
    def inner(self) -> float:
        """The width of the axis."""
        return max(1.0, self.width - LEFT - RIGHT)

    def lane_top(self, lane: Lane) -> float:
        """The top of the bars of a lane."""
        return TOP + LANES.index(lane) * PITCH

    @property
    def curve(self) -> QRectF:
        """Where the memory curve lies; empty where there is no room for it."""
        top = TOP + len(LANES) * PITCH + 12
        height = self.height - top - 12
        if height < _LEAST_CURVE:
            return QRectF()
        return QRectF(LEFT, top, self.inner, height)

    def bar(self, span: Span, end: float, axis: Axis) -> QRectF:
        """Where the bar of a span lies; at least two pixels wide."""
        left, right = LEFT + axis.x(span.begin), LEFT + axis.x(end)
        return QRectF(left, self.lane_top(span.lane), max(2.0, right - left), BAR)


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked: the chosen span, the one under the pointer, a measured stretch."""

    chosen: int = -1
    hovered: int = -1
    measure: tuple[float, float] | None = None
    focused: bool = False


def paint(
    painter: QPainter, frame: Frame, record: Record, axis: Axis, colours: Colours, marks: Marks
) -> None:
    """Paint the whole timeline."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _axis(painter, frame, axis, colours)
    _lanes(painter, frame, record.device, colours)
    painter.save()
    painter.setClipRect(QRectF(LEFT, 0, frame.inner, frame.height))
    drawn: dict[Lane, float] = {}
    for number, span in enumerate(record.spans):
        end = record.end_of(span)
        if end >= axis.begin and span.begin <= axis.begin + axis.seconds:
            bar = frame.bar(span, end, axis)
            # Thousands of short steps fall on one pixel, where the first stands for all.
            if bar.right() > drawn.get(span.lane, -1.0) + 0.5 or number == marks.chosen:
                drawn[span.lane] = bar.right()
                _bar(painter, bar, span, colours, number, marks)
    painter.restore()
    _curve(painter, frame, record, axis, colours)
    if record.now is not None:
        _playhead(painter, frame, axis, record.now, colours)
    if marks.measure is not None:
        _measure(painter, frame, axis, marks.measure, colours)


def _axis(painter: QPainter, frame: Frame, axis: Axis, colours: Colours) -> None:
    painter.setFont(font(Role.CAPTION))
    ticks = axis.ticks()
    step = ticks[1] - ticks[0] if len(ticks) > 1 else round_step(axis.seconds)
    for tick in ticks:
        x = round(LEFT + axis.x(tick)) + 0.5
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.drawLine(QLineF(x, TOP - 4, x, frame.height - 12))
        painter.setPen(QColor(colours.weak))
        words = QRectF(x - 40, 8, 80, 16)
        painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter), tick_words(tick, step))


def _lanes(painter: QPainter, frame: Frame, device: str, colours: Colours) -> None:
    painter.setFont(font(Role.BODY))
    names = {"device": device, "cpu": tr("CPU"), "file": tr("Files")}
    for lane in LANES:
        painter.setPen(QColor(colours.weak))
        words = QRectF(16, frame.lane_top(lane), LEFT - 24, BAR)
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), names[lane])


def _bar(
    painter: QPainter, rect: QRectF, span: Span, colours: Colours, number: int, marks: Marks
) -> None:
    hue = colours.danger if span.failed else category_look(span.category).hue(colours)
    ground = mix(colours.panel, hue, 0.62 if number == marks.hovered else 0.5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(ground))
    corner = min(3.0, rect.width() / 2)
    painter.drawRoundedRect(rect, corner, corner)
    if number == marks.chosen:
        token = colours.focus if marks.focused else colours.accent
        painter.setPen(QPen(QColor(token), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), 4, 4)
    words = QRectF(rect)
    words.setLeft(max(rect.left(), LEFT) + 6)
    words.setRight(rect.right() - 4)
    if words.width() < 24:
        return
    painter.setFont(font(Role.CAPTION))
    text = span.title if not span.failed else tr("{title}, failed", title=span.title)
    fitted = QFontMetricsF(painter.font()).elidedText(
        text, Qt.TextElideMode.ElideRight, words.width()
    )
    if len(fitted) > 3:
        painter.setPen(QColor(colours.strong))
        painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), fitted)


def _curve(painter: QPainter, frame: Frame, record: Record, axis: Axis, colours: Colours) -> None:
    """Memory over time: a line with its area, and two figures on the left."""
    rect = frame.curve
    if rect.isEmpty() or not record.peak:
        return
    step = round_step(record.peak / 2**30 / 2) * 2**30
    top = step * max(1, -(-record.peak // int(step)))
    painter.setFont(font(Role.CAPTION))
    for figure in (0.0, top / 2, top):
        y = round(rect.bottom() - figure / top * rect.height()) + 0.5
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.drawLine(QLineF(rect.left(), y, rect.right(), y))
        painter.setPen(QColor(colours.weak))
        words = QRectF(16, y - 8, LEFT - 24, 16)
        painter.drawText(
            words, int(Qt.AlignmentFlag.AlignVCenter), f"{figure / 2**30:g} GB" if figure else "0"
        )
    path = _line(record, axis, rect, top)
    area = QPainterPath(path)
    area.lineTo(path.currentPosition().x(), rect.bottom())
    area.lineTo(path.elementAt(0).x, rect.bottom())
    painter.save()
    painter.setClipRect(rect.adjusted(0, -2, 0, 2))
    filled = QColor(colours.accent)
    filled.setAlphaF(0.2)
    painter.fillPath(area, filled)
    painter.strokePath(path, QPen(QColor(colours.accent), 2))
    painter.restore()


def _line(record: Record, axis: Axis, rect: QRectF, top: float) -> QPainterPath:
    """The curve in sight; of samples that fall on one pixel only the highest is drawn."""
    times = [sample.at for sample in record.samples]
    first = max(0, bisect_left(times, axis.begin) - 1)
    last = min(len(times), bisect_right(times, axis.begin + axis.seconds) + 1)
    highest: dict[int, int] = {}
    for sample in record.samples[first:last]:
        x = round(rect.left() + axis.x(sample.at))
        highest[x] = max(highest.get(x, 0), sample.used)
    path = QPainterPath()
    for x, used in highest.items():
        point = QPointF(x, rect.bottom() - used / top * rect.height())
        if path.elementCount():
            path.lineTo(point)
        else:
            path.moveTo(point)
    return path


def _playhead(painter: QPainter, frame: Frame, axis: Axis, now: float, colours: Colours) -> None:
    x = LEFT + axis.x(now)
    if not LEFT <= x <= frame.width - RIGHT + 1:
        return
    x = round(x) + 0.5
    painter.setPen(QPen(QColor(colours.strong), 1))
    painter.drawLine(QLineF(x, 22, x, frame.height - 12))
    _pill(painter, QPointF(x, 15), show_seconds(now), colours, frame)


def _measure(
    painter: QPainter, frame: Frame, axis: Axis, stretch: tuple[float, float], colours: Colours
) -> None:
    begin, end = sorted(stretch)
    rect = QRectF(LEFT + axis.x(begin), TOP - 4, axis.x(end) - axis.x(begin), 0)
    rect.setBottom(frame.height - 12)
    ground = QColor(colours.accent)
    ground.setAlphaF(0.14)
    painter.fillRect(rect, ground)
    painter.setPen(QPen(QColor(colours.accent), 1))
    painter.drawLine(rect.topLeft(), rect.bottomLeft())
    painter.drawLine(rect.topRight(), rect.bottomRight())
    _pill(painter, QPointF(rect.center().x(), 15), show_seconds(end - begin), colours, frame)


def _pill(painter: QPainter, centre: QPointF, text: str, colours: Colours, frame: Frame) -> None:
    painter.setFont(font(Role.CAPTION))
    width = QFontMetricsF(painter.font()).horizontalAdvance(text) + 12
    x = max(LEFT, min(centre.x() - width / 2, frame.width - width - 2))
    rect = QRectF(x, centre.y() - 8, width, 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.strong))
    painter.drawRoundedRect(rect, 4, 4)
    painter.setPen(QColor(colours.panel))
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), text)
