"""How a card is painted, and where its parts lie."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QTextLayout,
)

from app.theme.colours import Colours, mix
from app.theme.fonts import Role, font
from app.theme.icons import icon
from app.widgets.card import Act, Card

PICTURE = QSize(64, 48)
BUTTON = 24
ICON = 16


def picture_rect(card: QRectF) -> QRectF:
    """Where the picture lies in a card."""
    top = card.top() + (card.height() - PICTURE.height()) / 2
    return QRectF(card.left() + 8, top, PICTURE.width(), PICTURE.height())


def act_rect(act: Act, card: QRectF) -> QRectF:
    """Where the button of an act lies in a card."""
    if act.icon:
        return QRectF(card.right() - 12 - 24, card.center().y() - 12, 24, 24)
    width = max(72.0, QFontMetricsF(font(Role.VALUE)).horizontalAdvance(act.words) + 24)
    return QRectF(card.right() - 12 - width, card.top() + 8, width, BUTTON)


def text_rect(card: Card, rect: QRectF) -> QRectF:
    """Where the words lie in a card; a button with words stands beside the title only."""
    left = rect.left() + 12
    if card.picture or card.framed:
        left = picture_rect(rect).right() + 12
    elif card.icon:
        left = rect.left() + 12 + ICON + 10
    right = rect.right() - 12
    if card.act is not None and card.act.icon:
        right = act_rect(card.act, rect).left() - 12
    elif card.mark and card.act is None:
        right -= ICON + 12
    return QRectF(left, rect.top(), max(0.0, right - left), rect.height())


def paint_card(
    painter: QPainter,
    rect: QRectF,
    card: Card,
    colours: Colours,
    ratio: float,
    *,
    selected: bool = False,
    focused: bool = False,
    hovered: bool = False,
    pressed: bool | None = None,
) -> None:
    """Paint a card into a rectangle.

    Args:
        painter: In logical pixels, antialiased.
        rect: The card, without the gap to the next.
        card: What it says.
        colours: The theme.
        ratio: Device pixels in a logical one.
        selected: It is the chosen one of its list.
        focused: The keyboard is on it.
        hovered: The pointer is over it.
        pressed: ``None`` unless the pointer is over its button; then whether that is held down.
    """
    _ground(painter, rect, card, colours, selected, hovered)
    told = "text" if selected else card.sentence_token
    _head(painter, rect, card, colours, ratio)
    words = text_rect(card, rect)
    lifted = 1.0 if card.progress >= 0 else 0.0
    middle = rect.center().y() - lifted
    beside = QRectF(words)
    if card.act is not None and not card.act.icon:
        beside.setRight(act_rect(card.act, rect).left() - 12)
    apart = rect.height() / 62  # larger texts, higher cards
    if card.sentence or card.progress >= 0:
        _line(painter, beside, middle - 11 * apart, card.title, Role.TITLE, colours.strong)
        _line(painter, words, middle + 10 * apart, card.sentence, Role.BODY, getattr(colours, told))
    else:
        _paragraph(painter, beside, card.title, colours.strong)
    if card.progress >= 0:
        _bar(painter, words, rect.bottom() - 10, card.progress, colours)
    if card.act is not None:
        _button(painter, act_rect(card.act, rect), card.act, colours, ratio, pressed)
    elif card.mark:
        place = QPointF(rect.right() - 16 - ICON, rect.center().y() - ICON / 2)
        painter.drawPixmap(place, icon(card.mark, ICON, getattr(colours, card.mark_token), ratio))
    if focused:
        painter.setPen(QPen(QColor(colours.focus), colours.ring))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), 9, 9)


def _ground(
    painter: QPainter, rect: QRectF, card: Card, colours: Colours, selected: bool, hovered: bool
) -> None:
    ground = colours.selection if selected else colours.raised
    if hovered and not selected:
        ground = mix(colours.raised, colours.hover, 0.5)
    edge = colours.accent if card.outlined else colours.line
    painter.setPen(QPen(QColor(edge), 1))
    painter.setBrush(QColor(ground))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 7.5, 7.5)


def _head(painter: QPainter, rect: QRectF, card: Card, colours: Colours, ratio: float) -> None:
    """The picture, or the icon in its place."""
    shown = thumbnail(card.picture, ratio) if card.picture else None
    place = picture_rect(rect)
    if shown is not None:
        painter.drawPixmap(place.topLeft(), shown)
        _outline(painter, place, colours)
    elif card.picture or card.framed:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.well))
        painter.drawRoundedRect(place, 4, 4)
        _outline(painter, place, colours)
        if card.icon:
            corner = place.center() - QPointF(ICON / 2, ICON / 2)
            painter.drawPixmap(corner, icon(card.icon, ICON, getattr(colours, card.token), ratio))
    elif card.icon:
        corner = QPointF(rect.left() + 12, rect.top() + 12)
        painter.drawPixmap(corner, icon(card.icon, ICON, getattr(colours, card.token), ratio))


def _outline(painter: QPainter, rect: QRectF, colours: Colours) -> None:
    painter.setPen(QPen(QColor(colours.linestrong), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3.5, 3.5)


def _line(
    painter: QPainter, words: QRectF, middle: float, text: str, role: Role, colour: str
) -> None:
    """One line of text, cut at the end where it is too long."""
    painter.setFont(font(role))
    painter.setPen(QColor(colour))
    fitted = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(words.width()))
    flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextSingleLine
    painter.drawText(QRectF(words.left(), middle - 10, words.width(), 20), int(flags), fitted)


def _paragraph(painter: QPainter, words: QRectF, text: str, colour: str) -> None:
    """A title that has the whole card: two lines where one is too short for it."""
    face = font(Role.TITLE)
    laid = QTextLayout(text, face)
    laid.beginLayout()
    lines: list[tuple[int, int]] = []
    while len(lines) < 2 and (line := laid.createLine()).isValid():
        line.setLineWidth(words.width())
        lines.append((line.textStart(), line.textLength()))
    laid.endLayout()
    height = QFontMetricsF(face).height()
    top = words.center().y() - height * (len(lines) - 1) / 2
    for number, (start, length) in enumerate(lines):
        last = number == len(lines) - 1
        said = text[start:] if last else text[start : start + length]
        _line(painter, words, top + number * height, said, Role.TITLE, colour)


def _bar(painter: QPainter, words: QRectF, top: float, share: float, colours: Colours) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colours.well if colours.dark else colours.line))
    painter.drawRoundedRect(QRectF(words.left(), top, words.width(), 3), 1.5, 1.5)
    painter.setBrush(QColor(colours.accent))
    filled = words.width() * min(1.0, share)
    if filled >= 1:
        painter.drawRoundedRect(QRectF(words.left(), top, filled, 3), 1.5, 1.5)


def _button(
    painter: QPainter, rect: QRectF, act: Act, colours: Colours, ratio: float, pressed: bool | None
) -> None:
    over = pressed is not None
    if act.icon:
        if over:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.selection if pressed else colours.hover))
            painter.drawRoundedRect(rect, 6, 6)
        corner = rect.center() - QPointF(ICON / 2, ICON / 2)
        painter.drawPixmap(corner, icon(act.icon, ICON, colours.strong if over else colours.text,
                                        ratio))  # fmt: skip
        return
    ground = colours.hover if over else mix(colours.overlay, "#FFFFFF", 0.06 if colours.dark else 1)
    painter.setBrush(QColor(colours.selection if pressed else ground))
    painter.setPen(QPen(QColor(colours.linestrong), 1))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    painter.setFont(font(Role.VALUE))
    painter.setPen(QColor(colours.strong))
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), act.words)


@lru_cache(maxsize=256)
def thumbnail(encoded: bytes, ratio: float) -> QPixmap | None:
    """A picture cut to the frame of a card with round corners; ``None`` where it is none."""
    size = PICTURE * ratio
    image = QImage.fromData(encoded)
    if image.isNull():
        return None
    image = image.scaled(
        size, Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )  # fmt: skip
    corner = QRect(
        (image.width() - size.width()) // 2, (image.height() - size.height()) // 2,
        size.width(), size.height(),
    )  # fmt: skip
    found = QPixmap(size)
    found.fill(Qt.GlobalColor.transparent)
    painter = QPainter(found)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, size.width(), size.height()), 4 * ratio, 4 * ratio)
    painter.setClipPath(path)
    painter.drawImage(QPointF(0, 0), image, QRectF(corner))
    painter.end()
    found.setDevicePixelRatio(ratio)
    return found
