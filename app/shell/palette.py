"""The search palette: nodes by a few letters; after ``>`` commands; and what is in the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.canvas.shadow import paint_shadow
from app.canvas.text import advance, paint_text
from app.document.edits.search import Entry, search
from app.theme.fonts import Role, font
from app.theme.icons import icon
from app.theme.outlines import paint_socket
from app.theme.theme import Theme
from app.theme.types import category_icon, category_look, look_of
from app.words import tr
from backend.graph.spec import NodeSpec

WIDTH, ROW, ROWS = 520, 48, 8


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be chosen: what is searched, and what is shown of it."""

    entry: Entry
    icon: str
    hue: str
    sentence: str = ""
    keys: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    enabled: bool = True


def offer_of(spec: NodeSpec, theme: Theme) -> Offer:
    """A node type as it is offered."""
    from app.document.edits.search import entry_of

    sentence = spec.help.strip().partition("\n")[0]
    return Offer(
        entry_of(spec), category_icon(spec.category),
        category_look(spec.category).hue(theme.colours), sentence,
        inputs=tuple(s.type for s in spec.inputs[:6]),
        outputs=tuple(s.type for s in spec.outputs[:6]),
    )  # fmt: skip


class SearchPalette(QFrame):
    """A field and what it finds. Enter chooses, Esc goes back; it closes when it is left."""

    chosen = Signal(str)
    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._over = theme, parent
        self._offers: dict[str, Offer] = {}
        self._others: Callable[[str], Sequence[Offer]] | None = None
        self._recent: Sequence[str] = ()
        self._told = ""
        self.field = QLineEdit()
        self.field.setFont(font(Role.SUBJECT))
        self.field.setFixedHeight(40)
        self.field.setFrame(False)
        self.field.setStyleSheet(
            "QLineEdit { border: 0; background: transparent; padding: 0 76px 0 30px; }"
        )
        self.list = QListWidget()
        self.list.setItemDelegate(_Rows(self))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setStyleSheet("QListWidget { background: transparent; border: 0; }")
        self.keys = QLabel()
        self.keys.setProperty("role", "weak")
        self.keys.setFont(font(Role.CAPTION))
        self.keys.setFixedHeight(24)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 22)
        column.setSpacing(4)
        column.addWidget(self.field)
        column.addWidget(self.list)
        column.addWidget(self.keys)
        self.setFixedWidth(WIDTH + 24)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(lambda _: self._take())
        self.list.itemEntered.connect(self.list.setCurrentItem)
        self.hide()

    @property
    def offers(self) -> dict[str, Offer]:
        """What is offered now, by key."""
        return self._offers

    @property
    def theme(self) -> Theme:
        """What it is painted in."""
        return self._theme

    def ask(
        self,
        offers: Sequence[Offer],
        at: QPoint,
        name: str,
        *,
        recent: Sequence[str] = (),
        others: Callable[[str], Sequence[Offer]] | None = None,
        text: str = "",
    ) -> None:
        """Open at a place of the parent.

        Args:
            offers: What can be chosen.
            at: Its upper left corner, moved in where it would stick out.
            name: What is asked for, as the field says while it is empty.
            recent: Keys chosen last, the newest first.
            others: What is offered instead after ``>``.
            text: What stands in the field.
        """
        self._plain = {offer.entry.key: offer for offer in offers}
        self._offers = self._plain
        self._others, self._recent = others, recent
        self.field.setPlaceholderText(name)
        self.field.setAccessibleName(name)
        self.field.setText(text)
        self._search(text)
        self.keys.setText(
            tr("Enter chooses · Esc goes back · > for commands") if others is not None
            else tr("Enter chooses · Esc goes back")
        )  # fmt: skip
        height = 18 + 40 + 4 + ROWS * ROW + 4 + 24 + 22
        parent = self._over
        height = min(height, parent.height() - 8)
        x = max(0, min(at.x() - 20, parent.width() - self.width()))
        y = max(0, min(at.y() - 20, parent.height() - height))
        self.list.setFixedHeight(ROW * max(1, (height - 112) // ROW))  # no row is cut
        self.setGeometry(x, y, self.width(), height)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _search(self, text: str) -> None:
        if self._others is not None and text.startswith(">"):
            self._offers = {offer.entry.key: offer for offer in self._others("")}
            text = text[1:]
        else:
            self._offers = self._plain
        hits = search((o.entry for o in self._offers.values()), text, self._recent)
        self._told = tr("{n} of {all}", n=len(hits), all=len(self._offers))
        self.update()
        self.list.clear()
        for hit in hits[:200]:
            item = QListWidgetItem()
            item.setData(Qt.ItemDataRole.UserRole, (hit.key, hit.letters))
            offer = self._offers[hit.key]
            item.setData(
                Qt.ItemDataRole.AccessibleTextRole, f"{offer.entry.title}. {offer.sentence}"
            )
            item.setSizeHint(QSize(WIDTH - 8, ROW))
            self.list.addItem(item)
        if self.list.count():
            self.list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.KeyPress:
                return self._key(event)
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
        if watched is self.field and event.type() == QEvent.Type.FocusOut:
            self.close_down()
        return False

    def _key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 7,
                 Qt.Key.Key_PageUp: -7}  # fmt: skip
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            self.close_down()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        elif key in steps and self.list.count():
            row = self.list.currentRow() + steps[key]
            self.list.setCurrentRow(max(0, min(self.list.count() - 1, row)))
        elif key != Qt.Key.Key_Tab:
            return False
        return True

    def _take(self) -> None:
        item = self.list.currentItem()
        if item is None:
            return
        key = item.data(Qt.ItemDataRole.UserRole)[0]
        if not self._offers[key].enabled:
            return
        self.hide()
        self.chosen.emit(key)

    def close_down(self) -> None:
        """Close without a choice."""
        if self.isVisible():
            self.hide()
            self.left.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = self._theme.colours
        rect = QRectF(self.rect()).adjusted(12, 10, -12, -14)
        paint_shadow(painter, rect, colours)
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        painter.setBrush(QColor(colours.overlay))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 12, 12)
        glyph = icon("search", 16, colours.weak, self.devicePixelRatioF())
        painter.drawPixmap(QPointF(rect.left() + 16, 30), glyph)
        paint_text(
            painter, rect.right() - 16, 38, self._told, Role.CAPTION, colours.weak, align="right"
        )
        painter.fillRect(QRectF(rect.left() + 1, 60, rect.width() - 2, 1), QColor(colours.line))


