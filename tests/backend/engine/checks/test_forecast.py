"""A process of checks tells what a run would do with the memory, and checks meanwhile."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backend.engine.checks.client import ChecksProcess
from backend.engine.checks.desk import Desk
from backend.engine.checks.forecast import (
    Forecaster,
    budget_of,
    device_of,
    forecast,
    held_over,
    stages_of,
)
from backend.engine.checks.patch import patch_between
from backend.engine.checks.wire import (
    AskForecast,
    Begin,
    CheckDocument,
    Forecast,
    Told,
    decode_answer,
    decode_order,
    encode,
)
from backend.engine.engine import Engine
from backend.engine.framing import LENGTH
from backend.engine.registry import scan_nodes
from backend.graph.document import Workflow
from backend.graph.format import load
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.plan.residency.model import Budget
from backend.plan.stages import Move, Stage

WORKFLOWS = Path(__file__).resolve().parents[4] / "workflows"
MIB = 2**20
SLOW = '''
"""A node whose need is long to tell."""
import time
from typing import Any
from backend.sdk import Context, Peak, node


@node(category="Test", lane="device")
def slow(ctx: Context, tell: float = 0.0) -> int:
    """Tells after a while what it needs."""
    return 1


@slow.peak
def _(p: Any) -> Peak:
    time.sleep(p.tell)
    return Peak(0)
'''


@pytest.fixture(scope="module")
def registry():
    return scan_nodes()


@pytest.fixture
def picture() -> Workflow:
    return load(WORKFLOWS / "text-to-image.weft.json")


def held(process: ChecksProcess, name: str, workflow: Workflow) -> None:
    base = str(WORKFLOWS)
    told = process.ask(CheckDocument(name, patch_between(None, workflow), base, (base,)))
    assert isinstance(told, Told)


def told(process: ChecksProcess, order: AskForecast, seconds: float = 20.0) -> Forecast:
    end = time.monotonic() + seconds
    while (found := process.ask(order)).going:
        assert time.monotonic() < end, "it was not told"
    return found


def test_it_says_what_the_engine_says(process, registry, picture, tmp_path):
    held(process, "same", picture)
    found = told(process, AskForecast("same", 1, "cpu", 12 * MIB))
    grants = Grants(WORKFLOWS, (WORKFLOWS,))
    engine = Engine(registry, grants=grants, output=OutputFolder(tmp_path), use_cache=False)
    plan = engine.memory_plan(picture, budget=Budget(12 * MIB, found.host_budget), device="cpu")
    engine.close()
    assert (found.device_peak, found.loaded, found.read) == (
        plan.device_peak, plan.copied, plan.read,
    )  # fmt: skip
    assert [stage.steps for stage in found.stages] == [stage.steps for stage in plan.stages]
    assert [lane.name for lane in found.lanes] == list(plan.needs.components)
    assert not found.timed
    used = {found.lanes[stay.lane].part for stay in found.stages[-1].stays if stay.used}
    assert used == {"vae"}
    assert max(max(stage.curve) for stage in found.stages) <= found.device_peak <= 12 * MIB


def test_a_budget_that_is_too_small_is_a_sentence_with_cures(process, picture):
    held(process, "small", picture)
    found = told(process, AskForecast("small", 1, "cpu", MIB))
    assert "the budget is 1.0 MiB" in found.misfit
    assert found.cures
    assert not found.stages


def test_a_document_with_errors_is_a_sentence(process, picture):
    node = replace(picture.graph.nodes["model"], params={"model": "no-such-model"})
    held(process, "broken", picture.with_node("model", node))
    assert "no-such-model" in told(process, AskForecast("broken", 1)).wrong


def test_a_document_that_is_not_held_is_a_sentence(process):
    assert told(process, AskForecast("never seen", 1)).wrong.endswith(".")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_no_forecast_loads_torch(process, picture):
    held(process, "light", picture)
    assert told(process, AskForecast("light", 1, "cpu", 12 * MIB)).stages
    assert "torch" not in Path(f"/proc/{process.pid}/maps").read_text()


def test_checks_do_not_wait_for_a_forecast(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    process = ChecksProcess(Begin(nodes=(str(tmp_path),)))
    try:
        flow = '{"weft": 1, "nodes": {"slow": {"type": "slow", "version": 1, "params": %s}}}'
        file = tmp_path / "slow.weft.json"
        file.write_text(flow % '{"tell": 3.0}')
        held(process, "slow", load(file))
        order = AskForecast("slow", 1, "cpu", MIB)
        assert process.ask(order).going
        begin = time.monotonic()
        file.write_text(flow % "{}")
        held(process, "slow", load(file))
        assert time.monotonic() - begin < 2.0
        assert process.ask(order).going
        assert not told(process, order).wrong
        assert time.monotonic() - begin > 2.0, "it was not slow, so nothing is shown"
    finally:
        process.close()


def test_documents_that_are_asked_about_in_turn_are_all_told(registry, picture):
    desk, forecaster, base = Desk(registry), Forecaster(registry), str(WORKFLOWS)
    orders = [AskForecast(name, 1, "cpu", 12 * MIB) for name in ("left", "middle", "right")]
    for order in orders:
        desk.check(CheckDocument(order.document, patch_between(None, picture), base, (base,)))
        assert forecaster.ask(desk, order).going
        for thread in threading.enumerate():
            if thread.name == "weft-forecast":
                thread.join(20.0)
    assert all(forecaster.ask(desk, order).stages for order in orders)
    forecaster.forget("left")
    desk.forget("left")
    assert "not checked" in forecaster.ask(desk, orders[0]).wrong


@pytest.mark.parametrize(
    ("setting", "gpu", "computes", "device"),
    [
        ("auto", 0, True, "cpu"),
        ("auto", 8, True, "cuda:0"),
        ("auto", 8, False, "cpu"),
        ("cuda", 0, True, "cuda:0"),
        ("cuda:1", 8, True, "cuda:1"),
        ("cpu", 8, True, "cpu"),
    ],
)
def test_the_device_follows_the_setting_and_the_gpu_that_was_found(setting, gpu, computes, device):
    assert device_of(AskForecast("", 1, setting, gpu=gpu), computes) == device


def test_the_budget_is_the_setting_or_most_of_the_gpu():
    assert budget_of(AskForecast("", 1, memory=5, gpu=100), "cuda:0").device == 5
    assert budget_of(AskForecast("", 1, gpu=100), "cuda:0").device == 80
    assert budget_of(AskForecast("", 1, gpu=100), "cuda:1") is None, "only the first was measured"
    assert budget_of(AskForecast("", 1), "cpu").device > 0


def test_a_gpu_of_unknown_memory_is_a_sentence(registry, picture):
    order = AskForecast("", 1, "cuda:1")
    found = forecast(registry, order, picture, Grants(WORKFLOWS, (WORKFLOWS,)))
    assert "settings" in found.wrong


def test_what_comes_evenly_is_half_there_in_the_middle():
    stages = [
        Stage(("a",), 1, 0.0, 4.0, 4.0, 0.0, (Move("load", "model", 4, 100, 0.0, 4.0),)),
        Stage(("b",), 1, 4.0, 8.0, 4.0, 0.0, (Move("evict", "model", 4, 100, 6.0, 6.0),)),
    ]
    first, second = held_over(stages, {"model": 0}, [100])
    assert [row[0] for row in first] == [2, 25, 50, 75, 98]
    assert [row[0] for row in second] == [100, 100, 100, 0, 0]


def test_with_room_for_all_what_is_used_is_there_whole(registry, picture, tmp_path):
    grants = Grants(WORKFLOWS, (WORKFLOWS,))
    engine = Engine(registry, grants=grants, output=OutputFolder(tmp_path), use_cache=False)
    plan = engine.memory_plan(picture, budget=Budget(2**30, 2**30), device="cpu")
    engine.close()
    sizes = [component.held for component in plan.needs.components.values()]
    (sample,) = [stage for stage in stages_of(plan) if stage.steps == ("sample",)]
    (model,) = [stay for stay in sample.stays if stay.used]
    assert model.held == sizes[model.lane]


def test_orders_and_answers_travel():
    order = AskForecast("a", 3, "cuda", 2**40, 2**36, "/cache")
    assert decode_order(encode(order)[LENGTH:]) == order
    answer = Forecast(misfit="It does not.", cures=("more",))
    assert decode_answer(encode(answer)[LENGTH:]) == answer
