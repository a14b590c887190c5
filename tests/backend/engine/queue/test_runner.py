"""The runner: each job ends once, whatever happens to the one that computes it."""

import json
import os
import subprocess
import sys
import threading
from itertools import chain
from pathlib import Path

import pytest

from backend.engine.cancel import Cancel
from backend.engine.queue.claims import Claims, reclaim
from backend.engine.queue.errors import QueueError
from backend.engine.queue.history import past
from backend.engine.queue.runner import Runner
from backend.engine.queue.store import Queue
from backend.engine.wire import RunJob
from tests.backend.engine.queue.conftest import (
    Crashing,
    Heard,
    Here,
    Waiting,
    document,
    saying,
)

ROOT = Path(__file__).resolve().parents[4]


def test_jobs_are_run_in_their_order_and_their_files_are_known(shop):
    two, one = shop.add(saying("c")), shop.add(saying("a b", name="n"), priority=1)
    client = Here()
    heard = shop.work(client)
    assert heard.said == [("begun", one), ("done", one), ("begun", two), ("done", two)]
    assert client.closed
    assert shop.files() == {"n.txt": "a", "n-2.txt": "b", "file.txt": "c"}
    ending = past(shop.queue, one).ending
    assert [saved.path for saved in ending.outputs] == ["n.txt", "n-2.txt"]
    assert all(saved.hash.startswith("blake3:") for saved in ending.outputs)
    assert {timing.step for timing in ending.timings} == {"make", "keep"}
    assert ending.seconds > 0
    assert shop.queue.job(one).begun <= shop.queue.job(one).ended


def test_an_empty_queue_starts_no_host(shop):
    made, heard = [], Heard()
    counts = Runner(shop.queue, lambda: made.append("a host"), heard).work(Cancel())
    assert (counts, made, heard.said) == ({}, [], [])


def test_the_seeds_of_a_job_are_those_it_was_queued_with(shop):
    nodes = {
        "n": {"type": "noise", "params": {"seed": "random"}},
        "keep": {"type": "write", "inputs": {"text": "n.text"}},
    }
    shop.queue.add([shop.draft(document(nodes), seeds={"n.seed": seed}) for seed in (5, 6)])
    shop.work()
    assert set(shop.files().values()) == {"5", "6"}


def test_a_job_that_fails_says_why_and_the_next_goes_on(shop):
    nodes = {
        "bad": {"type": "refuse", "params": {"text": "never"}},
        "keep": {"type": "write", "inputs": {"text": "bad.text"}},
    }
    bad, good = shop.add(document(nodes)), shop.add(saying("a"))
    heard = shop.work()
    assert heard.said[1::2] == [("failed", bad), ("done", good)]
    ending = past(shop.queue, bad).ending
    assert ending.sentence == "bad: It does not want to: never."
    assert ending.failures == {"bad": "It does not want to: never."}


def test_a_relative_path_is_in_the_folder_of_the_workflow(shop, tmp_path):
    elsewhere = tmp_path / "flows"
    elsewhere.mkdir()
    (elsewhere / "in.txt").write_text("from there")
    nodes = {
        "from": {"type": "read", "params": {"path": "in.txt"}},
        "keep": {"type": "write", "inputs": {"text": "from.text"}},
    }
    shop.add(document(nodes), base=str(elsewhere), grants=(str(elsewhere),))
    shop.work()
    assert shop.files() == {"file.txt": "from there"}


def test_what_is_gone_by_now_is_a_sentence(shop, tmp_path):
    nodes = {"from": {"type": "read", "params": {"path": "in.txt"}}}
    granted = str(tmp_path / "granted.txt")
    one = shop.add(document(nodes))
    two = shop.add(document(nodes), grants=(str(tmp_path), granted))
    three = shop.add(document(nodes), base=str(tmp_path / "gone"), grants=(str(tmp_path / "gone"),))
    shop.work()
    why = [past(shop.queue, number).ending.sentence for number in (one, two, three)]
    assert "'in.txt' does not exist" in why[0]
    assert why[1] == f"{granted} may be read by this job, but is not there any more. " \
        "Put it back and retry the job."  # fmt: skip
    assert why[2].endswith(
        f"The folder of the workflow, {tmp_path / 'gone'}, is not there any more."
    )


def test_a_document_with_errors_fails_with_what_is_wrong(shop):
    number = shop.add(document({"x": {"type": "no_such_node"}}))
    shop.work()
    assert "no_such_node" in past(shop.queue, number).ending.sentence


