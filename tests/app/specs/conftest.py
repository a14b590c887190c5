"""Node types as the process of checks tells them, and helpers that are closed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.open_document import OpenDocument
from app.specs.book import SpecBook
from app.specs.checks import Checks
from app.specs.helper import Helper
from backend.engine.checks.wire import Begin
from backend.engine.registry import scan_nodes
from backend.graph.document import Graph, Node, Ref, Workflow

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def registry():
    """The nodes that Weft ships, which the window itself never sees."""
    return scan_nodes()


@pytest.fixture(scope="session")
def specs(registry):
    """Their specs."""
    return registry.specs


@pytest.fixture
def book(application, specs) -> SpecBook:
    """The same as the window sees them."""
    return SpecBook(specs)


@pytest.fixture
def helpers(application) -> Iterator[Callable[..., Helper]]:
    """Makes helpers."""
    made: list[Helper] = []

    def make(begin: Begin | None = None, **more: float) -> Helper:
        made.append(Helper(begin or Begin(), **more))
        return made[-1]

    yield make
    for helper in made:
        helper.close()


@pytest.fixture
def watch(helpers) -> Iterator[Callable[..., Checks]]:
    """Makes the checks of a document."""
    made: list[Checks] = []

    def make(document: OpenDocument, helper: Helper, **more: tuple[Path, ...]) -> Checks:
        made.append(Checks(document, helper, **more))
        return made[-1]

    yield make
    for checks in made:
        checks.close()


@pytest.fixture
def chain() -> Callable[[int], Workflow]:
    """A paper, a number of blurs behind one another, and a file."""

    def make(length: int) -> Workflow:
        nodes = {"n0": Node("solid_image", params={"width": 512, "height": 384})}
        for i in range(1, length):
            nodes[f"n{i}"] = Node("blur", inputs={"image": Ref(f"n{i - 1}", "image")})
        nodes["save"] = Node("save_image", inputs={"image": Ref(f"n{length - 1}", "image")})
        return Workflow(Graph(nodes))

    return make
