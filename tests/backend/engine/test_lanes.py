"""Lanes overlap, the device does one thing at a time, and a cancel is seen everywhere."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from backend.engine.cancel import Cancel
from backend.engine.events import StepDone, StepStarted
from backend.sdk import Cancelled


def test_device_cpu_and_file_work_overlap(bench):
    """Each step waits for a gate that another lane opens while both are under way."""
    nodes = {
        "d": {"type": "wait_device", "params": {"opens": "one", "gate": "three"}},
        "c": {"type": "wait", "params": {"opens": "two", "gate": "one"}},
        "f": {"type": "wait_file", "params": {"opens": "three", "gate": "two"}},
    }
    assert bench.run(nodes).status == "done"


def test_cpu_steps_overlap_each_other(bench):
    nodes = {
        "a": {"type": "wait", "params": {"opens": "one", "gate": "two"}},
        "b": {"type": "wait", "params": {"opens": "two", "gate": "one"}},
    }
    assert bench.run(nodes).status == "done"


def test_the_device_does_one_thing_at_a_time(bench):
    nodes = {f"d{i}": {"type": "wait_device", "params": {"opens": f"gate{i}"}} for i in range(5)}
    bench.run(nodes)
    open_now, most = 0, 0
    for event in bench.events:
        open_now += isinstance(event, StepStarted) - isinstance(event, StepDone)
        most = max(most, open_now)
    assert most == 1


def test_device_work_always_goes_to_its_own_thread(bench):
    """Alone or not, quick or not: torch's settings belong to that thread."""
    for value in (1, 2, 3):
        nodes = {"d": {"type": "thread_name", "params": {}}, "n": {"type": "number"}}
        nodes["n"]["params"] = {"value": value}
        nodes["d"]["inputs"] = {"number": "n.number"}
        assert bench.value(nodes, "d") == "weft-device-1"


def test_trivial_steps_stay_in_the_callers_thread(bench):
    nodes = {"n0": {"type": "number"}}
    for i in range(1, 50):
        nodes[f"n{i}"] = {
            "type": "add",
            "inputs": {"left": f"n{i - 1}.number"},
            "params": {"by": 1},
        }
    before = threading.active_count()
    bench.run(nodes)
    assert threading.active_count() == before


def test_events_come_in_the_callers_thread(bench):
    seen = set()
    nodes = {
        "d": {"type": "wait_device", "params": {"opens": "one", "gate": "two"}},
        "c": {"type": "wait", "params": {"opens": "two", "gate": "one"}},
    }
    bench.run(nodes, on_event=lambda event: seen.add(threading.get_ident()))
    assert seen == {threading.get_ident()}


def test_a_cancel_before_the_run_runs_nothing(bench):
    cancel = Cancel()
    cancel()
    result = bench.run({"n": {"type": "number"}}, cancel=cancel)
    assert result.status == "cancelled"
    assert not bench.calls


def test_a_cancel_between_nodes_stops_before_the_next(bench):
    cancel = Cancel()
    nodes = {
        "a": {"type": "number"},
        "b": {"type": "add", "inputs": {"left": "a.number"}},
        "c": {"type": "clip", "inputs": {"number": "b.number"}},
    }

    def listen(event):
        bench.events.append(event)
        if isinstance(event, StepDone) and event.step == "b":
            cancel()

    result = bench.run(nodes, cancel=cancel, on_event=listen)
    assert result.status == "cancelled"
    assert bench.ran == {"a", "b"}
    assert bench.calls["clip"] == 0
    again = bench.run(nodes)
    assert again.status == "done"
    assert bench.cached == {"a", "b"}


def test_a_cancel_is_seen_while_files_are_looked_at(bench):
    (bench.folder / "in.txt").write_text("here")
    cancel = Cancel()
    cancel()
    nodes = {"r": {"type": "read", "params": {"path": "in.txt"}}}
    result = bench.run(nodes, cancel=cancel)
    assert result.status == bench.events[-1].status == "cancelled"
    assert not bench.calls


@pytest.mark.parametrize("kind", ["wait", "wait_device", "wait_file"])
def test_a_cancel_is_seen_inside_a_node_on_every_lane(bench, kind):
    """The node's gate never opens; only the cancel, from another thread, lets it end."""
    cancel = Cancel()
    nodes = {
        "w": {"type": kind, "params": {"opens": "begun", "gate": "never"}},
        "x": {"type": "add", "inputs": {"left": "w.number"}},
    }
    begun = bench.gates.setdefault("begun", threading.Event())
    helper = threading.Thread(target=lambda: (begun.wait(), cancel()))
    helper.start()
    result = bench.run(nodes, cancel=cancel)
    helper.join()
    assert result.status == "cancelled"
    assert not bench.ran
    assert not result.failures
    assert bench.events[-1].status == "cancelled"


