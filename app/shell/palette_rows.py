"""The rows of the search palette: what is offered, and how it is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.document.edits.search import Entry
from app.theme.colours import mix
from app.theme.fonts import Role
from app.theme.icons import icon
from app.theme.outlines import paint_socket
from app.theme.theme import Theme
from app.theme.types import category_icon, category_look, look_of
from app.widgets.card import Index
from app.widgets.write import caps_width, write, write_caps
from backend.graph.spec import NodeSpec

WIDTH, ROW, HEADING, TILE = 520, 48, 24, 28
_SOCKET = 17


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be chosen: what is searched, and what is shown of it."""

    entry: Entry
    icon: str
    hue: str
    sentence: str = ""
    keys: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    enabled: bool = True
    help: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the key of its offer, the letters that were matched, and a heading above it."""

    key: str
    letters: tuple[int, ...] = ()
    heading: str = ""


def offer_of(spec: NodeSpec, theme: Theme) -> Offer:
    """A node type as it is offered."""
    from app.document.edits.search import entry_of

    text = spec.help.strip().replace("`", "")
    return Offer(
        entry_of(spec), category_icon(spec.category),
        category_look(spec.category).hue(theme.colours), text.partition("\n")[0],
        inputs=tuple(s.type for s in spec.inputs[:6]),
        outputs=tuple(s.type for s in spec.outputs[:6]), help=text,
    )  # fmt: skip


class PaletteRows(QStyledItemDelegate):
    """Rows 48 high: a tile in the hue of the category, the name with the matched letters, a
    sentence, and sockets or keys at the right."""

    def __init__(self, theme: Theme, offer: Callable[[str], Offer | None], parent: QObject) -> None:
        super().__init__(parent)
        self._theme, self._offer = theme, offer

    def height(self, heading: bool = False) -> int:
        """How high a row is."""
        tall = self._theme.measures.tall
        return tall(ROW) + (tall(HEADING) if heading else 0)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        row: Row = index.data(Qt.ItemDataRole.UserRole)
        return QSize(WIDTH - 8, self.height(bool(row.heading)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: Row = index.data(Qt.ItemDataRole.UserRole)
        offer = self._offer(row.key)
        if offer is None:
            return
        colours, rect = self._theme.colours, QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.heading:
            above = self._theme.measures.tall(HEADING)
            write(painter, rect.left() + 12, rect.top() + above / 2, row.heading, Role.CAPTION,
                  colours.weak)  # fmt: skip
            rect.setTop(rect.top() + above)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.selection))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 6, 6)
        self._tile(painter, offer, rect)
        left, right = rect.left() + 48, self._ends(painter, offer, rect, chosen)
        apart = rect.height() / ROW
        strong = colours.strong if offer.enabled else colours.weak
        self._title(painter, offer.entry.title, row.letters, left,
                    rect.center().y() - 8 * apart, strong)  # fmt: skip
        write(
            painter, left, rect.center().y() + 9 * apart, offer.sentence, Role.CAPTION,
            colours.text if chosen else colours.weak, width=right - left - 12,
        )  # fmt: skip
        painter.restore()

    def _tile(self, painter: QPainter, offer: Offer, rect: QRectF) -> None:
        colours = self._theme.colours
        ground = mix(colours.overlay, offer.hue, 0.26 if colours.dark else 0.2)
        box = QRectF(rect.left() + 8, rect.center().y() - TILE / 2, TILE, TILE)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(box, 6, 6)
        ratio = painter.device().devicePixelRatio()
        glyph = icon(offer.icon, 16, offer.hue, ratio)
        painter.drawPixmap(QPointF(box.left() + 6, box.top() + 6), glyph)

    def _title(
        self, painter: QPainter, title: str, letters: tuple[int, ...], x: float, y: float,
        strong: str,
    ) -> None:  # fmt: skip
        accent = self._theme.colours.accent
        matched, start = set(letters), 0
        while start < len(title):
            end = start + 1
            while end < len(title) and (end in matched) == (start in matched):
                end += 1
            hit = start in matched
            x = write(painter, x, y, title[start:end], Role.TITLE if hit else Role.NAME,
                      accent if hit else strong)  # fmt: skip
            start = end

    def _ends(self, painter: QPainter, offer: Offer, rect: QRectF, chosen: bool) -> float:
        """Sockets, or keys, at the right; where they begin."""
        colours = self._theme.colours
        x, middle = rect.right() - 16, rect.center().y()
        if offer.keys:
            x = rect.right() - 10 - caps_width(offer.keys)
            write_caps(painter, x, middle, offer.keys, colours)
            return x
        row = (*offer.inputs, "", *offer.outputs) if offer.outputs or offer.inputs else ()
        ground = colours.selection if chosen else colours.overlay
        for kind in reversed(row):
            if not kind:
                ratio = painter.device().devicePixelRatio()
                glyph = icon("arrow-right", 12, colours.weak, ratio)
                painter.drawPixmap(QPointF(x - 6, middle - 6), glyph)
            else:
                paint_socket(
                    painter, QPointF(x, middle), look_of(kind), colours, ground=ground,
                    joined=True, scale=0.9,
                )  # fmt: skip
            x -= _SOCKET
        return x


def caps_of(keys: str) -> tuple[str, ...]:
    """The caps of a shortcut such as ``Ctrl+Shift+P``; of ``Ctrl++`` the last is a plus."""
    if not keys:
        return ()
    held, _, last = (keys[:-1], "", "+") if keys.endswith("+") else keys.rpartition("+")
    return (*(part for part in held.split("+") if part), last)
