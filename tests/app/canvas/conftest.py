"""Real node types, a theme, and a canvas that takes real events of mouse and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QApplication

from app.canvas.canvas import Canvas
from app.document.session import Session
from app.open_document import OpenDocument
from app.specs.book import SpecBook
from app.theme.theme import Theme
from backend.engine.registry import scan_nodes
from tests.app.canvas.bench import Bench
from tests.app.quiet import none_swallowed


@pytest.fixture(scope="session")
def specs():
    """The node types that Weft ships, which the window itself never imports."""
    return scan_nodes().specs


@pytest.fixture(scope="session")
def book(application, specs) -> SpecBook:
    return SpecBook(specs)


@pytest.fixture
def theme(application) -> Theme:
    return Theme()


@pytest.fixture
def bench(book, theme) -> Iterator[Callable[..., Bench]]:
    """Shows a canvas of a workflow at 100 %, and takes it down again."""
    made: list[Bench] = []

    def show(workflow=None, level: str = "", size: tuple[int, int] = (1200, 800)) -> Bench:
        document = OpenDocument(Session(workflow))
        document.level = level
        canvas = Canvas(document, book, theme)
        canvas.set_reduced_motion(True)
        canvas.resize(*size)
        canvas.show()
        canvas.activateWindow()
        canvas.setFocus()
        QApplication.processEvents()
        made.append(Bench(canvas))
        return made[-1]

    yield show
    for each in made:
        each.canvas.editing.end()
        each.canvas.close()
        each.canvas.deleteLater()


@pytest.fixture(autouse=True)
def no_quiet_errors() -> Iterator[None]:
    """What fails in a slot or an event fails the test."""
    with none_swallowed():
        yield
