"""How the forecast of a run is painted: a lane for each component, and the memory in use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise

from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from app.panels.timeline.forecast_words import Titles, stage_title
from app.run.words import show_seconds
from app.theme.colours import Colours, mix
from app.theme.fonts import Role, font
from app.theme.types import look_of
from app.words import tr
from backend.engine.checks.wire import Forecast, Stay
from backend.plan.residency.report import size

LEFT, RIGHT, TOP = 148.0, 16.0, 6.0
PITCH, BAR = 20.0, 17.0
STEPS = 18.0
GAP = 18.0
"""Between the lanes and the curve: a line of words."""
CURVE = 44.0
"""The least height of the curve."""
_FAR = 2.5
"""A budget so many times the peak is not drawn to scale."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Where the parts of a forecast lie in a widget of a size; in logical pixels."""

    forecast: Forecast
    width: float
    height: float

    @property
    def edges(self) -> tuple[float, ...]:
        """Where stages begin, and the last ends; by their seconds where these are known."""
        stages = self.forecast.stages
        shares = [stage.seconds if self.forecast.timed else 1.0 for stage in stages]
        whole = sum(shares) or 1.0
        inner = max(1.0, self.width - LEFT - RIGHT)
        return tuple(LEFT + inner * at / whole for at in accumulate(shares, initial=0.0))

    @property
    def curve(self) -> QRectF:
        """Where the memory curve lies."""
        top = TOP + len(self.forecast.lanes) * PITCH + GAP
        return QRectF(LEFT, top, self.width - LEFT - RIGHT, self.height - top - STEPS - 6)

    @property
    def least_height(self) -> int:
        """The height that all lanes and a curve want."""
        return round(TOP + len(self.forecast.lanes) * PITCH + GAP + CURVE + STEPS + 6)

    @property
    def top(self) -> int:
        """The bytes at the top of the curve: the budget, unless that is far above the peak."""
        peak, budget = self.forecast.device_peak, self.forecast.device_budget
        return max(1, budget if budget <= _FAR * peak else round(peak * 1.2))

    def stage_at(self, x: float) -> int:
        """The stage at a place, -1 beside them."""
        for number, (left, right) in enumerate(pairwise(self.edges)):
            if left <= x < right:
                return number
        return -1


