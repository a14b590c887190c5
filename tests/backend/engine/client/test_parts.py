"""The small parts of the client: the tail of output, memory, environment, turns, words."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backend
from backend.engine.cancel import Cancel
from backend.engine.client.cause import crash_of
from backend.engine.client.inbox import Died, Inbox
from backend.engine.client.memory import allowance, held
from backend.engine.client.outcome import RunningStep
from backend.engine.client.ring import Ring
from backend.engine.client.spawn import environment
from backend.engine.client.turns import Turns
from backend.engine.events import (
    Event,
    Note,
    Preview,
    RunFinished,
    RunStarted,
    StepDone,
    StepFailed,
)
from backend.engine.wire import (
    CancelJob,
    GetValue,
    JobEnd,
    JobEvent,
    Quit,
    Ready,
    RunJob,
    Setup,
    ValueFile,
    decode_order,
    decode_report,
    encode,
)
from backend.engine.words import Failure
from backend.graph.diagnostics import Diagnostic
from backend.sdk import Saved


@given(st.lists(st.binary(max_size=40)), st.integers(1, 60))
def test_the_ring_holds_the_tail(parts, size):
    ring = Ring(size)
    for part in parts:
        ring.put(part)
    assert ring.text() == b"".join(parts)[-size:].decode("utf-8", "backslashreplace")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts otherwise")
def test_memory_counts_what_is_held_and_not_what_is_mapped(tmp_path):
    import mmap

    file = tmp_path / "weights"
    file.write_bytes(bytes(64 * 2**20))
    before = held(os.getpid())
    with file.open("rb") as source:
        mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
    assert sum(mapped[:: mmap.PAGESIZE]) == 0
    assert held(os.getpid()) - before < 16 * 2**20
    own = mmap.mmap(-1, 64 * 2**20)  # not from the heap, which may have room that it already holds
    own.write(b"x" * len(own))
    assert 60 * 2**20 < held(os.getpid()) - before < 200 * 2**20
    own.close()
    mapped.close()


def test_a_host_may_take_what_was_said_or_most_of_the_machine():
    import psutil

    assert allowance(123) == 123
    assert 2**28 < allowance(0) <= 0.9 * psutil.virtual_memory().total
    assert held(2**22 - 3) == 0  # a process that is not there


def test_the_environment_leads_to_the_same_weft_and_not_to_the_current_folder(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    given_path = os.pathsep.join(["", "mine", "/other", ""])
    found = environment({"PYTHONPATH": given_path, "PYTHONINSPECT": "1", "HOME": "/h"})
    paths = found["PYTHONPATH"].split(os.pathsep)
    assert paths[-2:] == [str(tmp_path / "mine"), "/other"]
    assert str(tmp_path) not in paths
    home = os.path.dirname(os.path.dirname(os.path.realpath(backend.__file__)))
    assert paths[0] == home or "site-packages" in home
    assert "PYTHONINSPECT" not in found
    assert (found["PYTHONSAFEPATH"], found["HF_HUB_OFFLINE"], found["HOME"]) == ("1", "1", "/h")


def test_turns_are_given_in_the_order_of_asking():
    turns, order, threads = Turns(), [], []

    def ask(i):
        with turns.take(Cancel()) as mine:
            assert mine
            order.append(i)

    with turns.take(Cancel()):
        for i in range(8):
            threads.append(threading.Thread(target=ask, args=(i,)))
            threads[-1].start()
            while len(turns._line) <= i:
                pass
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    with turns.take(Cancel()) as mine:
        assert mine


def test_a_cancelled_one_leaves_the_line_and_the_turn_goes_on():
    turns = Turns()
    cancel = Cancel()
    cancel()
    with turns.take(Cancel()):
        with turns.take(cancel) as mine:
            assert not mine
        assert not turns._line
    with turns.take(Cancel()) as mine:
        assert mine


def died(status: int, **given) -> Died:
    settings = {"peak_memory": 1, "over_memory": 0, "out_of_memory": False}
    return Died(status, last_output="", trace="", **{**settings, **given})


def test_a_crash_in_words():
    inner = (RunningStep("zone"), RunningStep("zone/a", (3,)), RunningStep("b"))
    crash = crash_of(died(-11), inner, 0)
    assert crash.cause == (
        "The process that computes crashed in native code (SIGSEGV) while zone/a[3] and b ran."
    )
    assert crash.steps == inner[1:]
    assert "no memory left" in crash_of(died(-9, out_of_memory=True), (), 0).cause
    crash = crash_of(died(-9, over_memory=3 * 2**30), (), 2**31)
    assert "took more memory than the 2 GiB that it may" in crash.cause
    assert crash.peak_memory == 3 * 2**30
    many = tuple(RunningStep(f"s{i}") for i in range(9))
    assert crash_of(died(1), many, 0).cause.endswith("while s0, s1, s2, s3 and 5 more ran.")


def test_an_inbox_wakes_without_a_message():
    inbox = Inbox()
    inbox.wake()
    assert inbox.take() is None
    assert inbox.take(0.0) is None
    inbox.put(Ready(1), 10)
    inbox.end(died(0))
    assert inbox.take() == Ready(1)
    assert inbox.take() == died(0)


EVENTS: list[Event] = [
    RunStarted(3, {"a.seed": 2**62}),
    StepDone("a", False, 0.5, {"image": "Image"}, (1, 2)),
    StepFailed("a", "no", "trace"),
    Preview("a", b"\xff\xd8jpeg"),
    Note("", "so"),
    RunFinished("failed", 1.0, 1, 0, 1, 0, 0),
]
REPORTS = [
    Ready(7, True, ("a node file is broken",)),
    *(JobEvent("job", event) for event in EVENTS),
    JobEnd(
        "job", "failed", {"a": Failure("no", "trace")}, (Saved("x.png", "blake3:0"),), (), 1.5,
        {"a.seed": 1}, (Diagnostic("W101", "error", "nodes.a", "unknown"),),
        (("a", "image", "Image"),), Failure("s", "t"), 3,
    ),
    ValueFile("job", "a", "image", "/file"),
]  # fmt: skip
ORDERS = [
    Setup("/cache", "cuda:1", 3, 1, 2, 0.25, False, "/data", ("/nodes",), False),
    RunJob("job", "{}", "/base", ("/a", "/b"), "/out", ("x",), 2**63 - 1, False, "/ledger", "4:1"),
    CancelJob("job"),
    GetValue("job", "a", "image"),
    Quit(),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda each: type(each).__name__)
def test_reports_come_back_as_they_were(report):
    assert decode_report(encode(report)[4:]) == report


@pytest.mark.parametrize("order", ORDERS, ids=lambda each: type(each).__name__)
def test_orders_come_back_as_they_were(order):
    assert decode_order(encode(order)[4:]) == order
