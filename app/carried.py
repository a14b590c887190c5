"""What is dragged from one part of the window to another, beside files."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QMimeData

PARAMETER = "application/x-weft-parameter"
"""A parameter: the path of its node, a line end, and its name."""


def carry_parameter(path: str, name: str) -> QMimeData:
    """A parameter as it is dragged."""
    held = QMimeData()
    held.setData(PARAMETER, QByteArray(f"{path}\n{name}".encode()))
    return held


def carried_parameter(held: QMimeData) -> tuple[str, str] | None:
    """The node's path and the name of a parameter that is dragged; ``None`` for anything else."""
    if not held.hasFormat(PARAMETER):
        return None
    path, _, name = bytes(held.data(PARAMETER).data()).decode("utf-8", "replace").partition("\n")
    return (path, name) if path and name else None
