"""What all editors of a parameter have in common, and the well that most of them are painted as."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.labels import label
from app.theme.colours import Colours
from app.theme.fonts import Role, font
from app.widgets.context import EditorContext
from app.widgets.spoken import tell_value
from app.words import tr
from backend.graph.spec import Param

RADIUS = 4.0
PAD = 8

_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class ParamEditor(QWidget):
    """Edits one value. It holds no document: it shows what it is given and says what was edited."""

    edited = Signal(object, bool)
    """A value, and whether it is final; until then the next one takes its place."""
    reverted = Signal()
    """What was edited since the last final value is not wanted."""
    ended = Signal(bool)
    """Typing is over: it was kept, or taken back."""
    noted = Signal(str, bool)
    """A few words about what is typed (a count, a preview), and whether it is wrong."""

    def __init__(
        self, param: Param, value: Any, context: EditorContext, parent: QWidget | None = None
    ) -> None:
        """Show ``value``; subclasses build what they need in ``build``."""
        super().__init__(parent)
        self.param = param
        self.context = context
        self.mixed = False
        self._value = value
        self.setAccessibleName(context.label or label(param.name))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.build()
        context.theme.changed.connect(self.refresh)
        self.refresh()

    def build(self) -> None:
        """Make the parts; once."""

    def refresh(self) -> None:
        """Show the value as it is now, in the colours that are now."""
        self.update()

    def begin(self, text: str = "") -> None:
        """Go into editing, as a click would; ``text`` is the key that was struck."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def value(self) -> Any:
        """The value that is shown."""
        return self._value

    def show_value(self, value: Any, mixed: bool = False) -> None:
        """Show another value; ``mixed`` where several nodes have different ones."""
        if (value, mixed, type(value)) != (self._value, self.mixed, type(self._value)):
            self._value, self.mixed = value, mixed
            self.refresh()

    def give(self, value: Any, final: bool = True) -> None:
        """Show a value and tell that it was edited."""
        self._value, self.mixed = value, False
        self.refresh()
        tell_value(self)
        self.edited.emit(value, final)

    def colours(self) -> Colours:
        """The colours in use."""
        return self.context.theme.colours

    def font_of(self, role: Role) -> QFont:
        """A font in the user's text scale; on a node in that of the node."""
        return font(role, 1.0 if self.context.compact else None)

    def sizeHint(self) -> QSize:
        """As wide as it gets, one field high."""
        return QSize(160, self.context.theme.measures.field)

    def minimumSizeHint(self) -> QSize:
        """It works on a node too."""
        return QSize(48, 18)


class Well(ParamEditor):
    """An editor that paints itself as a sunken field, and shows the keyboard's ring."""

    spoken_role = QAccessible.Role.EditableText

    def build(self) -> None:
        """Nothing is inside yet."""
        self.hovered = False
        self.ringed = False
        self.wrong = False
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def words(self) -> str:
        """What stands in the field."""
        return str(self._value)

    def spoken_value(self) -> str:
        """What a screen reader says is in it."""
        return tr("Several values") if self.mixed else self.words()

    def filled(self) -> float | None:
        """How much of the field is filled, 0 to 1."""
        return None

    def right(self) -> int:
        """How many pixels at the right end the words leave free."""
        return PAD

    def text_alignment(self) -> Qt.AlignmentFlag:
        """Values stand at the right."""
        return Qt.AlignmentFlag.AlignRight

    def pale(self) -> bool:
        """Whether the words are a hint, not a value."""
        return self.mixed

    def text_role(self) -> Role:
        """Numbers are a little stronger."""
        return Role.BODY

    def paintEvent(self, event: QPaintEvent) -> None:
        """The well, its filling, and the words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_well(
            painter, QRectF(self.well()), self.colours(), filled=self.filled(),
            hovered=self.hovered, ringed=self.ringed, wrong=self.wrong,
        )  # fmt: skip
        self.paint_words(painter)
        self.paint_more(painter)
        painter.end()

    def well(self) -> QRectF:
        """Where the field is."""
        return QRectF(self.rect())

    def paint_words(self, painter: QPainter) -> None:
        """The value, elided where it is too long."""
        colours = self.colours()
        font = self.font_of(self.text_role())
        words = self.spoken_value()
        box = self.well().adjusted(PAD, 0, -self.right(), 0)
        painter.setFont(font)
        painter.setPen(QColor(colours.weak if self.pale() else colours.strong))
        mode = Qt.TextElideMode.ElideRight
        if self.param.kind in ("file", "folder"):
            mode = Qt.TextElideMode.ElideLeft
        shown = QFontMetrics(font).elidedText(words, mode, int(box.width()))
        painter.drawText(box, self.text_alignment() | Qt.AlignmentFlag.AlignVCenter, shown)

    def paint_more(self, painter: QPainter) -> None:
        """Signs beside the words."""

    def paint_icon(self, painter: QPainter, name: str, at: QPointF, size: int = 12) -> None:
        """An icon with its middle at ``at``, in the colour of labels."""
        ratio = self.devicePixelRatioF()
        picture = self.context.theme.pixmap(name, size, "weak", ratio)
        painter.drawPixmap(at - QPointF(size / 2, size / 2), picture)

    def event(self, event: QEvent) -> bool:
        """Keys of an editor in focus are its own, not shortcuts of the window."""
        if (
            event.type() is QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self.wants(event)
        ):
            event.accept()
            return True
        return super().event(event)

    def wants(self, event: QKeyEvent) -> bool:
        """Whether a key is for this editor."""
        return False

    def enterEvent(self, event: QEnterEvent) -> None:
        """The outline comes forward."""
        self.hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """The outline goes back."""
        self.hovered = False
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is for the keyboard."""
        self.ringed = event.reason() in _KEYBOARD
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring goes."""
        self.ringed = False
        self.update()


def paint_well(
    painter: QPainter,
    rect: QRectF,
    colours: Colours,
    *,
    filled: float | None = None,
    hovered: bool = False,
    ringed: bool = False,
    wrong: bool = False,
) -> None:
    """Paint a field.

    Args:
        painter: In logical pixels, antialiased.
        rect: The whole field, outline included.
        colours: The theme.
        filled: How much of it the value fills, 0 to 1.
        hovered: The pointer is over it.
        ringed: It has the keyboard.
        wrong: What stands in it cannot be.
    """
    half = 0.5 / painter.device().devicePixelRatioF()
    box = rect.adjusted(half, half, -half, -half)
    path = QPainterPath()
    path.addRoundedRect(box, RADIUS, RADIUS)
    painter.fillPath(path, QColor(colours.well))
    if filled is not None and filled > 0:
        painter.save()
        painter.setClipPath(path)
        painter.fillRect(
            QRectF(box.left(), box.top(), max(2.0, box.width() * filled), box.height()),
            QColor(colours.selection),
        )
        painter.restore()
    edge = colours.danger if wrong else colours.linestrong if hovered else colours.line
    painter.setPen(QPen(QColor(edge), 2 * half))  # one pixel of the device
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    if ringed:
        painter.setPen(QPen(QColor(colours.focus), colours.ring))
        painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), RADIUS, RADIUS)
