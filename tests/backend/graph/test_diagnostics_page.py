"""docs/diagnostics.md tells every code, and every example on it gives what stands under it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.engine.registry import NodeRegistry, scan_nodes
from backend.graph.check import check
from backend.graph.diagnostics import CODES
from backend.graph.document import Workflow
from backend.graph.format import FormatError, dump, load, parse, save

PAGE = (Path(__file__).parents[3] / "docs" / "diagnostics.md").read_text(encoding="utf-8")
SECTION = re.compile(
    r"^### (?P<code>W\d{3}) (?P<title>.*?)\n\n\*(?P<level>\w+)\*(?P<about>.*?)\n\n"
    r"```(?P<language>json|text|python)\n(?P<example>.*?)\n```\n\n> (?P<said>.*?)$",
    re.MULTILINE | re.DOTALL,
)
SECTIONS = [
    found.groupdict() for part in re.split(r"(?m)^(?=##)", PAGE) if (found := SECTION.search(part))
]
CALLS = {"Workflow": Workflow, "dump": dump, "load": load, "parse": parse, "save": save}


@pytest.fixture(scope="module")
def shown_types(demo_types):
    """The node types of Weft, and the two that are made up for the page."""
    found = scan_nodes()
    made_up = [kind for kind in demo_types if kind.spec.type in ("aged", "stumble")]
    return NodeRegistry([*map(found.type, found.specs), *made_up])


def test_the_page_tells_every_code_in_order():
    told = [(s["code"], s["title"], s["level"]) for s in SECTIONS]
    assert told == [(row.code, row.title, row.level) for row in CODES.values()]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section["code"])
def test_an_example_gives_what_stands_under_it(section, shown_types, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        if section["language"] == "python":
            eval(section["example"], dict(CALLS))
            pytest.fail("the example did not fail")
        wanted = re.search(r"With only `(\w+)` wanted", section["about"])
        workflow = parse(section["example"], "flow.weft.json")
        found = check(workflow, shown_types, wanted=wanted and [wanted[1]])
        said = [(d.code, f"{d.sentence} {d.fix}".strip()) for d in found.diagnostics]
    except FormatError as error:
        said = [(error.code, error.sentence)]
    assert (section["code"], section["said"]) in said


def test_codes_are_written_alike_and_titles_differ():
    assert all(re.fullmatch(r"W[0-6]\d\d", code) for code in CODES)
    assert len({row.title for row in CODES.values()}) == len(CODES)
