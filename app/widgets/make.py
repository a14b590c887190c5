"""The editor of a parameter, by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from PySide6.QtWidgets import QWidget

from app.widgets.boxes import BoxesEditor
from app.widgets.choice import ChoiceEditor, ModelEditor
from app.widgets.colour import ColourEditor
from app.widgets.context import EditorContext
from app.widgets.editor import ParamEditor
from app.widgets.formula import ExpressionEditor, NameEditor
from app.widgets.number import NumberEditor
from app.widgets.path import PathEditor
from app.widgets.seed import SeedEditor
from app.widgets.switch import SwitchEditor
from app.widgets.text import TextEditor, WordsEditor
from app.widgets.values import ValuesEditor
from backend.graph.spec import Param

EDITORS: Mapping[str, type[ParamEditor]] = MappingProxyType(
    {
        "number": NumberEditor, "integer": NumberEditor, "boolean": SwitchEditor,
        "text": TextEditor, "multiline": WordsEditor, "choice": ChoiceEditor,
        "seed": SeedEditor, "color": ColourEditor, "file": PathEditor, "folder": PathEditor,
        "model": ModelEditor, "expression": ExpressionEditor, "name": NameEditor,
        "values": ValuesEditor, "boxes": BoxesEditor,
    }
)  # fmt: skip
"""The class for each kind of parameter; every kind has one."""


def editor_for(
    param: Param, value: Any, context: EditorContext, parent: QWidget | None = None
) -> ParamEditor:
    """The editor of a parameter, showing ``value``. It works from 18 pixels of height on."""
    return EDITORS[param.kind](param, value, context, parent)