def test_every_call_of_a_context_sees_a_cancel(bench):
    from backend.engine.context import StepContext
    from backend.values import Image

    cancel = Cancel()
    cancel()
    facilities = bench.engine._facilities
    ctx = StepContext("x", (), facilities, cancel, lambda event: None, lambda: ({}, {}))
    for call in (
        lambda: ctx.device,
        ctx.check,
        lambda: ctx.progress(1, 2),
        lambda: ctx.note("x"),
        lambda: ctx.preview(Image([[[[0.0]]]])),
        lambda: ctx.read("x"),
        lambda: ctx.save("x", ".txt", lambda path, provenance: None),
        lambda: ctx.save_folder("x", lambda path, provenance: None),
        lambda: ctx.model_folder("primer"),
        lambda: ctx.load(None),
    ):
        with pytest.raises(Cancelled):
            call()


def test_a_preview_that_comes_too_soon_is_not_even_made(bench):
    from backend.engine.context import StepContext

    posted, made = [], []
    facilities = bench.engine._facilities
    ctx = StepContext("x", (), facilities, Cancel(), posted.append, lambda: ({}, {}))
    for _ in range(2):
        ctx.preview(lambda: made.append("nothing to show"))
    assert (len(made), posted) == (1, [])


def test_files_and_frames_are_read_and_spooled_asking_whether_to_go_on(bench):
    from backend.engine.context import StepContext
    from backend.values import Image

    class Reading:
        """A decoder at whose work the cancel comes."""

        def images(self, path, check):
            cancel()
            check()

        sound = images

    def frames():
        yield Image([[[[0.0]]]])
        cancel()
        yield Image([[[[0.0]]]])

    (bench.folder / "in.bin").write_bytes(b"x")
    facilities = replace(bench.engine._facilities, decoder=Reading())
    for call in (
        lambda ctx: ctx.read_images("in.bin"),
        lambda ctx: ctx.read_sound("in.bin"),
        lambda ctx: ctx.spool(frames(), 8.0),
    ):
        cancel = Cancel()
        ctx = StepContext("x", (), facilities, cancel, lambda event: None, lambda: ({}, {}))
        with pytest.raises(Cancelled):
            call(ctx)


def test_finished_files_stay_after_a_cancel_and_nothing_is_half_written(bench):
    cancel = Cancel()
    nodes = {
        "row": {"type": "row", "params": {"count": 5}},
        "t": {"type": "text", "inputs": {"text": "row.integers"}},
        "w": {"type": "write", "inputs": {"text": "t.text"}, "params": {"name": "f-{counter}"}},
    }

    def listen(event):
        if type(event).__name__ == "SavedFile" and event.path == "f-2.txt":
            cancel()

    result = bench.run(nodes, cancel=cancel, on_event=listen)
    assert result.status == "cancelled"
    assert sorted(p.name for p in (bench.folder / "out").glob("*.txt")) == ["f-1.txt", "f-2.txt"]
    assert [saved.path for saved in result.saved] == ["f-1.txt", "f-2.txt"]


def test_a_cancel_inside_a_loop_ends_it(bench):
    cancel = Cancel()
    body = {
        "nodes": {"t": {"type": "add", "inputs": {"left": "$.x"}, "params": {"by": 1}}},
        "outputs": {"x": "t.number"},
    }
    loop = {"type": "repeat", "params": {"times": 5000}, "body": body}
    nodes = {
        "n": {"type": "number"},
        "loop": {**loop, "inputs": {"carry": {"x": "n.number"}}},
        "end": {"type": "add", "inputs": {"left": "loop.x"}},
    }

    def listen(event):
        if isinstance(event, StepDone) and event.turns == (10,):
            cancel()

    assert bench.run(nodes, cancel=cancel, on_event=listen).status == "cancelled"
    assert bench.calls["add"] == 10


def test_a_cancel_token_wakes_and_forgets():
    woken = []
    cancel = Cancel()
    remove = cancel.on_cancel(lambda: woken.append("early"))
    cancel.on_cancel(lambda: woken.append("stays"))
    remove()
    cancel()
    cancel.on_cancel(lambda: woken.append("late"))
    assert woken == ["stays", "late"]
    with pytest.raises(Cancelled):
        cancel.check()
