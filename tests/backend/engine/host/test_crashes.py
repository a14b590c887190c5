"""Hosts that die: the client hears of it at once, says why, and goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import psutil
import pytest

from backend.engine.cancel import Cancel
from backend.engine.client import RunningStep
from backend.engine.events import RunFinished, RunStarted, StepDone, StepFailed, StepStarted
from backend.graph.document import Ref
from tests.backend.engine.host.conftest import alive, flow, harm, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.mark.parametrize(
    ("how", "number", "status", "words"),
    [
        ("segfault", signal.SIGSEGV, None, "crashed in native code (SIGSEGV)"),
        ("abort", signal.SIGABRT, None, "crashed in native code (SIGABRT)"),
        ("exit", None, 3, "ended itself with exit status 3"),
        ("kill", signal.SIGKILL, None, "was killed from outside (SIGKILL)"),
    ],
)
def test_the_end_of_a_host_is_told_within_a_second(desk, tmp_path, how, number, status, words):
    mark = tmp_path / "mark"
    outcome = desk(harm(how, mark=str(mark)))
    heard = time.monotonic()
    assert heard - float(mark.read_text()) < 1.0
    assert outcome.status == "crashed"
    crash = outcome.crash
    assert crash.steps == (RunningStep("bad"),)
    assert (crash.signal, crash.status) == (number, status)
    assert words in crash.cause
    assert crash.cause.endswith("while bad ran.")
    assert crash.last_output == f"about to {how}\n"
    assert crash.peak_memory > 10 * 2**20
    assert ("in harm" in crash.trace) == (how in ("segfault", "abort"))
    assert [type(e) for e in desk.events] == [RunStarted, StepStarted, StepFailed, RunFinished]
    assert desk.events[-1].status == "failed"
    assert outcome.failures["bad"].sentence == crash.cause


def test_the_next_job_finds_a_new_host(desk):
    assert desk(harm("exit")).status == "crashed"
    assert desk(harm("nothing")).status == "done"


def test_what_was_done_before_a_crash_is_told(desk):
    workflow = flow(
        image=("made", {}),
        save=("save_image", {"image": Ref("image", "image"), "name": "kept"}),
        first=("harm", {"number": 1.5}),
        bad=("harm", {"how": "exit", "number": Ref("first", "number")}),
    )
    only_last = desk(workflow, only=("save",))
    assert [saved.path for saved in only_last.saved] == ["kept.png"]
    outcome = desk(workflow, only=("bad",))
    assert outcome.status == "crashed"
    assert outcome.crash.steps == (RunningStep("bad"),)
    assert [e.step for e in desk.events if isinstance(e, StepDone)] == ["first"]
    assert (desk.events[-1].ran, desk.events[-1].failed) == (1, 1)


def test_what_was_costly_is_not_lost_with_the_very_next_step(desk, tmp_path):
    mark = tmp_path / "mark"
    workflow = flow(
        image=("made", {"size": 512}),
        slow=("labour", {"image": Ref("image", "image"), "mark": str(mark)}),
        bad=("harm", {"how": "kill", "number": Ref("slow", "number")}),
    )
    for _ in range(3):
        assert desk(workflow).status == "crashed"
    assert mark.read_text() == "once"


def test_a_node_that_eats_all_memory_is_ended(desk):
    outcome = desk(harm("eat"))
    assert outcome.status == "crashed"
    assert "more memory than the 0.391 GiB that it may" in outcome.crash.cause
    assert 400 * 2**20 < outcome.crash.peak_memory < 1200 * 2**20


@pytest.mark.parametrize("how", ["loop", "stuck"])
def test_what_does_not_answer_a_cancel_is_ended_after_the_grace_time(desk, how):
    cancel, times = Cancel(), []

    def stop(event):
        if isinstance(event, StepStarted):
            times.append(time.monotonic())
            cancel()

    outcome = desk.client.run(desk.job(harm(how)), stop, cancel)
    took = time.monotonic() - times[0]
    assert outcome.status == "cancelled"
    assert 0.5 <= took < 1.5
    assert "did not answer within 0.5 s" in outcome.crash.cause
    assert "in harm" in outcome.crash.trace
    assert desk(harm("nothing")).status == "done"


def test_what_a_node_has_started_dies_with_the_host(desk, tmp_path):
    mark = tmp_path / "mark"
    assert desk(flow(bad=("child", {"mark": str(mark)}))).status == "crashed"
    pid = int(mark.read_text())
    until(lambda: not alive(pid))


def test_a_standby_takes_over(fresh):
    fresh._settings["standby"] = True
    assert fresh(harm("nothing")).status == "done"
    hosts = fresh.client._hosts
    until(lambda: hosts.standby is not None and hosts.standby.ready is not None)
    first, second = fresh.client.pid, hosts.standby.pid
    assert fresh(harm("exit")).status == "crashed"
    assert fresh(harm("nothing")).status == "done"
    assert fresh.client.pid == second
    until(lambda: hosts.standby is not None)
    third = hosts.standby.pid
    assert len({first, second, third}) == 3
    # Killed while nothing runs, both are replaced.
    os.kill(second, signal.SIGKILL)
    os.kill(third, signal.SIGKILL)
    until(lambda: fresh.client.pid not in (None, second, third))
    assert fresh(harm("nothing")).status == "done"
    fresh.close()
    until(lambda: not any(alive(pid) for pid in (first, second, third)))
    assert not zombies()


def test_a_job_whose_host_was_killed_before_it_begins_begins_with_the_next(desk):
    assert desk(harm("nothing")).status == "done"
    pid = desk.client.pid
    os.kill(pid, signal.SIGSTOP)  # so that the job surely waits in the pipe
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(desk(harm("nothing", number=9.5))))
    thread.start()
    until(lambda: desk.client._hosts.current.busy)
    os.kill(pid, signal.SIGKILL)
    thread.join(30)
    assert outcomes[0].status == "done"
    assert sum(isinstance(event, RunStarted) for event in desk.events) == 1
    assert desk.client.pid != pid


def test_hosts_that_never_begin_are_not_started_for_ever(fresh):
    broken = fresh.nodes / "broken.py"
    broken.write_text("import os\nprint('so it goes', flush=True)\nos._exit(7)\n")
    outcome = fresh(harm("nothing"))
    assert outcome.status == "crashed"
    assert "ended 3 times in a row before any step ran" in outcome.crash.cause
    assert "exit status 7" in outcome.crash.cause
    assert "so it goes" in outcome.crash.cause
    assert outcome.crash.status == 7
    assert fresh.client.pid is None
    broken.unlink()
    assert fresh(harm("nothing")).status == "done"


def test_nothing_is_left_behind_by_restarts(desk):
    desk(harm("nothing"))
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(5):
        assert desk(harm("exit")).status == "crashed"
    desk(harm("nothing"))
    until(lambda: threading.active_count() <= before[1])
    assert len(os.listdir("/proc/self/fd")) <= before[0]
    assert not zombies()


def test_closing_ends_a_running_job(fresh):
    started, outcomes = threading.Event(), []
    tell = lambda event: started.set() if isinstance(event, StepStarted) else None  # noqa: E731
    thread = threading.Thread(
        target=lambda: outcomes.append(fresh.client.run(fresh.job(harm("loop")), tell))
    )
    thread.start()
    assert started.wait(30)
    pid = fresh.client.pid
    fresh.close()
    thread.join(5)
    assert outcomes[0].status == "cancelled"
    assert not alive(pid)


def zombies() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if child.status() == psutil.STATUS_ZOMBIE]
