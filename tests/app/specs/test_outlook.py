"""The forecast of an open document follows its edits, from the process of checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.document.session import Session
from app.open_document import OpenDocument
from app.specs.outlook import Machine, Outlook
from backend.graph.document import Placement
from backend.graph.format import load
from tests.app.specs.conftest import ROOT

FILE = ROOT / "workflows" / "text-to-image.weft.json"
MIB = 2**20


@pytest.fixture
def opened(helpers, watch):
    """An outlook on the template, and what its machine has, which a test may change."""
    document = OpenDocument(Session(load(FILE)))
    helper, has = helpers(), {"memory": 64 * MIB}
    checks = watch(document, helper, grants=(ROOT,))
    outlook = Outlook(document, checks, helper, lambda: Machine("cpu", has["memory"]))
    yield document, outlook, has
    outlook.close()


def told(spin, outlook):
    spin(lambda: not outlook.behind, 20.0)


def test_a_primer_document_gives_a_forecast_and_an_edit_updates_it(opened, spin):
    document, outlook, _ = opened
    told(spin, outlook)
    first = outlook.forecast
    assert first.stages
    assert 0 < first.device_peak <= 64 * MIB
    document.edit("Larger", lambda now: now.with_param("empty", "width", 256))
    spin(lambda: outlook.behind)
    told(spin, outlook)
    larger = {s.steps: s.activation for s in outlook.forecast.stages}
    assert larger["decode",] > {s.steps: s.activation for s in first.stages}["decode",]


def test_a_small_budget_does_not_fit_and_a_larger_one_does(opened, spin):
    _, outlook, has = opened
    has["memory"] = MIB
    told(spin, outlook)
    assert "the budget is 1.0 MiB" in outlook.forecast.misfit
    has["memory"] = 64 * MIB
    outlook.look_at_machine()
    assert outlook.behind
    told(spin, outlook)
    assert not outlook.forecast.misfit


def test_a_broken_model_is_a_sentence(opened, spin):
    document, outlook, _ = opened
    told(spin, outlook)
    document.edit("Other", lambda now: now.with_param("model", "model", "nowhere"))
    spin(lambda: outlook.forecast is None)
    assert "nowhere" in outlook.sentence
    document.undo()
    spin(lambda: outlook.forecast is not None, 20.0)
    assert outlook.sentence == ""


def test_to_move_a_node_asks_for_nothing(opened, spin):
    document, outlook, _ = opened
    told(spin, outlook)
    checked = []
    outlook._checks.checked.connect(checked.append)

    def move(now):
        nodes = {**now.layout.nodes, "model": Placement(5.0, 5.0)}
        return replace(now, layout=replace(now.layout, nodes=nodes))

    document.edit("Move", move)
    spin(lambda: checked)
    assert not outlook.behind


def test_a_process_that_is_gone_is_no_end(opened, spin):
    document, outlook, _ = opened
    told(spin, outlook)
    outlook._helper.restart()
    document.edit("Larger", lambda now: now.with_param("empty", "width", 192))
    spin(lambda: outlook.behind)
    told(spin, outlook)
    assert outlook.forecast is not None
