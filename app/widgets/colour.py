"""Colours: a swatch, its name in hex, and a popup with hue, saturation, value and cover."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.labels import label
from app.theme.colours import Colours
from app.theme.theme import Theme
from app.widgets.text import TextEditor
from app.words import tr
from backend.values import Color

_SWATCH = 32


class ColourEditor(TextEditor):
    """A colour, typed as ``#rrggbb`` or ``#rrggbbaa``, or picked by a click on the swatch."""

    def build(self) -> None:
        """The swatch is painted; the popup is made when it opens."""
        super().build()
        self.popup: ColourPopup | None = None

    def colour(self) -> QColor:
        """The value as Qt has it; black where it is none."""
        return to_qcolor(self._value)

    def resizeEvent(self, event: Any) -> None:
        """The line leaves room for the swatch."""
        self.line.setGeometry(self.rect().adjusted(_SWATCH, 0, 0, 0))

    def paint_more(self, painter: QPainter) -> None:
        """The swatch, on checks where it lets something through."""
        box = self.swatch().adjusted(4, 4, -4, -4)
        if self.mixed:
            return
        paint_checks(painter, box, self.colours())
        painter.setPen(QPen(QColor(self.colours().linestrong), 1))
        painter.setBrush(self.colour())
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)

    def swatch(self) -> QRectF:
        """Where a click opens the popup."""
        return QRectF(0, 0, _SWATCH, self.height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The swatch opens the popup."""
        if event.button() is Qt.MouseButton.LeftButton and self.swatch().contains(event.position()):
            self.pick()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt + Down opens the popup."""
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        if alt and event.key() == Qt.Key.Key_Down:
            self.pick()
        else:
            super().keyPressEvent(event)

    def pick(self) -> None:
        """Open the popup."""
        if self.popup is not None:
            return
        popup = ColourPopup(self.context.theme, self.colour(), self)
        popup.picked.connect(self._picked)
        popup.closed.connect(self._closed)
        self.popup = popup
        popup.adjustSize()
        place = self.mapToGlobal(QPoint(0, self.height() + 2))
        screen = self.screen().availableGeometry()
        if place.y() + popup.height() > screen.bottom():
            place.setY(self.mapToGlobal(QPoint(0, 0)).y() - popup.height() - 2)
        place.setX(max(screen.left(), min(place.x(), screen.right() - popup.width())))
        popup.move(place)
        popup.show()

    def look(self, text: str) -> None:
        """Whether it is a colour."""
        try:
            Color.parse(text)
        except ValueError:
            self.say(tr("Write a colour as #rrggbb or #rrggbbaa."), True)
        else:
            self.say("")

    def accepts(self, text: str) -> bool:
        """Only colours are kept."""
        try:
            Color.parse(text)
        except ValueError:
            return False
        return True

    def give(self, value: Any, final: bool = True) -> None:
        """Kept in its one form, ``#rrggbb``."""
        super().give(Color.parse(str(value)).hex(), final)

    def _picked(self, colour: QColor, final: bool) -> None:
        self.line.setModified(False)
        self.give(to_hex(colour), final)

    def _closed(self) -> None:
        self.popup = None
        self.ended.emit(True)


class ColourPopup(QFrame):
    """Saturation and value on a plane, hue and cover on bars."""

    picked = Signal(QColor, bool)
    closed = Signal()

    def __init__(self, theme: Theme, colour: QColor, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("role", "overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.parts = {
            "hue": max(0.0, colour.hsvHueF()), "saturation": colour.hsvSaturationF(),
            "value": colour.valueF(), "alpha": colour.alphaF(),
        }  # fmt: skip
        self.plane = Plane(theme, self.parts, ("saturation", "value"), QSize(224, 144), self)
        self.hue = Plane(theme, self.parts, ("hue", ""), QSize(224, 16), self)
        self.cover = Plane(theme, self.parts, ("alpha", ""), QSize(224, 16), self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(12)
        for plane in (self.plane, self.hue, self.cover):
            layout.addWidget(plane)
            plane.moved.connect(self._move)
        self.plane.setFocus(Qt.FocusReason.PopupFocusReason)

    def colour(self) -> QColor:
        """What the three say together."""
        return hsv(self.parts)

    def _move(self, final: bool) -> None:
        for plane in (self.plane, self.hue, self.cover):
            plane.update()
        self.picked.emit(self.colour(), final)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter closes it, as Esc does."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: Any) -> None:
        """Whoever opened it goes on."""
        self.closed.emit()
        super().closeEvent(event)


class Plane(QWidget):
    """One or two parts of a colour as a place; moved by hand and by arrows."""

    spoken_role = QAccessible.Role.ColorChooser

    moved = Signal(bool)

    def __init__(
        self, theme: Theme, parts: dict[str, float], names: tuple[str, str], size: QSize,
        parent: QWidget,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._theme, self._parts, self._across, self._up = theme, parts, *names
        self.setFixedSize(size)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        said = label(self._across) + (f", {self._up}" if self._up else "")
        self.setAccessibleName(tr("Cover") if self._across == "alpha" else said)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The colours that can be reached, and a ring on the present one."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, box = self._theme.colours, QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(box, 4, 4)
        painter.setClipPath(path)
        if self._across == "alpha":
            paint_checks(painter, box, colours)
        painter.fillRect(box, self._gradient())
        if self._up:
            dark = QLinearGradient(0, 0, 0, self.height())
            dark.setColorAt(0, QColor(0, 0, 0, 0))
            dark.setColorAt(1, QColor(0, 0, 0, 255))
            painter.fillRect(box, dark)
        painter.setClipping(False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        ring = QColor(colours.focus if self.hasFocus() else colours.linestrong)
        painter.setPen(QPen(ring, 2 if self.hasFocus() else 1))
        painter.drawRoundedRect(box, 4, 4)
        at, radius = self.place(), 6.0 if self._up else 5.0
        for width, colour in ((4, "#000000"), (2, "#FFFFFF")):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawEllipse(at, radius, radius)
        painter.end()

    def _gradient(self) -> QLinearGradient:
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for stop in range(7):
            parts = {**self._parts, self._across: stop / 6}
            if self._up:
                parts["value"] = 1.0
            if self._across == "hue":
                parts.update(saturation=1.0, value=1.0)
            if self._across != "alpha":
                parts["alpha"] = 1.0
            gradient.setColorAt(stop / 6, hsv(parts))
        return gradient

    def place(self) -> QPointF:
        """Where the present colour lies."""
        x = self._parts[self._across] * (self.width() - 1)
        y = (1 - self._parts[self._up]) * (self.height() - 1) if self._up else self.height() / 2
        return QPointF(min(max(x, 6), self.width() - 6), min(max(y, 6), self.height() - 6))

    def put(self, place: QPointF, final: bool) -> None:
        """Take what lies at a place."""
        self._parts[self._across] = min(1.0, max(0.0, place.x() / (self.width() - 1)))
        if self._up:
            self._parts[self._up] = min(1.0, max(0.0, 1 - place.y() / (self.height() - 1)))
        self.update()
        self.moved.emit(final)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take it."""
        self.put(event.position(), False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.put(event.position(), False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """That is it."""
        self.put(event.position(), True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move by a hundredth, with Ctrl by a tenth."""
        step = 0.1 if event.modifiers() & Qt.KeyboardModifier.ControlModifier else 0.01
        moves = {
            Qt.Key.Key_Left: (self._across, -step), Qt.Key.Key_Right: (self._across, step),
            Qt.Key.Key_Up: (self._up, step), Qt.Key.Key_Down: (self._up, -step),
        }  # fmt: skip
        name, by = moves.get(Qt.Key(event.key()), ("", 0.0))
        if not name:
            super().keyPressEvent(event)
            return
        self._parts[name] = min(1.0, max(0.0, self._parts[name] + by))
        self.update()
        self.moved.emit(True)


def hsv(parts: dict[str, float]) -> QColor:
    """The colour of hue, saturation, value and alpha, each 0 to 1."""
    hue = min(parts["hue"], 0.9999)
    return QColor.fromHsvF(hue, parts["saturation"], parts["value"], parts["alpha"])


def to_qcolor(value: Any) -> QColor:
    """A document's colour as Qt has it; black where it is none."""
    try:
        colour = Color.parse(str(value))
    except ValueError:
        return QColor(0, 0, 0)
    return QColor.fromRgbF(colour.red, colour.green, colour.blue, colour.alpha)


def to_hex(colour: QColor) -> str:
    """A colour of Qt as documents write it."""
    return Color(colour.redF(), colour.greenF(), colour.blueF(), colour.alphaF()).hex()


def paint_checks(painter: QPainter, box: QRectF, colours: Colours, size: float = 5.0) -> None:
    """The ground of what can be seen through."""
    painter.save()
    painter.setClipRect(box, Qt.ClipOperation.IntersectClip)
    painter.fillRect(box, QColor("#9A9A9A" if colours.dark else "#FFFFFF"))
    dark = QColor("#6A6A6A" if colours.dark else "#C8C8C8")
    rows, columns = int(box.height() // size) + 1, int(box.width() // size) + 1
    for row in range(rows):
        for column in range(row % 2, columns, 2):
            painter.fillRect(
                QRectF(box.left() + column * size, box.top() + row * size, size, size), dark
            )
    painter.restore()
