"""The fonts of the studio: Inter for everything, JetBrains Mono for expressions and the log."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from PySide6.QtGui import QFont, QFontDatabase

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "fonts"
INTER, MONO = "Inter", "JetBrains Mono"


class Role(Enum):
    """What a text is: its family, size in logical pixels and weight. None is smaller than 11."""

    CAPTION = (INTER, 11, 400)
    BODY = (INTER, 12, 400)
    VALUE = (INTER, 12, 500)
    ACTIVE = (INTER, 12, 600)
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


def font(role: Role, scale: float = 1.0) -> QFont:
    """The font of a role, with figures of one width so that running numbers do not jitter.

    ``scale`` is the user's text scale, 0.9 to 1.5.
    """
    family, size, weight = role.value
    found = QFont(family)
    found.setPixelSize(round(size * scale))
    found.setWeight(QFont.Weight(weight))
    if family == INTER:
        found.setFeature(QFont.Tag.fromString("tnum"), 1)
    found.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return found
