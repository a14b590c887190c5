"""``weft queue`` with real processes: what is queued is run once, whoever is killed meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from backend.cli.errors import CANCELLED, DONE, FAILED, INVALID, USAGE
from backend.engine.queue.job import Draft
from backend.engine.queue.store import Queue

SOLID = {"type": "solid_image", "params": {"width": 8, "height": 8, "color": "#102030"}}


def saving(name: str = "kept") -> dict:
    """A picture and the node that saves it."""
    return {
        "picture": SOLID,
        "keep": {
            "type": "save_image",
            "params": {"name": name},
            "inputs": {"image": "picture.image"},
        },
    }


@pytest.fixture
def weft(weft):
    weft.environment["WEFT_HOST_STANDBY"] = "false"
    return weft


def queue_of(weft) -> Queue:
    """The queue of this user, opened by this process."""
    return Queue(weft.folder / "data" / "weft" / "queue.sqlite")


def fill(weft, count: int, name: str = "kept") -> None:
    """Queue jobs that differ in the width of the picture they save."""
    base, out = str(weft.folder), str(weft.folder / "output")
    with queue_of(weft) as queue:
        for width in range(1, count + 1):
            nodes = json.loads(json.dumps(saving(name)))
            nodes["picture"]["params"]["width"] = width
            full = {key: {"version": 1, **node} for key, node in nodes.items()}
            text = json.dumps({"weft": 1, "nodes": full})
            queue.add([Draft(text, base, out, (base,), title="square")])


def jobs(weft, *more: str) -> list[dict]:
    done = weft("queue", "list", "--json", *more)
    assert done.status == DONE, done.err
    return [event for event in done.events if event["event"] == "job"]


def outputs(weft) -> list[str]:
    found = (weft.folder / "output").rglob("*")
    return sorted(path.name for path in found if path.is_file())


def test_what_is_queued_is_run_as_it_was_then_and_comes_into_the_history(weft):
    flow = weft.flow(saving("first"))
    done = weft("queue", "add", flow, "--title", "a square", "--set", "picture.width=9")
    assert done.status == DONE, done.err
    assert done.out.startswith("Queued job 1: a square.")
    weft.flow(saving("second"))
    (job,) = jobs(weft)
    assert (job["id"], job["state"], job["title"]) == (1, "queued", "a square")
    assert job["grants"] == [str(weft.folder)]
    done = weft("queue", "run")
    assert done.status == DONE, done.err
    assert done.out.splitlines() == [str(weft.folder / "output" / "first.png")]
    assert "Job 1 done in" in done.err
    assert outputs(weft) == ["first.png"]
    assert jobs(weft) == []
    assert [each["state"] for each in jobs(weft, "--all")] == ["done"]
    shown = weft("history", "show", "1")
    assert "first.png  blake3:" in shown.out
    again = weft("history", "show", "1", "--workflow")
    assert json.loads(again.out)["nodes"]["picture"]["params"]["width"] == 9
    assert weft("queue", "clear").out == "Cleared 1 job.\n"
    assert jobs(weft, "--all") == []
    assert weft("history", "search", "a square").out.count("done") == 1


def test_a_workflow_with_errors_is_refused_with_what_is_wrong(weft):
    flow = weft.flow({"x": {"type": "blurr"}})
    done = weft("queue", "add", flow, "--json")
    assert done.status == INVALID
    assert [done.events[0]["event"], done.events[-1]["event"]] == ["diagnostic", "error"]
    assert "blurr" in done.events[0]["sentence"]
    with queue_of(weft) as queue:
        assert queue.jobs() == []


def test_a_job_reads_beside_its_workflow_wherever_it_is_run_from(weft):
    weft("run", weft.flow(saving("in"), name="a/make.weft.json"), "--out", "a")
    nodes = {
        "from": {"type": "load_image", "params": {"file": "in.png"}},
        "keep": {
            "type": "save_image",
            "params": {"name": "out"},
            "inputs": {"image": "from.image"},
        },
    }
    assert weft("queue", "add", weft.flow(nodes, name="a/flow.weft.json")).status == DONE
    (weft.folder / "a" / "in.png").rename(weft.folder / "a" / "kept.png")
    done = weft("queue", "run")
    assert done.status == FAILED
    assert "'in.png' does not exist" in done.err
    (weft.folder / "a" / "kept.png").rename(weft.folder / "a" / "in.png")
    assert weft("queue", "retry", "1").out == "Queued job 2, a copy of job 1.\n"
    assert weft("queue", "run").status == DONE
    assert outputs(weft) == ["out.png"]


def test_the_memory_for_models_is_said_for_the_whole_queue(weft):
    assert weft("queue", "add", "text-to-image", "--set", "sample.steps=1").status == DONE
    done = weft("queue", "run", "--memory", "1MiB")
    assert done.status == FAILED
    assert "but the memory budget is 1.0 MiB" in done.err
    assert weft("queue", "retry", "1").status == DONE
    done = weft("queue", "run", "--memory", "12MiB")
    assert done.status == DONE, done.err
    done = weft("queue", "run", "--memory", "much")
    assert (done.status, done.err.startswith("--memory much: write a size")) == (USAGE, True)


def test_a_batch_draws_its_seeds_when_it_is_queued(weft):
    nodes = {"x": SOLID}
    refused = weft("queue", "add", weft.flow(nodes), "--count", "3")
    assert refused.status == USAGE
    assert "No node of the workflow has a seed" in refused.err
    done = weft("queue", "add", "text-to-image", "--count", "3", "--seed", "5", "--json")
    assert [list(each["seeds"].values()) for each in done.events] == [[5], [6], [7]]
    drawn = weft("queue", "add", "text-to-image", "--set", "sample.seed=random", "--count", "2",
                 "--json")  # fmt: skip
    one, two = (each["seeds"]["sample.seed"] for each in drawn.events)
    assert one != two


def test_the_line_can_be_put_in_another_order(weft):
    fill(weft, 3)
    weft("queue", "move", "2", "--first")
    assert [job["id"] for job in jobs(weft)] == [2, 1, 3]
    weft("queue", "move", "3", "--before", "1")
    weft("queue", "move", "2", "--last")
    assert [job["id"] for job in jobs(weft)] == [3, 1, 2]
    assert weft("queue", "move", "2").status == USAGE
    assert weft("queue", "move", "9", "--first").err.startswith("There is no job 9;")


def test_paused_jobs_stay_and_cancelled_ones_do_not_come_back(weft):
    fill(weft, 3)
    weft("queue", "pause", "1")
    weft("queue", "cancel", "2")
    done = weft("queue", "run")
    assert done.status == DONE
    assert "1 job paused" in done.err
    assert [(job["id"], job["paused"]) for job in jobs(weft)] == [(1, True)]
    assert weft("queue", "cancel").status == USAGE
    assert (
        weft("queue", "cancel", "2").err == "Job 2 is cancelled and cannot be cancelled any more.\n"
    )
    assert weft("queue", "cancel", "--all").out == "Cancelled 1 job.\n"


def test_a_paused_queue_waits_and_another_program_lets_it_go_on(weft):
    fill(weft, 1)
    weft("queue", "pause")
    with weft.start("queue", "run", "--json", stdout=subprocess.PIPE) as running:
        assert json.loads(running.stdout.readline()) == {"event": "paused"}
        assert weft("queue", "resume").status == DONE
        rest = [json.loads(line) for line in running.stdout]
    assert running.returncode == DONE
    assert [each["event"] for each in rest] == ["job", "saved", "ended"]
    watched = weft("queue", "watch", "--json")
    assert watched.events[-1] == {
        "event": "queue",
        "queued": 0,
        "held": 0,
        "running": 0,
        "paused": False,
    }


def test_a_job_does_not_need_the_folder_that_it_was_queued_from(weft):
    flow = weft.flow(saving("kept"))
    here = weft.folder / "here"
    here.mkdir()
    command = weft.command("queue", "add", f"../{flow.name}", "--out", "../output")
    more = ["--allow-read", "../home"]
    (weft.folder / "home").mkdir()
    subprocess.run([*command, *more], cwd=here, env=weft.environment, check=True)
    here.rmdir()
    done = weft("queue", "run")
    assert done.status == DONE, done.err
    assert outputs(weft) == ["kept.png"]


def test_ctrl_c_puts_the_running_job_back(weft):
    weft("queue", "add", "text-to-image")
    with weft.start("queue", "run", "--json", stdout=subprocess.PIPE) as running:
        assert json.loads(running.stdout.readline())["event"] == "job"
        running.send_signal(signal.SIGINT)
    assert running.returncode == CANCELLED
    (job,) = jobs(weft)
    assert (job["state"], job["attempts"], job["crashes"]) == ("queued", 0, [])


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no signals here")
def test_a_terminal_that_is_closed_puts_the_running_job_back(weft, terminal):
    weft("queue", "add", "text-to-image")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with weft.start("queue", "run", "--json", **pipes) as running:
        assert json.loads(running.stdout.readline())["event"] == "job"
        running.send_signal(signal.SIGHUP)
        said = iter(running.stderr.readline, "")
        assert any("Cancelling" in line for line in said)
        running.send_signal(signal.SIGHUP)  # the shell sends it, and so does the system
        running.communicate()
    assert running.returncode == CANCELLED
    (job,) = jobs(weft)
    assert (job["state"], job["attempts"], job["crashes"]) == ("queued", 0, [])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no signals here")
def test_killing_the_runner_again_and_again_loses_and_doubles_nothing(weft):
    fill(weft, 5, "k-{counter:2}")
    for line in (1, 3, 2):  # a job began, one ended, a file was saved
        with weft.start("queue", "run", "--json", stdout=subprocess.PIPE) as running:
            for _ in range(line):
                running.stdout.readline()
            running.kill()
    done = weft("queue", "run", WEFT_QUEUE_ATTEMPTS="50")
    assert done.status == DONE, done.err
    assert outputs(weft) == [f"k-{n:02}.png" for n in range(1, 6)]
    ended = jobs(weft, "--all")
    assert [job["state"] for job in ended] == ["done"] * 5
    shown = weft("history", "show", "--json").events
    files = [output["path"] for each in shown for output in each["outputs"]]
    assert sorted(files) == outputs(weft)


def test_a_list_of_ended_jobs_does_not_say_that_there_are_none(weft):
    fill(weft, 1)
    assert weft("queue", "cancel", "1").status == DONE
    lines = weft("queue", "list", "--all").out.splitlines()
    assert "square" in lines[0]
    assert lines[1:] == ["Nothing to do."]


def test_a_broken_queue_is_a_sentence(weft):
    with queue_of(weft) as queue:
        place = queue.path
    place.write_bytes(b"nothing like a database " * 500)
    done = weft("queue", "list")
    assert done.status == FAILED
    assert "is broken" in done.err
    assert done.out == ""
