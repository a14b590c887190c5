"""The search palette: nodes by a few letters; after ``>`` commands; and what is in the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from app.canvas.shadow import paint_shadow
from app.document.edits.search import Hit, search
from app.shell.palette_rows import WIDTH, Offer, PaletteRows, Row
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.write import write, write_caps
from app.words import tr

FIELD, FOOT, ROWS = 40, 44, 8
_SHADOW = (12, 10, 12, 14)
_MOST = 200


class SearchPalette(QFrame):
    """A field and what it finds. Enter chooses, Esc goes back; it closes when it is left."""

    chosen = Signal(str)
    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._over = theme, parent
        self._offers: dict[str, Offer] = {}
        self._plain: dict[str, Offer] = {}
        self._others: Callable[[str], Sequence[Offer]] | None = None
        self._recent: Sequence[str] = ()
        self._act = ""
        self.field = QLineEdit()
        write_in(self.field, Role.SUBJECT)
        self._glyph, self._told = QLabel(self.field), QLabel(self.field)
        write_in(self._told, Role.CAPTION)
        self._told.setProperty("role", "weak")
        self._told.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("What was found"))
        self.rows = PaletteRows(theme, lambda key: self._offers.get(key), self)
        self.list.setItemDelegate(self.rows)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setMouseTracking(True)
        self.list.setStyleSheet("QListWidget { background: transparent; border: 0; }")
        self.keys = _Keys(theme)
        column = QVBoxLayout(self)
        left, top, right, bottom = _SHADOW
        column.setContentsMargins(left + 4, top + 10, right + 4, bottom)
        column.setSpacing(4)
        inset = QVBoxLayout()
        inset.setContentsMargins(6, 0, 6, 0)
        inset.addWidget(self.field)
        column.addLayout(inset)
        column.addWidget(self.list)
        column.addWidget(self.keys)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(lambda _: self._take())
        self.list.itemEntered.connect(self.list.setCurrentItem)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    def _dress(self) -> None:
        tall = self._theme.measures.tall
        inner = tall(FIELD) - 4  # a style sheet counts without the border
        self.field.setStyleSheet(
            f"QLineEdit {{ border-width: 2px; border-radius: 6px; padding: 0 {tall(76)}px 0 32px;"
            f" min-height: {inner}px; max-height: {inner}px; }}"
        )
        self._glyph.setPixmap(self._theme.pixmap("search", 16, "weak", self.devicePixelRatioF()))
        self.setFixedWidth(tall(WIDTH) + 24)
        self.keys.setFixedHeight(tall(FOOT))

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
        act: str = "",
        recent: Sequence[str] = (),
        others: Callable[[str], Sequence[Offer]] | None = None,
        text: str = "",
    ) -> None:
        """Open at a place of the parent.

        Args:
            offers: What can be chosen.
            at: Its upper left corner, moved in where it would stick out.
            name: What is asked for, as the field says while it is empty.
            act: What Enter does, in a word or two.
            recent: Keys chosen last, the newest first.
            others: What is offered instead after ``>``.
            text: What stands in the field.
        """
        self._plain = {offer.entry.key: offer for offer in offers}
        self._offers = self._plain
        self._others, self._recent, self._act = others, recent, act or tr("choose")
        self.field.setPlaceholderText(name)
        self.field.setAccessibleName(name)
        self.field.setText(text)
        self._search(text)
        parent, row = self._over, self.rows.height()
        self.ensurePolished()
        self.list.setFixedHeight(row)
        room = parent.height() - 8 - self.sizeHint().height()
        self.list.setFixedHeight(row * max(1, min(ROWS, 1 + room // row)))  # no row is cut
        height = self.sizeHint().height()
        x = max(0, min(at.x() - 20, parent.width() - self.width()))
        y = max(0, min(at.y() - 20, parent.height() - height))
        self.setGeometry(x, y, self.width(), height)
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    # -- finding ----------------------------------------------------------------------------------

    def _search(self, text: str) -> None:
        others = self._others is not None and text.startswith(">")
        if others:
            assert self._others is not None
            self._offers = {offer.entry.key: offer for offer in self._others("")}
            text = text[1:]
        else:
            self._offers = self._plain
        hits = search((o.entry for o in self._offers.values()), text, self._recent)
        self._told.setText(tr("{n} of {all}", n=len(hits), all=len(self._offers)))
        self.keys.show_keys(self._hints(others))
        self.list.clear()
        for row in headed(hits[:_MOST], text.strip(), self._recent):
            item = QListWidgetItem()
            item.setData(Qt.ItemDataRole.UserRole, row)
            offer = self._offers[row.key]
            said = f"{offer.entry.title}. {offer.sentence}"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
            self.list.addItem(item)
        if self.list.count():
            self.list.setCurrentRow(0)

    def _hints(self, others: bool) -> tuple[tuple[tuple[str, ...], str], ...]:
        """The keys that do something now, and what."""
        enter = tr("do it") if others else self._act
        found = [(("↑↓",), tr("choose")), (("↵",), enter)]
        if any(offer.help for offer in self._offers.values()):
            found.append((("F1",), tr("help")))
        if self._others is not None and not others:
            found.append(((">",), tr("command")))
        return (*found, (("Esc",), tr("close")))

    # -- keys -------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field:
            if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
                return self._key(event)
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
            if event.type() == QEvent.Type.FocusOut:
                self.close_down()
            if event.type() == QEvent.Type.Resize:
                self._place_words()
        return False

    def _place_words(self) -> None:
        height, width = self.field.height(), self.field.width()
        self._glyph.setGeometry(11, (height - 16) // 2, 16, 16)
        wide = self._theme.measures.tall(72)
        self._told.setGeometry(width - wide - 12, 0, wide, height)

    def _key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 7,
                 Qt.Key.Key_PageUp: -7}  # fmt: skip
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            self.close_down()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        elif key == Qt.Key.Key_F1:
            self._help()
        elif key in steps and self.list.count():
            row = self.list.currentRow() + steps[key]
            self.list.setCurrentRow(max(0, min(self.list.count() - 1, row)))
        elif key != Qt.Key.Key_Tab:
            return False
        return True

    def _help(self) -> None:
        """Show all that is known of the row, beside it."""
        item = self.list.currentItem()
        offer = self._offers.get(item.data(Qt.ItemDataRole.UserRole).key) if item else None
        if item is not None and offer is not None and offer.help:
            box: QRect = self.list.visualItemRect(item)
            place = self.list.viewport().mapToGlobal(box.topRight() + QPoint(8, -16))
            QToolTip.showText(place, offer.help, self.list, box, 60_000)

    def _take(self) -> None:
        item = self.list.currentItem()
        if item is None:
            return
        key = item.data(Qt.ItemDataRole.UserRole).key
        if not self._offers[key].enabled:
            return
        self.hide()
        self.chosen.emit(key)

    def hideEvent(self, event: object) -> None:
        """The help goes with it."""
        QToolTip.hideText()

    def close_down(self) -> None:
        """Close without a choice."""
        if self.isVisible():
            self.hide()
            self.left.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = self._theme.colours
        left, top, right, bottom = _SHADOW
        rect = QRectF(self.rect()).adjusted(left, top, -right, -bottom)
        paint_shadow(painter, rect, colours)
        painter.setPen(QPen(QColor(colours.linestrong), 1))
        painter.setBrush(QColor(colours.overlay))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 12, 12)
        painter.fillRect(
            QRectF(rect.left() + 1, self.keys.y(), rect.width() - 2, 1), QColor(colours.line)
        )


class _Keys(QWidget):
    """The keys that do something, each as a cap and a word."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._keys: tuple[tuple[tuple[str, ...], str], ...] = ()

    def show_keys(self, keys: tuple[tuple[tuple[str, ...], str], ...]) -> None:
        """Show these."""
        self._keys = keys
        said = ", ".join(f"{' + '.join(caps)}: {words}" for caps, words in keys)
        self.setAccessibleName(said)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, self._theme.measures.tall(FOOT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), self._theme.colours
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x, middle = 14.0, self.height() / 2
        for caps, words in self._keys:
            x = write_caps(painter, x, middle, caps, colours) + 8
            x = write(painter, x, middle, words, Role.CAPTION, colours.weak) + 16


def headed(hits: Sequence[Hit], text: str, recent: Sequence[str]) -> tuple[Row, ...]:
    """The rows for what was found: what the title says with its beginning, then the rest; while
    nothing is typed what was used last, then all. One group alone has no heading."""
    if text:
        first = [
            hit for hit in hits if hit.letters and hit.letters == tuple(range(len(hit.letters)))
        ]
        names = tr("Best"), tr("Also")
    else:
        first = [hit for hit in hits if hit.key in recent]
        names = tr("Used last"), tr("All")
    keys = {hit.key for hit in first}
    groups = (first, [hit for hit in hits if hit.key not in keys])
    found = []
    for name, group in zip(names, groups, strict=True):
        for number, hit in enumerate(group):
            heading = name if number == 0 and all(groups) else ""
            found.append(Row(hit.key, hit.letters, heading))
    return tuple(found)


def _begins(letters: tuple[int, ...]) -> bool:
    """Whether these are the first letters of a title."""
    return bool(letters) and letters == tuple(range(len(letters)))
