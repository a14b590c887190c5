"""How a graph is seen when it is opened: its words can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.canvas.measure import FULL
from app.main import FIRST
from backend.graph.format import load

TEMPLATES = sorted(FIRST.parent.glob("*.weft.json"))


@pytest.fixture
def first_size(desktop):
    """The window as large as it is at the very first start."""
    window = desktop.window
    before = window.size()
    window.resize(1200, 800)
    window.resize(1440, 900)
    QApplication.processEvents()
    yield window
    window.resize(before)


def opened(window, path: Path):
    window.open_text(path.read_text("utf-8"))
    for _ in range(3):
        QApplication.processEvents()
    return window.canvas


def test_the_first_template_is_seen_whole_with_all_its_words(desktop, first_size):
    canvas = opened(first_size, FIRST)
    assert canvas.camera.zoom >= FULL
    for path in load(FIRST).graph.nodes:
        rect = canvas.node_rect(path)
        assert canvas.rect().contains(rect), path
        for over in (first_size.tools, first_size.desk.minimap):
            assert not over.geometry().intersects(rect), path


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name.partition(".")[0])
def test_every_template_can_be_read_where_it_begins(desktop, first_size, path):
    canvas = opened(first_size, path)
    assert canvas.camera.zoom >= FULL
    begins = min(canvas.board.nodes.values(), key=lambda view: view.x)
    assert canvas.rect().contains(canvas.node_rect(begins.path))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name.partition(".")[0])
def test_no_node_of_a_template_lies_on_another(desktop, first_size, path):
    canvas = opened(first_size, path)
    views = [view for view in canvas.board.nodes.values() if not view.zone]
    for number, one in enumerate(views):
        for other in views[number + 1 :]:
            apart = (
                one.x + one.shape.width <= other.x or other.x + other.shape.width <= one.x
                or one.y + one.shape.height <= other.y or other.y + other.shape.height <= one.y
            )  # fmt: skip
            assert apart, (one.path, other.path)
