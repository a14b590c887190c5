"""An open document is checked in another process after every change."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest

from app.document.session import Session
from app.open_document import OpenDocument
from app.specs.book import SpecBook
from backend.engine.checks.wire import Begin
from backend.graph.check import Checker
from backend.graph.document import Graph, Node, Port, Ref, Subgraph, Workflow
from backend.graph.format import load
from tests.app.specs.conftest import ROOT

HANGS = '''
"""A node whose facts hook does not come back."""
import time
from typing import Any
from backend.sdk import Context, Facts, facts_of, node


@node(category="Test")
def endless(ctx: Context, go: bool = False) -> int:
    """Its facts hook does not come back."""
    return 1


@endless.facts
def _(p: Any) -> Facts:
    while p.go:
        time.sleep(0.01)
    return facts_of("Integer", value=1)
'''


def link(workflow: Workflow, node: str, source: str) -> Workflow:
    """The document with the picture of a node from another one."""
    inputs = {"image": Ref(source, "image")}
    return workflow.with_node(node, replace(workflow.graph.nodes[node], inputs=inputs))


def test_facts_and_diagnostics_come_and_follow_edits(helpers, watch, spin, chain):
    document = OpenDocument(Session(chain(4)))
    checks = watch(document, helpers())
    assert checks.behind
    spin(lambda: not checks.behind)
    assert checks.ok
    assert checks.facts["n3"]["image"].width == 512
    heard = []
    checks.checked.connect(heard.append)
    document.edit("Resize", lambda now: now.with_param("n0", "width", 80))
    spin(lambda: not checks.behind)
    assert heard == [frozenset({"n0", "n1", "n2", "n3", "save"})]
    assert checks.facts["n3"]["image"].width == 80
    document.edit("Cut", lambda now: link(now, "n2", "nix"))
    spin(lambda: not checks.behind)
    assert not checks.ok
    assert [one.code for one in checks.said_of("", "n2")] == ["W304"]
    document.undo()
    spin(lambda: not checks.behind)
    assert checks.ok
    assert checks.said_of("", "n2") == ()


def bare_check(registry, *workflows: Workflow) -> float:
    """The seconds of a check in this process that goes from one document to another, at best."""
    checker, took = Checker(registry), []
    for turn in range(8):
        begin = time.perf_counter()
        checker.check(workflows[turn % len(workflows)])
        took.append(time.perf_counter() - begin)
    return min(took[2:])


@pytest.mark.slow  # a figure: beside other tests it says nothing
def test_a_link_among_two_thousand_nodes_is_told_within_50_ms(
    registry, helpers, watch, spin, chain
):
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    whole = chain(2000)
    document = OpenDocument(Session(whole))
    checks = watch(document, helpers())
    spin(lambda: not checks.behind)
    other = link(whole, "n1000", "n3")
    took = []
    for turn in range(15):
        begin = time.perf_counter()
        document.edit("Link", lambda now, turn=turn: whole if turn % 2 else other)
        edited = time.perf_counter() - begin
        assert edited < 0.01  # the window does not wait
        while checks.behind:
            assert time.perf_counter() - begin < 5
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        took.append(time.perf_counter() - begin)
    bare = bare_check(registry, whole, other)
    print(
        f"link, 2000 nodes: best {1000 * min(took):.0f}, middle {1000 * sorted(took)[7]:.0f} ms, "
        f"of which the check alone takes {1000 * bare:.0f} ms"
    )
    # Where other programs take the machine, the check alone says how much of it is left.
    assert min(took) < 0.05 * max(1.0, bare / 0.02)


def test_of_many_edits_only_the_newest_is_waited_for(helpers, watch, spin, chain):
    document = OpenDocument(Session(chain(300)))
    checks = watch(document, helpers())
    spin(lambda: not checks.behind)
    heard = []
    checks.checked.connect(heard.append)
    for width in range(100, 160):
        document.edit("Drag", lambda now, width=width: now.with_param("n0", "width", width))
    spin(lambda: not checks.behind)
    assert checks.facts["n299"]["image"].width == 159
    assert len(heard) < 30


def test_two_documents_are_checked_apart(helpers, watch, spin, chain):
    helper = helpers()
    first, second = OpenDocument(Session(chain(2))), OpenDocument(Session(chain(3)))
    one, two = watch(first, helper), watch(second, helper)
    spin(lambda: not one.behind and not two.behind)
    assert set(one.facts) == {"n0", "n1", "save"}
    assert set(two.facts) == {"n0", "n1", "n2", "save"}


def test_a_process_that_is_killed_is_begun_again(helpers, watch, spin, chain):
    helper = helpers()
    document = OpenDocument(Session(chain(3)))
    checks = watch(document, helper)
    spin(lambda: not checks.behind)
    said = []
    helper.trouble.connect(said.append)
    old = helper.pid
    os.kill(old, signal.SIGTERM)
    document.edit("Resize", lambda now: now.with_param("n0", "width", 80))
    spin(lambda: not checks.behind and said[-1:] == [""])
    assert checks.facts["n2"]["image"].width == 80
    assert helper.pid != old
    assert said[0].startswith("The process that checks documents is gone.")


def test_a_document_that_ends_each_process_is_said_and_can_be_mended(
    helpers, watch, spin, tmp_path, chain
):
    (tmp_path / "hangs.py").write_text(HANGS)
    helper = helpers(Begin(nodes=(str(tmp_path),)), patience=1.0)
    document = OpenDocument(Session(Workflow(Graph({"a": Node("endless", params={"go": True})}))))
    sound = OpenDocument(Session(chain(2)))
    checks = watch(document, helper)
    spin(lambda: checks.sentence, 30)
    assert "did not answer within 1 s" in checks.sentence
    beside = watch(sound, helper)
    spin(lambda: beside.facts and not beside.behind, 30)
    document.edit("Mend", lambda now: now.with_param("a", "go", False))
    spin(lambda: checks.facts, 30)
    assert checks.sentence == ""
    assert checks.facts["a"]["integer"].value == 1


def test_a_process_that_cannot_begin_is_a_sentence(helpers, watch, spin, chain, monkeypatch):
    monkeypatch.setattr("backend.engine.checks.client.MODULE", "backend.engine.nothing_there")
    helper = helpers()
    checks = watch(OpenDocument(Session(chain(2))), helper)
    spin(lambda: checks.sentence)
    assert "No module named" in checks.sentence
    monkeypatch.undo()
    checks.refresh()
    spin(lambda: checks.ok)


def test_types_come_and_a_restart_finds_new_ones(helpers, watch, spin, tmp_path):
    helper = helpers(Begin(nodes=(str(tmp_path),)))
    book = SpecBook()
    helper.types.connect(book.take)
    document = OpenDocument(Session(Workflow(Graph({"a": Node("endless")}))))
    checks = watch(document, helper)
    spin(lambda: book.known and not checks.behind)
    assert "blur" in book.specs
    assert [one.code for one in checks.said_of("", "a")][:1] == ["W101"]
    (tmp_path / "more.py").write_text(HANGS)
    helper.restart()
    spin(lambda: "endless" in book.specs and checks.facts.get("a"))
    assert checks.facts["a"]["integer"].value == 1


def test_files_are_read_where_they_are_granted(helpers, watch, spin, tmp_path):
    from PIL import Image

    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    node = Node("load_image", params={"file": str(tmp_path / "a.png")})
    document = OpenDocument(Session(Workflow(Graph({"load": node}))))
    checks = watch(document, helpers())
    spin(lambda: not checks.behind)
    assert checks.facts["load"]["image"].width is None
    checks.set_grants((tmp_path,))
    spin(lambda: checks.facts["load"]["image"].width == 30)
    Image.new("RGB", (50, 20)).save(tmp_path / "a.png")
    checks.refresh()
    spin(lambda: checks.facts["load"]["image"].width == 50)


def test_inside_a_subgraph_facts_are_those_of_its_first_use(helpers, watch, spin):
    inner = Graph({"soft": Node("blur", inputs={"image": Ref("$", "image")})},
                  {"image": Ref("soft", "image")})  # fmt: skip
    nodes = {
        "paper": Node("solid_image", params={"width": 90}),
        "use": Node("subgraph:face", inputs={"image": Ref("paper", "image")}),
        "save": Node("save_image", inputs={"image": Ref("use", "image")}),
    }
    face = Subgraph(inner, inputs={"image": Port("Image")})
    idle = Subgraph(Graph({"soft": Node("blur")}))
    workflow = Workflow(Graph(nodes), subgraphs={"face": face, "idle": idle})
    checks = watch(OpenDocument(Session(workflow)), helpers())
    spin(lambda: not checks.behind)
    assert checks.facts_at("face", "soft")["image"].width == 90
    assert checks.facts_at("", "paper")["image"].width == 90
    assert checks.facts_at("idle", "soft") == {}


def test_tokens_of_a_prompt_are_counted(helpers, watch, spin):
    document = OpenDocument(Session(load(ROOT / "workflows" / "text-to-image.weft.json")))
    checks = watch(document, helpers())
    spin(lambda: not checks.behind)
    answers = []
    checks.count("prompt", "a", answers.append)
    checks.count("prompt", "a red \ud800 circle", answers.append)
    spin(lambda: answers)
    assert [row.name for row in answers[-1].rows] == ["T5", "CLIP"]


def test_shipped_workflows_are_sound(helpers, watch, spin):
    helper = helpers()
    for file in sorted((ROOT / "workflows").glob("*.weft.json")):
        checks = watch(OpenDocument(Session.open(file)), helper)
        spin(lambda checks=checks: not checks.behind)
        wrong = [each for each in checks.diagnostics if each.level == "error"]
        if file.name == "real-model.weft.json":  # its model does not come with Weft
            (gone,) = wrong
            assert "There is no model" in gone.sentence
        else:
            assert checks.ok, checks.diagnostics
