"""Steps of waiting jobs are taken ahead: by a fake host, and by a real one with Primer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.engine.cancel import Cancel
from backend.engine.client import Crash, HostClient, JobOutcome
from backend.engine.events import Note
from backend.engine.host.work import Workplace
from backend.engine.queue.ahead import MOST
from backend.engine.wire import RunJob, Setup
from tests.backend.engine.queue.conftest import Heard, Here, Shop, saying

WORKFLOWS = Path(__file__).resolve().parents[4] / "workflows"
MIB = 2**20


class Ordered(Here):
    """A host that says to make the words of every job before the first is run."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.parts: list[str] = []
        self.died_with = ""
        self.meanwhile = lambda: None

    def arrange(self, jobs: Any, cancel: Cancel) -> Any:
        self.asked.append([job.id for job in jobs])
        return tuple((place, ("make",)) for place in range(len(jobs))), len(jobs)

    def run(self, job: RunJob, on_event: Any, cancel: Cancel | None) -> JobOutcome:
        if " ahead " not in job.id:
            return super().run(job, on_event, cancel)
        assert (job.ledger, job.job, job.only) == (None, None, ("make",))
        self.parts.append(job.id.partition(":")[0])
        on_event(Note("make", f"of {self.parts[-1]}"))
        self.meanwhile()
        if job.id.startswith(f"{self.died_with}:"):
            return JobOutcome("crashed", crash=Crash((), "The host was killed.", signal=9))
        return JobOutcome("done")


