"""A form over a real document and real node types."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from app.document.edits.common import reader_of
from app.document.session import Session
from app.labels import label
from app.open_document import OpenDocument
from app.panels.inspector.sources import Sources
from app.widgets.context import EditorContext
from backend.engine.registry import scan_nodes
from backend.graph.facts import facts_of
from backend.graph.format import parse

TEXT = """{"weft": 1, "title": "Scene", "about": "A test.", "nodes": {
  "model": {"type": "load_model"},
  "empty": {"type": "empty_latent", "inputs": {"model": "model.model"}},
  "number": {"type": "number", "params": {"value": 2}},
  "one": {"type": "sample", "title": "First", "params": {"steps": 8},
    "inputs": {"model": "model.model", "latent": "empty.latent"}},
  "two": {"type": "sample", "params": {"steps": 9}, "inputs": {"latent": "one.latent",
    "cfg": "number.number"}},
  "mix": {"type": "blend"}, "strange": {"type": "not_there", "params": {"x": 1}}},
  "models": [{"name": "primer", "source": "built-in"}]}"""


@pytest.fixture(scope="session")
def specs():
    return scan_nodes().specs


@pytest.fixture
def document():
    return OpenDocument(Session(parse(TEXT, "a test")))


class World:
    """What checks and runs say, as a test wants it."""

    def __init__(self):
        self.facts = {"number": {"number": facts_of("Number", value=2.0)}}
        self.problems, self.runs = {}, {}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def sources(theme, specs, world):
    return Sources(
        theme,
        reader_of(specs),
        lambda document, path, param: EditorContext(theme, label(param.name)),
        facts=lambda document, path: world.facts.get(path, {}),
        problems=lambda document, path: world.problems.get(path, ()),
        run=lambda document, path: world.runs.get(path),
        words=lambda facts: " ".join([facts.type, *map(str, facts.known.values())]),
    )


@pytest.fixture
def settle():
    """Let what is built when the window is idle be built."""

    def turn():
        for _ in range(3):
            QApplication.processEvents()

    return turn
