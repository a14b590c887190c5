"""Lifting older files: shown with format versions that never were."""

from __future__ import annotations

import pytest

from backend.graph.document import Node
from backend.graph.format import FormatError, parse
from backend.graph.migrate import format_version, lift_document, lift_node


def rename_steps(raw):
    raw["nodes"] = raw.pop("steps")
    return raw


def add_title(raw):
    return {**raw, "title": raw.get("title", "untitled")}


STEPS = (rename_steps, add_title)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('{"weft": 1, "steps": {"a": {"type": "x"}}}', "untitled"),
        ('{"weft": 2, "nodes": {"a": {"type": "x"}}}', "untitled"),
        ('{"weft": 3, "nodes": {"a": {"type": "x"}}}', ""),
    ],
)
def test_a_file_is_lifted_from_its_version_on(text, title):
    workflow = parse(text, "old", STEPS)
    assert list(workflow.graph.nodes) == ["a"]
    assert workflow.title == title


def test_a_newer_file_is_refused():
    with pytest.raises(FormatError, match="newer Weft"):
        parse('{"weft": 4}', "new", STEPS)


def test_the_present_version_is_one_more_than_the_steps():
    assert format_version() == 1
    assert format_version(STEPS) == 3
    assert lift_document({"weft": 3}, 3, STEPS) == {"weft": 3}


def test_a_node_is_lifted_by_its_type(registry):
    old = Node("aged", 1, {"zoom": 4}, {"picture": "p"}, title="mine", extra={"kept": True})
    new = lift_node(old, registry)
    assert (new.version, new.params, new.inputs) == (3, {"size": 4}, {"image": "p"})
    assert (new.title, new.extra) == ("mine", {"kept": True})
