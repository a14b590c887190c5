"""Jobs that go well, or fail as they may: the same as in the engine of one's own process."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.engine.cancel import Cancel
from backend.engine.client.values import NoValue
from backend.engine.engine import Engine
from backend.engine.events import (
    Note,
    Preview,
    Progress,
    RunFinished,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
)
from backend.engine.registry import scan_nodes
from backend.graph.document import Ref
from backend.graph.format import dump, parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from tests.backend.engine.host.conftest import Desk, flow, harm, until

EXAMPLE = Path(__file__).parents[4] / "workflows" / "text-to-image.weft.json"


def engine(desk: Desk, tmp_path: Path) -> Engine:
    return Engine(
        scan_nodes(desk.nodes),
        grants=Grants(desk.folder, (desk.folder,)),
        output=OutputFolder(tmp_path / "here"),
    )


def test_a_job_says_the_same_as_a_run_in_this_process(desk, tmp_path):
    workflow = flow(
        a=("harm", {"number": 1.0}),
        b=("harm", {"number": Ref("a", "number")}),
        bad=("harm", {"how": "refuse", "number": Ref("b", "number")}),
        after=("harm", {"number": Ref("bad", "number")}),
    )
    here: list = []
    own = engine(desk, tmp_path)
    result = own.run(parse(workflow, "here"), on_event=here.append)
    own.close()
    outcome = desk(workflow, seed=5)

    def told(events):
        return [e for e in events if not isinstance(e, StepDone | RunFinished)]

    assert told(desk.events) == told(here)
    assert [type(e) for e in desk.events] == [type(e) for e in here]
    assert outcome.status == result.status == "failed"
    assert outcome.failures == dict(result.failures)
    assert outcome.diagnostics == result.diagnostics


def test_primer_gives_the_same_bits_as_in_this_process(desk, tmp_path):
    workflow = parse(EXAMPLE.read_text(), "example")
    for node, params in {"sample": {"steps": 2}, "empty": {"width": 64, "height": 64}}.items():
        workflow = with_params(workflow, node, params)
    own = Engine(scan_nodes(), grants=Grants(tmp_path), output=OutputFolder(tmp_path / "here"))
    here = own.run(workflow, only=["decode"]).values["decode"]["image"]
    own.close()
    outcome = desk(dump(workflow), only=("decode",))
    assert outcome.status == "done"
    (step, output, kind) = outcome.outputs[0]
    assert (step, kind) == ("decode", "Image")
    there = desk.client.value(desk.last, step, output)
    assert there.pixels.tobytes() == here.pixels.tobytes()


def with_params(workflow, name, params):
    node = workflow.graph.nodes[name]
    node = replace(node, params={**node.params, **params})
    return replace(
        workflow, graph=replace(workflow.graph, nodes={**workflow.graph.nodes, name: node})
    )


def test_a_workflow_with_errors_is_told_as_such(desk):
    outcome = desk(flow(a=("no_such_node", {})))
    assert outcome.status == "invalid"
    assert [d.code for d in outcome.diagnostics if d.level == "error"] == ["W101"]
    assert desk("{").status == "invalid"
    assert desk(harm("nothing")).status == "done"


def test_a_node_that_leaves_python_fails_alone(desk):
    outcome = desk(harm("leave"))
    assert outcome.status == "failed"
    assert "SystemExit" in outcome.failures["bad"].sentence
    pid = desk.client.pid
    assert desk(harm("nothing", number=7.5)).status == "done"
    assert desk.client.pid == pid


def test_what_a_job_remembers_serves_the_next(desk):
    assert desk(harm("nothing", number=8.25)).status == "done"
    assert desk(harm("nothing", number=8.25)).status == "done"
    assert [e.cached for e in desk.events if isinstance(e, StepDone)] == [True]
    desk(harm("nothing", number=8.25), use_cache=False)
    assert [e.cached for e in desk.events if isinstance(e, StepDone)] == [False]


def test_files_are_written_to_the_output_folder_of_the_job(desk, tmp_path):
    workflow = flow(
        a=("made", {}), save=("save_image", {"image": Ref("a", "image"), "name": "x-{counter}"})
    )
    outcome = desk(workflow, output=str(tmp_path / "there"))
    assert [saved.path for saved in outcome.saved] == ["x-1.png"]
    assert (tmp_path / "there" / "x-1.png").is_file()
    again = desk(workflow, output=str(tmp_path / "there"))
    assert (again.saved, again.kept) == ((), outcome.saved)


def test_values_come_through_files_that_are_gone_then(desk):
    outcome = desk(flow(a=("made", {"size": 700, "seed": 3}), b=("words", {}), c=("film", {})))
    job = desk.last
    kinds = {step: kind for step, _, kind in outcome.outputs}
    assert kinds == {"a": "Image", "b": "list[str]", "c": "Video"}
    names = {step: output for step, output, _ in outcome.outputs}
    image = desk.client.value(job, "a", names["a"])
    expected = np.random.default_rng(3).random((1, 700, 700, 3), dtype=np.float32)
    assert image.pixels.tobytes() == expected.tobytes()
    assert not image.pixels.flags.writeable
    assert desk.client.value(job, "b", names["b"]) == ["no", "big", "thing"]
    values = desk.folder / "cache" / "values"
    film = desk.client.value(job, "c", names["c"])
    desk(harm("nothing"))  # the host lets go of its frames
    frames = film.read().pixels
    assert frames.max(axis=(1, 2, 3)).round(1).tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert [p.suffix for p in values.glob(".weft-*.tmp.*")] == [".frames"]
    del film, frames
    assert not list(values.glob(".weft-*.tmp.*"))
    with pytest.raises(NoValue, match="run the job again"):
        desk.client.value(job, "a", names["a"])


def test_jobs_of_several_threads_take_turns_in_order(desk):
    order, own = [], {}
    cancel = Cancel()
    started = threading.Event()

    def first():
        desk.client.run(
            desk.job(harm("wait")),
            lambda e: started.set() if isinstance(e, StepStarted) else None,
            cancel,
        )
        order.append(0)

    def later(i):
        own[i] = []
        outcome = desk.client.run(desk.job(harm("nothing", number=float(i))), own[i].append)
        assert outcome.status == "done"
        order.append(i)

    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert started.wait(30)
    waiting = desk.client._turns._line
    for i in range(1, 6):
        threads.append(threading.Thread(target=later, args=(i,)))
        threads[-1].start()
        until(lambda i=i: len(waiting) == i)
    cancel()
    for thread in threads:
        thread.join(30)
    assert sorted(order) == list(range(6))
    for i in range(1, 6):
        assert isinstance(own[i][0], RunStarted)
        assert isinstance(own[i][-1], RunFinished)
        assert sum(isinstance(e, RunFinished) for e in own[i]) == 1


def test_a_job_that_waits_can_be_cancelled(desk):
    first, second = Cancel(), Cancel()
    started, outcomes = threading.Event(), {}

    def run(name, cancel, tell):
        outcomes[name] = desk.client.run(desk.job(harm("wait")), tell, cancel)

    one = threading.Thread(
        target=run,
        args=("one", first, lambda e: started.set() if isinstance(e, StepStarted) else None),
    )
    one.start()
    assert started.wait(30)
    two = threading.Thread(target=run, args=("two", second, lambda e: None))
    two.start()
    until(lambda: len(desk.client._turns._line) == 1)
    second()
    two.join(10)
    assert outcomes["two"].status == "cancelled"
    assert one.is_alive()
    first()
    one.join(10)
    assert outcomes["one"].status == "cancelled"
    assert outcomes["one"].crash is None


def test_a_cancel_is_heard_at_once(desk):
    cancel, times = Cancel(), []

    def stop(event):
        if isinstance(event, StepStarted):
            times.append(time.monotonic())
            cancel()

    pid = desk.client.pid
    outcome = desk.client.run(desk.job(harm("wait")), stop, cancel)
    assert outcome.status == "cancelled"
    assert time.monotonic() - times[0] < 0.5
    assert desk.client.pid == pid


def test_what_a_listener_raises_ends_the_job_and_not_the_host(desk):
    def broken(event):
        if isinstance(event, StepStarted):
            raise ValueError("no more")

    pid = desk.client.pid
    with pytest.raises(ValueError, match="no more"):
        desk.client.run(desk.job(harm("wait")), broken)
    assert desk.client.pid == pid
    assert desk(harm("nothing")).status == "done"


def test_a_slow_listener_neither_holds_up_the_job_nor_fills_memory(desk, tmp_path):
    mark = tmp_path / "mark"
    heard: list = []

    def slow(event):
        heard.append(event)
        if isinstance(event, StepStarted):
            until(mark.exists, 60)  # the node goes on to its end while nobody listens

    workflow = flow(a=("chatter", {"count": 2000, "side": 128, "mark": str(mark)}))
    outcome = desk.client.run(desk.job(workflow), slow)
    assert outcome.status == "done"
    done = [e.done for e in heard if isinstance(e, Progress)]
    assert done == sorted(done)
    assert sum(isinstance(e, Preview) for e in heard) < 2000  # the newest took the older's place
    assert [type(e) for e in heard if not isinstance(e, Preview | Progress)] == [
        RunStarted, StepStarted, Note, StepDone, RunFinished,
    ]  # fmt: skip
    assert not any(isinstance(e, StepFailed) for e in heard)