class Noted(Heard):
    """What a runner said, with the notes of jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def event(self, job: Any, event: Any) -> None:
        if isinstance(event, Note) and event.step:
            self.said.append((event.text, job.id))
        elif isinstance(event, Note):
            self.notes.append(event.text)


def order_of(host: Ordered) -> list[str]:
    return [name.partition(":")[0] for name in host.ran]


def test_parts_of_all_come_before_the_first_and_nobody_is_asked_twice(shop: Shop) -> None:
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    host = Ordered()
    heard = Noted()
    shop.work(host, heard=heard)
    assert (host.parts, order_of(host)) == (["1", "2", "3"], ["1", "2", "3"])
    assert host.asked == [["1:1", "2:0", "3:0"]]
    assert [shop.state(number) for number in (1, 2, 3)] == ["done"] * 3
    assert sorted(shop.files().values()) == ["one", "three", "two"]
    assert len(heard.notes) == 1
    assert heard.notes[0].startswith("The first steps of 3 jobs are taken together")


def test_what_steps_have_to_say_is_said_when_their_job_begins(shop: Shop) -> None:
    for word in ("one", "two"):
        shop.add(saying(word))
    heard = Noted()
    shop.work(Ordered(), heard=heard)
    assert heard.said == [
        ("begun", 1), ("of 1", 1), ("done", 1), ("begun", 2), ("of 2", 2), ("done", 2),
    ]  # fmt: skip


def test_a_job_that_is_cancelled_meanwhile_is_left_out(shop: Shop) -> None:
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    host = Ordered()
    host.meanwhile = lambda: shop.queue.cancel([2]) if host.parts == ["1"] else None
    shop.work(host)
    assert host.parts == ["1", "3"]
    assert [shop.state(number) for number in (1, 2, 3)] == ["done", "cancelled", "done"]


def test_a_queue_that_is_paused_meanwhile_goes_no_further(shop: Shop) -> None:
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    host, stop = Ordered(), Cancel()
    host.meanwhile = shop.queue.pause

    class Stopping(Noted):
        def ended(self, job: Any, state: str, ending: Any) -> None:
            super().ended(job, state, ending)
            stop()

    shop.work(host, stop=stop, heard=Stopping())
    assert host.parts == ["1"]
    assert [shop.state(number) for number in (1, 2, 3)] == ["done", "queued", "queued"]


def test_a_cancel_while_the_order_is_asked_for_costs_the_others_nothing(shop: Shop) -> None:
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    stop = Cancel()

    class Slow(Ordered):
        def arrange(self, jobs: Any, cancel: Cancel) -> Any:
            found = super().arrange(jobs, cancel)
            if len(self.asked) == 1:
                shop.queue.cancel([1])
                cancel()
            return ((), len(jobs)) if cancel.is_set else found

    host = Slow()
    shop.work(host, stop=stop)
    assert host.asked == [["1:1", "2:0", "3:0"], ["2:1", "3:0"]]
    assert shop.state(1) == "cancelled"


def test_one_job_alone_is_not_asked_about_and_many_are_in_parts(shop: Shop) -> None:
    shop.add(saying("alone"))
    host = Ordered()
    shop.work(host)
    assert host.asked == []
    for _ in range(MOST + 2):
        shop.add(saying("many"))
    shop.work(host)
    assert [len(each) for each in host.asked] == [MOST, 2]


def test_a_host_that_dies_over_it_costs_nobody_an_attempt(shop: Shop) -> None:
    numbers = [shop.add(saying(word)) for word in ("one", "two", "three")]
    host = Ordered()
    host.died_with = "2"
    shop.work(host)
    assert host.parts == ["1", "2"]
    assert [shop.state(number) for number in numbers] == ["done"] * 3
    assert [shop.queue.job(number).attempts for number in numbers] == [1, 1, 1]


def test_a_job_that_was_begun_before_takes_nothing_along(shop: Shop) -> None:
    """It may be what killed the host then."""
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    with shop.queue.database.changes() as db:
        db.execute("UPDATE jobs SET attempts = 1 WHERE id = 1")
    host = Ordered()
    shop.work(host)
    assert host.asked == [["2:1", "3:0"]]


def test_an_urgent_job_ends_it(shop: Shop) -> None:
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    host = Ordered()

    def come() -> None:
        if host.parts == ["1"]:
            shop.add(saying("now"), priority=5)

    host.meanwhile = come
    shop.work(host)
    assert order_of(host) == ["1", "4", "2", "3"]
    assert host.parts == ["1", "2", "3"]  # those that are left have their turn when one begins
    assert host.asked == [["1:1", "2:0", "3:0"], ["2:1", "3:0"]]


def test_what_there_was_no_time_for_is_taken_with_the_next_job(shop: Shop, monkeypatch) -> None:
    for word in ("one", "two", "three"):
        shop.add(saying(word))
    host = Ordered()
    monkeypatch.setattr("backend.engine.queue.ahead.PATIENCE", -1.0)
    shop.work(host)
    assert host.parts == []
    assert host.asked == [["1:1", "2:0", "3:0"], ["2:1", "3:0"]]
    assert order_of(host) == ["1", "2", "3"]


def test_a_cancel_ends_it_and_the_job(shop: Shop) -> None:
    first = shop.add(saying("one"))
    second = shop.add(saying("two"))
    host, stop = Ordered(), Cancel()
    host.meanwhile = stop
    shop.work(host, stop=stop)
    assert host.parts == ["1"]
    assert [shop.state(first), shop.state(second)] == ["queued", "queued"]
    assert shop.files() == {}


def test_a_job_that_could_not_be_run_is_left_out(shop: Shop) -> None:
    shop.add(saying("one"))
    gone = shop.folder / "gone"
    shop.queue.add([replace(shop.draft(saying("two")), grants=(str(gone),))])
    shop.add(saying("three"))
    host = Ordered()
    shop.work(host)
    assert host.asked == [["1:1", "3:0"]]
    assert [shop.state(number) for number in (1, 2, 3)] == ["done", "failed", "done"]


class InProcess(Here):
    """A host's workplace without its process, of which what it reads can be counted."""

    def __init__(self, folder: Path, budget: int, ahead: bool) -> None:
        super().__init__()
        setup = Setup(str(folder), device="cpu", disk=0, warm=False, models=budget)
        self.place, self.ahead, self.read = Workplace(setup), ahead, 0

    def run(self, job: RunJob, on_event: Any, cancel: Cancel | None) -> JobOutcome:
        end = self.place.run(job, on_event, cancel or Cancel())
        self.read = int(self.place._models["cpu"].read[0])
        told = ("status", "failures", "saved", "kept", "seconds", "seeds", "diagnostics")
        return JobOutcome(**{name: getattr(end, name) for name in told})

    def arrange(self, jobs: Any, cancel: Cancel) -> Any:
        turns, seen = self.place.arrange(jobs)
        return [(turn.job, turn.steps) for turn in turns] if self.ahead else [], seen

    def close(self) -> None:
        self.place.close()


def pictures(count: int) -> list[str]:
    document = json.loads((WORKFLOWS / "text-to-image.weft.json").read_text("utf-8"))
    found = []
    for number in range(count):
        document["nodes"]["prompt"]["params"]["text"] = f"{number + 2} red circles"
        document["nodes"]["sample"]["params"] |= {"steps": 2, "seed": number}
        found.append(json.dumps(document))
    return found


