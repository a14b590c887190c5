"""The head of the inspector: what is shown, of which category, and where it stands in a run."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QColor,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.labels import duration
from app.run.state import NodeRun
from app.theme.fonts import Role, font
from app.theme.theme import Theme
from app.theme.types import category_icon, category_look
from app.widgets.line import Line, clean
from app.words import tr

HEIGHT = 40
_MARGIN, _TITLE = 16, 44


class Header(QWidget):
    """The subject. A double click or F2 gives it another title, where it is one node."""

    spoken_role = QAccessible.Role.Heading

    titled = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title, self._category, self._pill, self._tone = "", "", "", ""
        self._can_name = False
        self._line: Line | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.setFixedHeight(self._theme.measures.tall(HEIGHT))
        self.update()

    def show_subject(self, title: str, category: str, can_name: bool) -> None:
        """Say what is shown."""
        self._title, self._category, self._can_name = title, category, can_name
        self.setAccessibleName(title)
        self.setToolTip(tr("Double click to give it another title.") if can_name else "")
        self.update()

    def show_run(self, run: NodeRun | None) -> None:
        """Say where it stands."""
        self._pill, self._tone = run_words(run)
        self.setAccessibleDescription(self._pill)
        self.update()

    def sizeHint(self) -> QSize:
        """40 high."""
        return QSize(240, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Icon, title, category, and a pill at the right."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, middle = self._theme.colours, self.height() / 2
        hue = category_look(self._category).hue(colours)
        self._paint_icon(painter, hue, middle)
        end = float(self.width() - _MARGIN)
        if self._pill:
            end = self._paint_pill(painter, end, middle) - 8
        title = font(Role.SUBJECT)
        small = font(Role.CAPTION)
        metrics = QFontMetrics(title)
        if self._line is None:
            said = metrics.elidedText(
                self._title, Qt.TextElideMode.ElideRight, max(20, int(end - _TITLE))
            )
            painter.setFont(title)
            painter.setPen(QColor(colours.strong))
            baseline = middle + metrics.capHeight() / 2
            painter.drawText(QPointF(_TITLE, baseline), said)
            after = _TITLE + metrics.horizontalAdvance(said) + 8
            if QFontMetrics(small).horizontalAdvance(self._category) < end - after:
                painter.setFont(small)
                painter.setPen(QColor(colours.weak))
                painter.drawText(QPointF(after, baseline), self._category)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.focus), colours.ring))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(9, 5, -9, -5), 6, 6)
        painter.end()

    def _paint_icon(self, painter: QPainter, hue: str, middle: float) -> None:
        from app.theme.icons import icon

        name = category_icon(self._category) if self._category else "boxes"
        picture = icon(name, 18, hue, self.devicePixelRatioF())
        painter.drawPixmap(QPointF(_MARGIN, middle - 9), picture)

    def _paint_pill(self, painter: QPainter, end: float, middle: float) -> float:
        colours = self._theme.colours
        small = font(Role.CAPTION)
        small.setWeight(small.Weight.Medium)
        width = QFontMetrics(small).horizontalAdvance(self._pill) + 18.0
        grounds = {
            "danger": colours.dangerfill, "success": colours.okfill, "accent": colours.selection
        }  # fmt: skip
        box = QRectF(end - width, middle - 10, width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(grounds.get(self._tone, colours.hover)))
        painter.drawRoundedRect(box, 10, 10)
        painter.setFont(small)
        painter.setPen(QColor(colours.strong if self._tone == "accent" else colours.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._pill)
        return box.left()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Give it another title."""
        self.rename()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F2 and Enter as well."""
        if event.key() in (Qt.Key.Key_F2, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.rename()
        else:
            super().keyPressEvent(event)

    def rename(self) -> None:
        """Type a title; an empty one is the type's own."""
        if self._line is not None or not self._can_name:
            return
        line = Line(font(Role.SUBJECT), self)
        line.setAccessibleName(tr("Title"))
        line.setText(self._title)
        line.selectAll()
        line.kept.connect(lambda: self._close(True))
        line.dropped.connect(lambda: self._close(False))
        self._line = line
        self._place()
        line.show()
        line.setFocus()
        self.update()

    def _close(self, kept: bool) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        said = clean(line.text()).strip()
        line.hide()
        line.deleteLater()
        self.update()
        if kept and said != self._title:
            self.titled.emit(said)

    def _place(self) -> None:
        if self._line is not None:
            self._line.setGeometry(_TITLE - 7, 4, self.width() - _TITLE - 8, self.height() - 8)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The line takes the width."""
        self._place()


def run_words(run: NodeRun | None) -> tuple[str, str]:
    """Where a node stands in a run, in a few words, and their tone."""
    if run is None or run.status == "idle":
        return "", ""
    if run.status == "running":
        if run.total > 1:
            return tr("Step {n} of {all}", n=round(run.done), all=round(run.total)), "accent"
        return tr("Running"), "accent"
    if run.status == "failed":
        return tr("Failed"), "danger"
    words = {
        "queued": tr("Queued"), "cached": tr("From cache"), "skipped": tr("Not run"),
        "done": tr("Done in {time}", time=duration(run.seconds)),
        "degraded": tr("Done in {time}", time=duration(run.seconds)),
    }  # fmt: skip
    tone = "success" if run.status in ("done", "degraded") else ""
    return words.get(run.status, ""), tone
