"""The example in docs/format.md is a workflow as Weft writes it, and runs without an error."""

from __future__ import annotations

import re
from pathlib import Path

from backend.engine.registry import scan_nodes
from backend.graph.check import check
from backend.graph.conversions import CONVERSIONS
from backend.graph.format import dump, parse

PAGE = (Path(__file__).parents[3] / "docs" / "format.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_example_is_written_as_weft_writes_it():
    assert dump(parse(EXAMPLE, "example")) == EXAMPLE


def test_the_example_is_a_healthy_graph():
    found = check(parse(EXAMPLE, "example"), scan_nodes())
    assert found.diagnostics == ()
    assert [step.id for step in found.flat.steps] == ["photo", "loop", "end/crisp", "save"]


def test_the_page_tells_every_conversion():
    for row in CONVERSIONS.values():
        assert re.search(rf"\| [^|]*{row.source}[^|]* \| {row.target} \|", PAGE)