def made(folder: Path, budget: int, ahead: bool) -> tuple[int, list[np.ndarray]]:
    """Bytes read for four pictures, and the pictures."""
    folder.mkdir()
    shop = Shop(folder)
    for document in pictures(4):
        shop.add(document, base=str(WORKFLOWS), grants=(str(WORKFLOWS),))
    host = InProcess(folder / "cache", budget, ahead)
    shop.work(host)
    assert {shop.state(number) for number in range(1, 5)} == {"done"}
    files = sorted(shop.out.glob("*.png"))
    return host.read, [np.asarray(Image.open(file)) for file in files]


def test_each_model_is_read_about_once_for_all_jobs_and_the_bits_are_the_same(tmp_path) -> None:
    """Primer has a text encoder of 2.6 MiB, a transformer of 7.9 and a decoder of 5: 15 MiB hold
    any two of them."""
    together, ahead = made(tmp_path / "ahead", 15 * MIB, True)
    apart, plain = made(tmp_path / "plain", 15 * MIB, False)
    roomy, free = made(tmp_path / "roomy", 256 * MIB, True)
    assert len(ahead) == 4
    for one, other, third in zip(ahead, plain, free, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, third)
    assert together < 1.5 * roomy
    assert apart > 2 * together


def test_what_reads_from_a_saved_file_or_may_not_be_needed_waits(tmp_path) -> None:
    place = str(WORKFLOWS)

    def asked(*documents: str, memory: int = 2**31) -> Any:
        setup = Setup(
            str(tmp_path / "cache"), device="cpu", disk=0, warm=False, models=9 * MIB, memory=memory
        )
        workplace = Workplace(setup)
        jobs = [
            RunJob(str(number), document, place, (place,), str(tmp_path / "out"))
            for number, document in enumerate(documents)
        ]
        turns, seen = workplace.arrange(jobs)
        workplace.close()
        assert seen == len(jobs)
        return turns

    plain = pictures(2)
    assert asked(*plain)
    assert asked(*plain, memory=0) == ()
    again = [json.loads(document) for document in plain]
    for each in again:
        each["nodes"]["code"] = {
            "type": "vae_encode", "version": 2,
            "inputs": {"vae": "model.vae", "image": "save.image"},
        }  # fmt: skip
        each["nodes"]["refine"] = {
            **each["nodes"]["sample"],
            "inputs": {**each["nodes"]["sample"]["inputs"], "latent": "code.latent"},
        }
        each["nodes"]["look"] = {
            "type": "vae_decode", "version": 2,
            "inputs": {"vae": "model.vae", "latent": "refine.latent"},
        }  # fmt: skip
        each["nodes"]["keep"] = {
            "type": "save_image", "version": 1, "inputs": {"image": "look.image"},
        }  # fmt: skip
    assert asked(*map(json.dumps, again)) == ()


def test_steps_that_ran_before_with_other_inputs_are_taken_ahead_too(tmp_path) -> None:
    setup = Setup(str(tmp_path / "cache"), device="cpu", disk=0, warm=False, models=9 * MIB)
    workplace = Workplace(setup)
    first, *others = orders(tmp_path)
    try:
        assert workplace.run(first, lambda event: None, Cancel()).status == "done"
        turns, _ = workplace.arrange(others)
    finally:
        workplace.close()
    assert [turn.steps for turn in turns] == [("prompt",), ("prompt",), ("sample",), ("sample",)]


@pytest.fixture
def client(tmp_path):
    setup = Setup(str(tmp_path / "cache"), device="cpu", warm=False, models=9 * MIB)
    with HostClient(setup, standby=False) as client:
        yield client


def orders(tmp_path: Path) -> list[RunJob]:
    place = str(WORKFLOWS)
    return [
        RunJob(str(number), document, place, (place,), str(tmp_path / "out"))
        for number, document in enumerate(pictures(3))
    ]


def test_a_host_tells_the_order_over_the_wire(client, tmp_path) -> None:
    jobs = orders(tmp_path)
    broken = RunJob("x", "no workflow", jobs[0].base, jobs[0].grants, jobs[0].output)
    turns, seen = client.arrange([*jobs, broken], Cancel())
    assert seen == 4
    assert list(turns[:3]) == [(number, ("prompt", "negative")) for number in range(3)]
    assert list(turns[3:]) == [(number, ("sample",)) for number in range(3)]
    assert client.run(jobs[0]).status == "done"


def test_no_order_is_told_where_nobody_can(client, tmp_path) -> None:
    jobs, cancelled = orders(tmp_path), Cancel()
    cancelled()
    assert client.arrange(jobs, cancelled) == ((), 3)
    client.close()
    assert client.arrange(jobs, Cancel()) == ((), 3)
