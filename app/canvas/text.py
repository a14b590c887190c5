"""Words on the canvas: laid out once, then painted many times."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QStaticText

from app.theme.fonts import Role, font


@lru_cache(maxsize=32)
def role_font(role: Role) -> QFont:
    """The font of a role; one object, since making one costs more than painting a word."""
    return font(role, 1.0)


@lru_cache(maxsize=32)
def metrics(role: Role) -> QFontMetricsF:
    """How wide and high words of a role are."""
    return QFontMetricsF(role_font(role))


@lru_cache(maxsize=16384)
def advance(text: str, role: Role) -> float:
    """How wide a text is, in logical pixels."""
    return metrics(role).horizontalAdvance(text)


@lru_cache(maxsize=8192)
def elided(text: str, role: Role, width: float) -> str:
    """A text that fits on one line, with an ellipsis where it was cut."""
    text = text.replace("\n", " ")
    return metrics(role).elidedText(text, Qt.TextElideMode.ElideRight, max(width, 0.0))


@lru_cache(maxsize=8192)
def _laid_out(text: str, role: Role) -> QStaticText:
    made = QStaticText(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    made.prepare(font=role_font(role))
    return made


def paint_text(
    painter: QPainter,
    x: float,
    middle: float,
    text: str,
    role: Role,
    colour: str,
    *,
    width: float | None = None,
    align: str = "left",
) -> None:
    """One line, its middle at a height.

    Args:
        painter: In logical pixels.
        x: Its left edge, its right edge (``align="right"``) or its middle (``"middle"``).
        middle: The middle of its line.
        text: The words.
        role: Their font.
        colour: ``#RRGGBB``.
        width: At most so wide; longer ones end in an ellipsis.
        align: Which point ``x`` is.
    """
    if not text:
        return
    if width is not None:
        text = elided(text, role, round(width * 2) / 2)
    if align != "left":
        x -= advance(text, role) * (1.0 if align == "right" else 0.5)
    painter.setFont(role_font(role))
    painter.setPen(QColor(colour))
    painter.drawStaticText(QPointF(x, middle - metrics(role).height() / 2), _laid_out(text, role))


@lru_cache(maxsize=4096)
def wrap(text: str, width: float, most: int, role: Role = Role.BODY) -> tuple[str, ...]:
    """Words in lines of at most ``width`` pixels, and at most ``most`` lines."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        if len(lines) >= most:
            break
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if not line or metrics(role).horizontalAdvance(longer) <= width:
                line = longer
            else:
                lines.append(line)
                line = word
                if len(lines) >= most:
                    break
            while metrics(role).horizontalAdvance(line) > width and len(line) > 1:
                fit = _fitting(line, width, role)
                lines.append(line[:fit])
                line = line[fit:]
        lines.append(line)
    return tuple(lines[:most])


def _fitting(word: str, width: float, role: Role) -> int:
    """How many letters of a word fit; one at least."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        if metrics(role).horizontalAdvance(word[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