def test_a_job_whose_host_dies_is_begun_again(shop):
    number, told = shop.add(saying("a")), []
    client, heard = Crashing(number, times=2), Heard()
    heard.ended = lambda job, state, ending: told.append((state, ending.sentence))
    shop.work(client, heard=heard)
    assert told == [("queued", "The host was killed.")] * 2 + [("done", "")]
    job = shop.queue.job(number)
    assert (job.state, job.attempts, len(client.ran)) == ("done", 3, 3)
    assert [crash.cause for crash in job.crashes] == ["The host was killed."] * 2
    assert shop.files() == {"file.txt": "a"}


def test_a_job_that_kills_its_host_every_time_fails_and_the_others_go_on(shop):
    bad, good = shop.add(saying("a"), priority=1), shop.add(saying("b"))
    shop.work(Crashing(bad), attempts=2)
    assert (shop.state(bad), shop.state(good)) == ("failed", "done")
    assert past(shop.queue, bad).ending.sentence == "The host was killed. It was begun 2 times."


def test_where_no_host_lives_long_enough_the_jobs_stay(shop):
    one, two, three = (shop.add() for _ in range(3))
    with pytest.raises(QueueError, match=r"ends before a job begins\. The host was killed\."):
        shop.work(Crashing(one, two, three, early=True), attempts=2)
    assert shop.state(one) == "failed"  # it might have been this one
    assert shop.line() == [two, three]
    assert shop.queue.job(two).attempts == 0


def test_a_job_that_kills_its_host_before_it_begins_stops_no_other(shop):
    one, two, three = (shop.add() for _ in range(3))
    shop.work(Crashing(one, three, early=True), attempts=2)
    assert [shop.state(number) for number in (one, two, three)] == ["failed", "done", "failed"]


def test_another_program_cancels_a_running_job(shop):
    one, two = shop.add(), shop.add(saying("a"))

    class Once(Waiting):
        def run(self, job, on_event, cancel):
            runs = super().run if not self.ran else Here.run.__get__(self)
            return runs(job, on_event, cancel)

    def cancel_it(job: RunJob) -> None:
        with Queue(shop.queue.path) as other:
            other.cancel([one])

    heard = shop.work(Once(cancel_it))
    assert heard.said == [("begun", one), ("cancelled", one), ("begun", two), ("done", two)]
    assert shop.queue.job(one).attempts == 1


def test_another_program_pauses_a_running_job(shop):
    one = shop.add()
    shop.work(Waiting(lambda job: shop.queue.pause([one])))
    job = shop.queue.job(one)
    assert (job.state, job.paused, job.attempts) == ("queued", True, 0)
    shop.queue.resume([one])
    shop.work()
    assert shop.state(one) == "done"


def test_stopping_puts_the_running_job_back_and_does_not_count(shop):
    one, two = shop.add(), shop.add()
    stop = Cancel()
    heard = shop.work(Waiting(lambda job: stop()), stop=stop)
    assert heard.said == [("begun", one), ("queued", one)]
    assert shop.line() == [one, two]
    assert shop.queue.job(one).attempts == 0


def test_a_client_that_breaks_loses_no_job(shop):
    one = shop.add()

    class Broken(Here):
        def run(self, job, on_event, cancel):
            raise RuntimeError("no host can be started")

    with pytest.raises(RuntimeError):
        shop.work(Broken())
    assert (shop.state(one), shop.queue.job(one).attempts) == ("queued", 0)


def test_how_far_a_job_is_can_be_seen_from_outside(shop):
    from backend.engine.events import Progress, RunStarted, StepDone

    seen = []

    class Slow(Here):
        def run(self, job, on_event, cancel):
            on_event(RunStarted(4, {}))
            on_event(StepDone("first", False, 0.5, {}))
            on_event(Progress("sample", 1, 2))
            with Queue(shop.queue.path) as other:
                while not other.jobs()[0].total:
                    pass
                seen.append(other.jobs()[0])
            return super().run(job, on_event, cancel)

    shop.add(saying("a"))
    shop.work(Slow())
    assert (seen[0].step, seen[0].done, seen[0].total) == ("sample", 1.5, 4.0)