def paint(
    painter: QPainter, chart: Chart, colours: Colours, title_of: Titles, chosen: int, focused: bool
) -> None:
    """Paint the whole forecast."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _stages(painter, chart, colours, title_of, chosen)
    for lane in range(len(chart.forecast.lanes)):
        _lane(painter, chart, colours, lane)
    _curve(painter, chart, colours)
    if chosen >= 0:
        left, right = chart.edges[chosen : chosen + 2]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.focus if focused else colours.accent), 2))
        painter.drawRoundedRect(QRectF(left, 3, right - left, chart.height - 6), 4, 4)


def _stages(
    painter: QPainter, chart: Chart, colours: Colours, title_of: Titles, chosen: int
) -> None:
    """Lines between stages, and their titles at the bottom."""
    painter.setFont(font(Role.CAPTION))
    bottom = chart.height - STEPS - 4
    drawn = LEFT - 8
    for number, (left, right) in enumerate(pairwise(chart.edges)):
        if left - drawn >= 3 or number == chosen:
            painter.setPen(QPen(QColor(colours.line), 1))
            x = round(left) + 0.5
            painter.drawLine(QLineF(x, TOP, x, bottom))
            drawn = left
        stage = chart.forecast.stages[number]
        said = stage_title(stage, title_of)
        if chart.forecast.timed:
            said += f" · {show_seconds(stage.seconds)}"
        painter.setPen(QColor(colours.strong if number == chosen else colours.text))
        _words(painter, QRectF(left + 4, bottom + 2, right - left - 6, STEPS - 2), said)


def _lane(painter: QPainter, chart: Chart, colours: Colours, lane: int) -> None:
    """The name of a component, and where it is on the device."""
    told = chart.forecast.lanes[lane]
    top = TOP + lane * PITCH
    painter.setFont(font(Role.CAPTION))
    painter.setPen(QColor(colours.weak))
    name = QRectF(16, top, LEFT - 24, BAR)
    _words(painter, name, told.name, Qt.TextElideMode.ElideMiddle)
    hue = look_of(_type_of(told.part)).hue(colours)
    found = [
        next((stay for stay in stage.stays if stay.lane == lane), None)
        for stage in chart.forecast.stages
    ]
    edges, begin = chart.edges, 0
    while begin < len(found):
        end = begin + 1
        while end < len(found) and _alike(found[begin], found[end]):
            end += 1
        stays = [stay for stay in found[begin:end] if stay is not None]
        if stays:
            cells = [
                (QRectF(edges[n], top, edges[n + 1] - edges[n], BAR), found[n])
                for n in range(begin, end)
            ]
            _span(painter, cells, stays, colours, hue)
        begin = end


def _alike(one: Stay | None, other: Stay | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.streams == other.streams


def _span(
    painter: QPainter, cells: list[tuple[QRectF, Stay | None]], stays: list[Stay],
    colours: Colours, hue: str,
) -> None:  # fmt: skip
    """A stretch in which a component stays, or streams: paler where no step computes with it."""
    whole = QRectF(cells[0][0].topLeft(), cells[-1][0].bottomRight()).adjusted(1, 0.5, -1, -0.5)
    outline = QPainterPath()
    outline.addRoundedRect(whole, 3, 3)
    painter.save()
    painter.setClipPath(outline)
    for rect, stay in cells:
        used = stay is not None and stay.used
        painter.fillRect(rect, QColor(mix(colours.panel, hue, 0.38 if used else 0.12)))
    if stays[0].streams:
        lines = QColor(hue)
        lines.setAlphaF(0.35)
        painter.fillRect(whole, QBrush(lines, Qt.BrushStyle.BDiagPattern))
    painter.restore()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(QColor(hue), 1)
    pen.setDashPattern([4, 3])
    painter.setPen(pen)
    painter.drawPath(outline)
    held = size(max(stay.held for stay in stays))
    said = held
    if stays[0].streams:
        said = tr("streams {size}", size=size(sum(stay.comes for stay in stays)))
    text = whole.adjusted(6, 0, -4, 0)
    if stays[0].streams:  # words are not read over hatching
        wide = QFontMetricsF(painter.font()).horizontalAdvance(said) + 8
        ground = QRectF(text.left() - 4, whole.top() + 2, min(wide, text.width()), BAR - 5)
        painter.fillRect(ground, QColor(mix(colours.panel, hue, 0.38)))
    painter.setPen(QColor(colours.strong))
    _words(painter, text, said)


def _curve(painter: QPainter, chart: Chart, colours: Colours) -> None:
    """The memory in use, dashed as what is only foretold, below the line of the budget."""
    rect, forecast = chart.curve, chart.forecast
    painter.setFont(font(Role.CAPTION))
    painter.setPen(QColor(colours.weak))
    painter.drawText(QRectF(16, rect.bottom() - 14, LEFT - 24, 16), 0, tr("Memory in use"))
    painter.setPen(QPen(QColor(colours.line), 1))
    painter.drawLine(rect.bottomLeft(), rect.bottomRight())
    path = QPainterPath()
    for (left, right), stage in zip(pairwise(chart.edges), forecast.stages, strict=True):
        for n, used in enumerate(stage.curve):
            x = left + (right - left) * (n + 0.5) / len(stage.curve)
            y = rect.bottom() - used / chart.top * rect.height()
            if not path.elementCount():
                path.moveTo(left, y)
            elif n == 0:
                path.lineTo(left, y)
            path.lineTo(x, y)
        path.lineTo(right, path.currentPosition().y())
    area = QPainterPath(path)
    area.lineTo(rect.bottomRight())
    area.lineTo(rect.bottomLeft())
    filled = QColor(colours.weak)
    filled.setAlphaF(0.18)
    painter.fillPath(area, filled)
    painter.strokePath(path, _dashed(colours.weak, 2))
    to_scale = chart.top == forecast.device_budget
    at = rect.bottom() - forecast.device_peak / chart.top * rect.height()
    if to_scale or at - rect.top() >= 8:
        _line(painter, rect, at, colours.weak, tr("Peak {size}", size=size(forecast.device_peak)))
    budget = tr("Budget {size}", size=size(forecast.device_budget))
    if not to_scale:
        budget = tr("{budget}, not to scale", budget=budget)
    _line(painter, rect, rect.top(), colours.warning, budget, right=True)


def _line(
    painter: QPainter, rect: QRectF, y: float, colour: str, said: str, *, right: bool = False
) -> None:
    """A line across the curve with its figure."""
    painter.setPen(_dashed(colour, 1))
    snapped = math.floor(y) + 0.5
    painter.drawLine(QLineF(rect.left(), snapped, rect.right(), snapped))
    painter.setPen(QColor(colour))
    if right:
        words = QRectF(rect.left(), y - 17, rect.width(), 16)
        painter.drawText(words, int(Qt.AlignmentFlag.AlignRight), said)
    else:
        words = QRectF(16, min(y - 8, rect.bottom() - 30), LEFT - 24, 16)
        painter.drawText(words, 0, said)


def _dashed(colour: str, width: float) -> QPen:
    pen = QPen(QColor(colour), width)
    pen.setDashPattern([4, 3])
    return pen


def _words(
    painter: QPainter, rect: QRectF, said: str,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> None:  # fmt: skip
    """Words in a rectangle, shortened; none where not even a few letters have room."""
    if rect.width() < 20:
        return
    fitted = QFontMetricsF(painter.font()).elidedText(said, mode, rect.width())
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignVCenter), fitted)


def _type_of(part: str) -> str:
    """The type of socket whose hue a component has."""
    if part.startswith("text_encoder"):
        return "TextEncoder"
    return "VAE" if "vae" in part or part.startswith("vq") else "Model"
