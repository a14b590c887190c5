"""What people read, ready for translation."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def tr(text: str, **figures: object) -> str:
    """``text`` in the language of the user, with figures put in: ``tr("{n} nodes", n=3)``.

    Braces without a figure stay. The text itself is the key of the translation.
    """
    said = QCoreApplication.translate("weft", text)
    for name, figure in figures.items():
        said = said.replace("{" + name + "}", str(figure))
    return said


def counted(count: int, one: str, many: str) -> str:
    """How many there are: ``counted(1, "{n} node", "{n} nodes")`` is ``1 node``."""
    return tr(one if count == 1 else many, n=count)