class _Rows(QStyledItemDelegate):
    """Rows 48 high: icon, name with the matched letters, a sentence, sockets."""

    def __init__(self, palette: SearchPalette) -> None:
        super().__init__(palette)
        self._palette = palette

    def sizeHint(self, option: QStyleOptionViewItem, index: object) -> QSize:
        return QSize(WIDTH - 8, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: object) -> None:
        key, letters = index.data(Qt.ItemDataRole.UserRole)  # type: ignore[attr-defined]
        offer = self._palette.offers.get(key)
        if offer is None:
            return
        colours = self._palette.theme.colours
        rect = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = index.row()  # type: ignore[attr-defined]
        if row == self._palette.list.currentRow():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.selection))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 6, 6)
            weak = colours.text
        else:
            weak = colours.weak
        strong = colours.strong if offer.enabled else colours.weak
        ratio = painter.device().devicePixelRatio()
        painter.setBrush(QColor(colours.raised))
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.drawRoundedRect(QRectF(rect.left() + 8.5, rect.top() + 10.5, 27, 27), 6, 6)
        painter.drawPixmap(
            QPointF(rect.left() + 15, rect.top() + 17), icon(offer.icon, 14, offer.hue, ratio)
        )
        left = rect.left() + 46
        self._title(painter, offer.entry.title, letters, left, rect.top() + 16, strong)
        right = self._ends(painter, offer, rect)
        paint_text(
            painter, left, rect.top() + 33, offer.sentence, Role.CAPTION, weak,
            width=right - left - 12,
        )  # fmt: skip
        painter.restore()

    def _title(
        self, painter: QPainter, title: str, letters: tuple[int, ...], x: float, y: float,
        strong: str,
    ) -> None:  # fmt: skip
        accent = self._palette.theme.colours.accent
        chosen, start = set(letters), 0
        while start < len(title):
            end = start + 1
            while end < len(title) and (end in chosen) == (start in chosen):
                end += 1
            part, role = title[start:end], Role.TITLE if start in chosen else Role.VALUE
            paint_text(painter, x, y, part, role, accent if start in chosen else strong)
            x += advance(part, role)
            start = end

    def _ends(self, painter: QPainter, offer: Offer, rect: QRectF) -> float:
        """Sockets, or keys, at the right; where they begin."""
        colours = self._palette.theme.colours
        x = rect.right() - 14
        if offer.keys:
            paint_text(
                painter, x, rect.center().y(), offer.keys, Role.CAPTION, colours.weak,
                align="right",
            )  # fmt: skip
            return x - advance(offer.keys, Role.CAPTION)
        row = (*offer.inputs, "", *offer.outputs) if offer.outputs or offer.inputs else ()
        for kind in reversed(row):
            if not kind:
                glyph = icon("arrow-right", 12, colours.weak, painter.device().devicePixelRatio())
                painter.drawPixmap(QPointF(x - 7, rect.center().y() - 6), glyph)
            else:
                at = QPointF(x, rect.center().y())
                paint_socket(
                    painter, at, look_of(kind), colours, ground=colours.overlay, joined=True,
                    scale=0.8,
                )  # fmt: skip
            x -= 17
        return x
