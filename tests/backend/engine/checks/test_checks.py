"""The process of checks: it says what a check in this process says, and only what is new."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backend.engine.checks.client import ChecksProcess, Gone
from backend.engine.checks.desk import plain
from backend.engine.checks.patch import patch_between
from backend.engine.checks.wire import Begin, CheckDocument, CountTokens, Forget, Told, read_specs
from backend.engine.lookup import HeaderLookup
from backend.engine.registry import scan_nodes
from backend.graph.check import check
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import load
from backend.media.grants import Grants

WORKFLOWS = Path(__file__).resolve().parents[4] / "workflows"


@pytest.fixture(scope="module")
def registry():
    return scan_nodes()


def tell(process: ChecksProcess, name: str, old: Workflow | None, new: Workflow) -> Told:
    base = str(WORKFLOWS)
    told = process.ask(CheckDocument(name, patch_between(old, new), base, (base,)))
    assert isinstance(told, Told)
    assert not told.wrong
    return told


def picture(width: int = 64) -> Workflow:
    return Workflow(
        Graph(
            {
                "paper": Node("solid_image", params={"width": width, "height": 48}),
                "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
                "save": Node("save_image", inputs={"image": Ref("blur", "image")}),
            }
        )
    )


@pytest.mark.parametrize("file", sorted(WORKFLOWS.glob("*.weft.json")), ids=lambda f: f.stem)
def test_it_says_of_a_workflow_what_a_check_here_says(process, registry, file):
    workflow = load(file)
    told = tell(process, file.name, None, workflow)
    here = check(workflow, registry, HeaderLookup(Grants(WORKFLOWS, (WORKFLOWS,))))
    assert told.diagnostics == here.diagnostics
    assert told.ok == here.ok
    assert told.facts == {
        step: {name: plain(one) for name, one in facts.items()}
        for step, facts in here.facts.items()
    }


def test_its_node_types_are_those_at_hand(process, registry):
    assert read_specs(process.types.specs) == registry.specs
    assert process.types.problems == ()


def test_after_an_edit_only_what_changed_is_told(process):
    small, large = picture(64), picture(80)
    tell(process, "edit", None, small)
    told = tell(process, "edit", small, large)
    assert set(told.facts) == {"paper", "blur", "save"}
    assert told.facts["blur"]["image"].known["width"] == 80
    assert told.diagnostics is None
    assert tell(process, "edit", large, large.with_param("blur", "radius", 3.0)).facts == {}


def test_a_step_that_is_gone_is_told(process):
    whole = picture()
    tell(process, "gone", None, whole)
    nodes = {name: whole.graph.nodes[name] for name in ("paper", "save")}
    told = tell(process, "gone", whole, replace(whole, graph=Graph(nodes)))
    assert told.gone == ("blur",)
    assert not told.ok
    assert told.diagnostics is not None
    assert [one.code for one in told.diagnostics if one.level == "error"] == ["W304"]


def test_a_patch_for_a_document_that_it_does_not_hold_is_said(process):
    order = CheckDocument("strange", patch_between(picture(), picture(80)), "/")
    told = process.ask(order)
    assert isinstance(told, Told)
    assert "went wrong" in told.wrong
    process.ask(Forget("strange"))


def test_files_are_looked_into_as_far_as_they_are_granted(process, tmp_path):
    from PIL import Image

    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    workflow = Workflow(Graph({"load": Node("load_image", params={"file": "a.png"})}))
    text = patch_between(None, workflow)
    outside = process.ask(CheckDocument("files", text, str(tmp_path)))
    inside = process.ask(CheckDocument("files", text, str(tmp_path), (str(tmp_path),)))
    assert isinstance(outside, Told)
    assert isinstance(inside, Told)
    assert "width" not in outside.facts["load"]["image"].known
    assert inside.facts["load"]["image"].known["width"] == 30


def test_it_loads_no_torch_and_stays_small(process):
    tell(process, "light", None, load(WORKFLOWS / "text-to-image.weft.json"))
    process.ask(CountTokens("light", "prompt", "a red circle"))
    about = psutil.Process(process.pid)
    assert about.memory_info().rss < 250e6
    if sys.platform == "linux":
        mapped = {Path(each.path).name for each in about.memory_maps()}
        assert not any(name.startswith("libtorch") for name in mapped)


def test_a_hook_that_does_not_come_back_is_ended_and_said(trouble):
    process = ChecksProcess(Begin(nodes=(str(trouble),)), patience=1.0)
    workflow = Workflow(Graph({"a": Node("endless", params={"go": True})}))
    with pytest.raises(Gone, match="did not answer within 1 s"):
        process.ask(CheckDocument("d", patch_between(None, workflow), "/"))
    assert not psutil.pid_exists(process.pid)


def test_a_hook_that_ends_the_process_is_said_with_its_last_line(trouble):
    process = ChecksProcess(Begin(nodes=(str(trouble),)))
    workflow = Workflow(Graph({"a": Node("deadly", params={"go": True})}))
    with pytest.raises(Gone, match=r"status 7.*about to go"):
        process.ask(CheckDocument("d", patch_between(None, workflow), "/"))


@pytest.mark.skipif(sys.platform != "linux", reason="the system ends it with its client on Linux")
def test_it_dies_with_its_client():
    script = (
        "from backend.engine.checks.client import ChecksProcess;"
        "from backend.engine.checks.wire import Begin;"
        "import os; p = ChecksProcess(Begin()); print(p.pid, flush=True); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        cwd=WORKFLOWS.parent, env={**os.environ, "PYTHONPATH": str(WORKFLOWS.parent)},
    )  # fmt: skip
    assert done.returncode == 9
    end = time.monotonic() + 5
    while psutil.pid_exists(int(done.stdout)) and time.monotonic() < end:
        os.sched_yield()
    assert not psutil.pid_exists(int(done.stdout))