def test_a_chooser_may_take_another_of_the_same_priority(shop):
    shop.queue.add([shop.draft(title=title) for title in "abab"])
    shop.add(priority=-1)
    offered = []

    def same_again(jobs):
        offered.append([job.title for job in jobs])
        return next((n for n, job in enumerate(jobs) if job.title == "a"), 0)

    heard = shop.work(choose=same_again)
    titles = [shop.queue.job(n).title for kind, n in heard.said if kind == "done"]
    assert titles == ["a", "a", "b", "b", "a job"]
    assert offered[0] == ["a", "b", "a", "b"]


TAKER = """
import sys
from pathlib import Path
from backend.engine.queue.claims import Claims
from backend.engine.queue.store import Queue
claims = Claims(Queue(Path(sys.argv[1])))
print(claims.take().id, flush=True)
sys.stdin.readline()
"""


def taker(shop) -> subprocess.Popen:
    """A process that takes a job and holds it."""
    command = [sys.executable, "-c", TAKER, str(shop.queue.path)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def test_the_job_of_a_killed_runner_goes_back_and_that_of_a_living_one_does_not(shop):
    one = shop.add(saying("a"))
    holder = taker(shop)
    assert int(holder.stdout.readline()) == one
    assert reclaim(shop.queue, 3) == []
    assert shop.state(one) == "running"
    holder.kill()
    holder.communicate()
    ((job, state),) = reclaim(shop.queue, 3)
    assert (job.id, state) == (one, "queued")
    shop.work()
    job = shop.queue.job(one)
    assert (job.state, job.attempts) == ("done", 2)
    assert job.crashes[0].cause == "The program that ran it ended before it was done."
    assert os.listdir(shop.queue.leases) == []


def test_a_job_that_takes_its_runner_along_every_time_fails(shop):
    one = shop.add()
    for _ in range(2):
        holder = taker(shop)
        assert int(holder.stdout.readline()) == one
        holder.kill()
        holder.communicate()
        reclaim(shop.queue, 2)
    assert shop.state(one) == "failed"
    assert "It was begun 2 times." in past(shop.queue, one).ending.sentence


def test_a_cancelled_job_of_a_killed_runner_is_cancelled(shop):
    one = shop.add()
    holder = taker(shop)
    assert int(holder.stdout.readline()) == one
    shop.queue.cancel([one])
    holder.kill()
    holder.communicate()
    reclaim(shop.queue, 3)
    assert shop.state(one) == "cancelled"


def test_a_job_that_another_took_over_is_not_ended_twice(shop):
    from backend.engine.queue.job import Ending

    one = shop.add()
    first = Claims(shop.queue)
    job = first.take()
    first.close()  # as if it had died
    reclaim(shop.queue, 3)
    second = Claims(shop.queue)
    assert second.take().id == one
    assert first.wish(job) == "lost"
    assert not first.finish(job, Ending("failed", "too late"))
    assert shop.state(one) == "running"
    second.close()


MANY = """
import json, sys
from pathlib import Path
from backend.engine.queue.claims import Claims
from backend.engine.queue.job import Ending
from backend.engine.queue.store import Queue
queue = Queue(Path(sys.argv[1]))
claims = Claims(queue)
print("ready", flush=True)
sys.stdin.readline()
took = []
while (job := claims.take()) is not None:
    took.append(job.id)
    assert claims.finish(job, Ending("done"))
print(json.dumps(took))
"""


def test_several_processes_take_every_job_once(shop):
    ids = shop.queue.add([shop.draft() for _ in range(60)])
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", MANY, str(shop.queue.path)]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(3)
    ]
    for each in started:
        assert each.stdout.readline() == "ready\n"
    for each in started:
        each.stdin.write("go\n")
        each.stdin.flush()
    took = [json.loads(each.communicate()[0]) for each in started]
    assert sorted(chain.from_iterable(took)) == list(ids)
    assert {shop.state(number) for number in ids} == {"done"}


def test_a_runner_that_is_woken_does_not_wait_for_its_next_look(shop, monkeypatch):
    monkeypatch.setattr("backend.engine.queue.runner.POLL", 60.0)
    stop, heard, ended = Cancel(), Heard(), threading.Event()
    heard.ended = lambda job, state, ending: ended.set()
    runner = Runner(shop.queue, Here, heard)
    thread = threading.Thread(target=lambda: runner.work(stop, wait=True))
    thread.start()
    shop.add()
    runner.wake()
    assert ended.wait(20)
    stop()
    thread.join(20)
    assert not thread.is_alive()
