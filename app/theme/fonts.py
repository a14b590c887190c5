"""The fonts of the studio: Inter for everything, JetBrains Mono for expressions and the log."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from PySide6.QtGui import QFont, QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QWidget

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "fonts"
INTER, MONO = "Inter", "JetBrains Mono"
_PROPERTY = "textRole"


class Role(Enum):
    """What a text is: its family, size in logical pixels and weight. None is smaller than 11."""

    CAPTION = (INTER, 11, 400)
    BODY = (INTER, 12, 400)
    VALUE = (INTER, 12, 500)
    ACTIVE = (INTER, 12, 600)
    NAME = (INTER, 13, 500)
    TITLE = (INTER, 13, 600)
    SUBJECT = (INTER, 15, 600)
    EMPTY = (INTER, 20, 400)
    CODE = (MONO, 12, 400)


def load_fonts() -> None:
    """Make the shipped fonts known to Qt; once, when the application is there.

    Raises:
        RuntimeError: a shipped font cannot be used.
    """
    for path in sorted(FOLDER.glob("*.ttf")):
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise RuntimeError(f"the font {path.name} cannot be used")


def text_scale() -> float:
    """The user's text scale: how much larger the application's own font is than as designed."""
    size = QGuiApplication.font().pixelSize()
    return size / Role.BODY.value[1] if size > 0 else 1.0


def font(role: Role, scale: float | None = None) -> QFont:
    """The font of a role, with figures of one width so that running numbers do not jitter.

    ``scale`` is the text scale, 0.9 to 1.5; if not given, that of the user.
    """
    family, size, weight = role.value
    found = QFont(family)
    found.setPixelSize(round(size * (text_scale() if scale is None else scale)))
    found.setWeight(QFont.Weight(weight))
    if family == INTER:
        found.setFeature(QFont.Tag.fromString("tnum"), 1)
    found.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return found


def write_in(widget: QWidget, role: Role) -> None:
    """Have a widget write in the font of a role, now and at every other text scale."""
    widget.setProperty(_PROPERTY, role.name)
    widget.setFont(font(role))


def written_in(widget: QWidget) -> Role | None:
    """The role that was given by ``write_in``."""
    name = widget.property(_PROPERTY)
    return Role[name] if isinstance(name, str) else None
