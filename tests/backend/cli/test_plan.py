"""``weft plan`` with sizes of memory, for people and for programs."""

from __future__ import annotations

import json

import pytest

from backend.cli.errors import DONE, USAGE
from backend.cli.places import examples

TEXT_TO_IMAGE = ("plan", "text-to-image", "--device", "cpu")


def only(events: list[dict], kind: str) -> list[dict]:
    return [event for event in events if event["event"] == kind]


def test_a_plan_says_what_is_loaded_and_that_it_fits(weft):
    done = weft(*TEXT_TO_IMAGE, "--memory", "8GiB", "--host-memory", "16GiB")
    assert done.status == DONE
    assert "Memory on the CPU: 8.00 GiB for models" in done.out
    assert "16.00 GiB of host memory" in done.out
    assert "primer/transformer 28 times; computes in" in done.out
    assert "loads primer/transformer" in done.out
    assert "It fits:" in done.out
    assert "the least that can be" in done.out
    assert "known once it has run" in done.out  # nothing was measured, so no time is told


def test_the_same_for_programs(weft):
    done = weft(*TEXT_TO_IMAGE, "--memory", "8GiB", "--json")
    events = done.events
    assert {event["event"] for event in events} == {
        "planned", "plan", "component", "need", "stage", "move", "memory",
    }  # fmt: skip
    memory = events[-1]
    assert memory["event"] == "memory"
    assert (memory["device"], memory["device_budget"], memory["fits"]) == ("cpu", 8 << 30, True)
    assert (memory["seconds"], memory["waiting"], memory["measured"]) == (None, None, False)
    assert memory["laid_out"]["loaded"] == memory["loaded"] == memory["bound"]["loaded"]
    components = {event["component"]: event for event in only(events, "component")}
    for component in components.values():
        assert sum(block["stored"] for block in component["blocks"]) == component["stored"]
        assert sum(block["held"] for block in component["blocks"]) == component["held"]
    moved = only(events, "move")
    assert sum(m["bytes"] for m in moved if m["kind"] in ("load", "stream")) == memory["loaded"]
    assert sum(m["bytes"] for m in moved if m["kind"] == "read") == memory["read"]
    assert {move["component"] for move in moved} == set(components)
    stages = only(events, "stage")
    assert [stage["order"] for stage in stages] == [1, 2, 3, 4]
    assert sorted(step for stage in stages for step in stage["steps"]) == [
        "decode", "negative", "prompt", "sample",
    ]  # fmt: skip
    (sample,) = [need for need in only(events, "need") if need["step"] == "sample"]
    uses = {"component": "primer/transformer", "passes": 28, "beside": [], "before": []}
    assert sample["uses"] == [uses]


def test_what_does_not_fit_is_a_sentence_with_its_cure(weft):
    done = weft(*TEXT_TO_IMAGE, "--memory", "1MB")
    assert done.status == DONE
    assert "It does not fit. Step '" in done.out
    cure = done.out.splitlines()[-1]
    assert cure.startswith("What would make it fit: ")
    size = cure.rpartition("a device budget of ")[2].rstrip(".")
    assert "It fits:" in weft(*TEXT_TO_IMAGE, "--memory", size).out
    memory = weft(*TEXT_TO_IMAGE, "--memory", "1MB", "--json").events[-1]
    assert not memory["fits"]
    assert memory["device_needed"] > 10**6
    assert memory["loaded"] is None
    assert memory["cures"]


@pytest.mark.parametrize("option", ["--memory", "--host-memory"])
@pytest.mark.parametrize("size", ["8 potatoes", "", "-1GiB", "1e3", "GiB"])
def test_a_size_that_is_none_is_refused(weft, option, size):
    done = weft(*TEXT_TO_IMAGE, option, size)
    assert done.status == USAGE
    assert f"{option} {size}: write a size such as 20GiB" in done.err


def test_a_gpu_that_is_not_here_needs_a_size(weft):
    found = weft("plan", "text-to-image", "--device", "cuda:7")
    assert found.status == USAGE
    assert "Traceback" not in found.err
    done = weft("plan", "text-to-image", "--device", "cuda:7", "--memory", "6GiB")
    assert done.status == DONE
    assert "Memory on cuda:7: 6.00 GiB" in done.out


@pytest.mark.parametrize("device", ["gpu", "cuda:x"])
def test_a_device_that_is_none_is_refused(weft, device):
    done = weft("plan", "text-to-image", "--device", device, "--memory", "1GiB")
    assert done.status == USAGE
    assert "write auto, cpu, cuda or cuda:N" in done.err


def test_without_models_nothing_is_said_of_memory(weft):
    done = weft("plan", "loop", "--memory", "1GiB")
    assert "Memory" not in done.out
    assert only(weft("plan", "loop", "--json").events, "memory") == []


def test_after_a_run_only_what_a_change_concerns_is_needed(weft):
    flow = weft.folder / "flow.weft.json"
    assert weft("run", "text-to-image", "--device", "cpu").status == DONE
    assert "Memory" not in weft(*TEXT_TO_IMAGE).out
    graph = json.loads(examples()["text-to-image"].read_text())
    graph["nodes"]["sample"]["params"]["seed"] = 8
    flow.write_text(json.dumps(graph))
    events = weft("plan", flow, "--device", "cpu", "--memory", "8GiB", "--json").events
    needs = only(events, "need")
    assert {need["step"] for need in needs} >= {"sample", "decode"}
