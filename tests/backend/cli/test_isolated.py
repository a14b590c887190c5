"""``weft run --isolated``: the same as a run in this process, but a crash is only a failure."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from PIL import Image

CARD = {"type": "solid_image", "params": {"width": 48, "height": 32}}


@pytest.fixture
def weft(weft):
    """Each call in a new process: how that begins and ends is what these tests are about."""
    weft.forks = None
    return weft


def told(done):
    """The events without what differs from run to run."""
    free = {"seconds", "hash", "outputs"}
    return [{k: v for k, v in event.items() if k not in free} for event in done.events]


def test_it_says_and_writes_the_same_as_a_run_in_one_process(weft):
    here = weft("run", "photo-finish", "--no-cache", "--json", "--out", "here")
    there = weft("run", "photo-finish", "--no-cache", "--json", "--out", "there", "--isolated")
    assert (there.status, there.err) == (here.status, here.err) == (0, "")
    assert told(there) == told(here)
    name = next(e["path"] for e in here.events if e["event"] == "saved")
    pictures = [np.asarray(Image.open(weft.folder / out / name)) for out in ("here", "there")]
    assert np.array_equal(*pictures)


def test_texts_are_shown(weft):
    path = weft.flow({"say": {"type": "text", "params": {"value": "hello\nthere"}}})
    here, there = weft("run", path), weft("run", path, "--isolated")
    assert there.out == here.out
    assert "hello" in there.out


def test_what_is_wrong_ends_with_the_same_status_and_sentence(weft):
    missing = {"read": {"type": "load_image", "params": {"path": "not-there.png"}}}
    unknown = {"what": {"type": "no_such_node"}}
    for nodes, status in ((missing, (1, 3)), (unknown, (3,))):
        path = weft.flow(nodes)
        here, there = weft("run", path), weft("run", path, "--isolated")
        assert here.status == there.status
        assert here.status in status
        assert there.err.splitlines()[0] == here.err.splitlines()[0]


def test_the_setting_asks_for_it_and_the_flag_overrides(weft):
    (weft.folder / "settings.toml").write_text("[run]\nisolated = true\n")
    settings = {"WEFT_SETTINGS": str(weft.folder / "settings.toml")}
    path = weft.flow({"card": CARD})
    assert weft("run", path, **settings).status == 0
    assert weft("run", path, "--in-process", **settings).status == 0


def long_flow():
    """A picture that is blurred thousands of times."""
    body = {
        "nodes": {
            "blur": {
                "type": "blur", "version": 1, "params": {"radius": 3.5},
                "inputs": {"image": "$.image"},
            }
        },
        "outputs": {"image": "blur.image"},
    }  # fmt: skip
    params = {"width": 256, "height": 256}
    return {
        "card": {"type": "solid_image", "params": params},
        "turns": {
            "type": "repeat", "params": {"times": 10000},
            "inputs": {"carry": {"image": "card.image"}}, "body": body,
        },
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize("sent", ["kill", "interrupt"])
def test_a_host_that_is_killed_is_a_failure_and_an_interrupt_a_cancel(weft, sent):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = weft.start("run", weft.flow(long_flow()), "--isolated", "--json", **pipes)
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "step_started" and events[-1].get("turns"):
            break
    (host,) = psutil.Process(process.pid).children()
    if sent == "kill":
        host.kill()
    else:
        process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    events += [json.loads(line) for line in rest.splitlines()]
    assert events[-1]["event"] == "run_finished"
    if sent == "kill":
        assert process.returncode == 1
        assert events[-1]["status"] == "failed"
        failed = [e for e in events if e["event"] == "step_failed"]
        assert "killed from outside (SIGKILL)" in failed[0]["sentence"]
        assert "details of what failed are in" in said
    else:
        assert process.returncode == 130
        assert events[-1]["status"] == "cancelled"
    assert not psutil.pid_exists(host.pid) or host.status() == psutil.STATUS_ZOMBIE
