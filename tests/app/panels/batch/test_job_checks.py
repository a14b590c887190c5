"""Jobs are checked by the process of checks before they are queued."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.panels.batch.job_checks import JobChecks, telling
from app.panels.batch.outlook import Question, Vary, Wanted, look_ahead
from app.specs.helper import Helper, News
from backend.engine.checks.wire import Begin
from backend.engine.registry import scan_nodes
from backend.graph.diagnostics import diagnose
from backend.graph.document import Graph, Node, Ref, Workflow

SPECS = scan_nodes().specs
FLOW = Workflow(
    Graph(
        {
            "model": Node("load_model", params={"model": "primer"}),
            "words": Node("encode_text", inputs={"text_encoder": Ref("model", "text_encoder")}),
        }
    )
)


def batch_of(folder: Path, *varies: Vary):
    question = Question(
        Wanted("", varies), FLOW, SPECS, folder, (folder,), ("primer",), folder / "out", "t", {}
    )
    found = look_ahead(question, lambda: None)
    assert found.batch is not None, found
    return found.batch


def test_each_value_is_checked_once(tmp_path):
    batch = batch_of(
        tmp_path, Vary("words.text", "a,b,c,d,e,f,g,h,i,j"), Vary("words.clip_skip", "0,1,2")
    )
    assert [point.index for point in telling(batch)] == [1, 2, 3, *range(4, 31, 3)]


@pytest.fixture
def checks(application):
    helper = Helper(Begin())
    yield JobChecks(helper)
    helper.close()


def test_a_value_that_the_graph_cannot_have_is_told_with_its_job(checks, tmp_path, spin):
    said = []
    checks.said.connect(lambda number, sentence: said.append((number, sentence)))
    checks.ask(1, batch_of(tmp_path, Vary("model.model", "primer,gone")))
    checks.ask(2, batch_of(tmp_path, Vary("words.text", "a,b")))  # nothing is said of the first
    late = News(FLOW, diagnostics=(diagnose("W201", "nodes.model", "This was asked before."),))
    checks._helper.told.emit("batch", late)
    spin(lambda: said, 60)
    assert said == [(2, "")]
    checks.ask(3, batch_of(tmp_path, Vary("model.model", "primer,primer,gone")))
    spin(lambda: len(said) == 2, 60)
    assert said[1][1].startswith("Job 3 (model.model = gone) cannot run: ")
    assert "gone" in said[1][1].partition("run: ")[2]
