"""Real node types, and words for building documents out of them."""

from __future__ import annotations

import pytest

from app.document.edits.common import reader_of
from app.document.level import graph_of, links
from backend.engine.registry import scan_nodes
from backend.graph.check import check
from backend.graph.format import dump, parse


@pytest.fixture(scope="session")
def registry():
    return scan_nodes()


@pytest.fixture(scope="session")
def specs(registry):
    return registry.specs


@pytest.fixture(scope="session")
def spec_of(specs):
    return reader_of(specs)


@pytest.fixture(scope="session")
def wires():
    """The links of a level as short texts: ``photo.image > blur.image``."""

    def read(workflow, level=""):
        found = []
        for source, output, target, name, key in links(graph_of(workflow, level)):
            place = f"{target}.{name}" if key is None else f"{target}.{name}.{key}"
            found.append(f"{source}.{output} > {place}")
        return found

    return read


@pytest.fixture(scope="session")
def sound(registry):
    """A document can be written, read again as the same, and has no errors but these codes."""

    def see(workflow, allowed=("W301", "W402", "W401")):
        text = dump(workflow)
        assert parse(text, "again") == workflow
        assert dump(parse(text, "again")) == text
        found = [d for d in check(workflow, registry).diagnostics if d.code not in allowed]
        assert not found, [(d.code, d.sentence) for d in found]
        return workflow

    return see
