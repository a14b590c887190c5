"""What an editor needs of the world around it, handed in by whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from app.theme.theme import Theme

Field: TypeAlias = "str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that can be picked: what goes into the document, and what people know it by.

    ``kind`` is what part it is, ``family`` and ``space`` what it fits with; ``size`` is in bytes,
    0 where it is not known. A model that is not ``here`` can be named, but has to be got.
    """

    name: str
    title: str = ""
    kind: str = ""
    family: str = ""
    space: str = ""
    size: int = 0
    here: bool = True


@dataclass(frozen=True, slots=True)
class PathQuestion:
    """What a file dialog asks: for a folder or a file, where it begins, and what it shows.

    ``filters`` are in Qt's form, ``Pictures (*.png *.jpg)``.
    """

    title: str
    folder: bool = False
    begin: str = ""
    filters: str = ""


def ask_path(question: PathQuestion) -> Path | None:
    """Ask the user by the dialog of the system; ``None`` where it is closed."""
    from PySide6.QtWidgets import QFileDialog

    if question.folder:
        found = QFileDialog.getExistingDirectory(None, question.title, question.begin)
    else:
        found, _ = QFileDialog.getOpenFileName(
            None, question.title, question.begin, question.filters
        )
    return Path(found) if found else None


def _no_models() -> Sequence[ModelChoice]:
    return ()


def _nothing() -> Mapping[str, Field]:
    return {}


def _no_numbers() -> Mapping[str, float | None]:
    return {}


def _no_words(text: str, answer: Callable[[str], None]) -> None:
    answer("")


@dataclass(frozen=True, slots=True)
class EditorContext:
    """What editors are given. Everything but the theme can be left out.

    Attributes:
        theme: Colours, fonts and icons.
        label: What the value is called on screen and by a screen reader.
        compact: On a node: one line, no captions beside the field.
        ask_path: Asks the user for a file or folder.
        grant: Takes a picked path, lets workflows read it, and says how the document names it.
        models: The models that fit the parameter.
        names: What an expression may name, with the values where they are known.
        fields: What an output name may name, with its values.
        tokens: Counts the tokens of a text and calls back, now or later, with words such as
            ``19 of 77 tokens``; empty where nobody counts.
        drawn: The seed that was drawn for the last run.
    """

    theme: Theme
    label: str = ""
    compact: bool = False
    ask_path: Callable[[PathQuestion], Path | None] = ask_path
    grant: Callable[[Path], str] = str
    models: Callable[[], Sequence[ModelChoice]] = _no_models
    names: Callable[[], Mapping[str, float | None]] = _no_numbers
    fields: Callable[[], Mapping[str, Field]] = _nothing
    tokens: Callable[[str, Callable[[str], None]], None] = _no_words
    drawn: int | None = None
