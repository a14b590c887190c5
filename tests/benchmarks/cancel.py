"""How soon a run ends after a cancel, at each place where work is done.

Run it with ``python -m tests.benchmarks.cancel`` (``--quick`` for few tries, ``--only WORD``
for the sites with that word in their name). A site is a workflow and the step of it that is to be
cancelled. It runs once to its end, which tells how long the step takes; then again and again, each
time cancelled from another thread at a moment drawn evenly from that length. Told is the time from
the cancel until the run has ended, and beside it how long the whole step takes: what a cancel that
is not heard would cost at most. A try whose step ended before its cancel came is made again.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.engine.cancel import Cancel
from backend.engine.client import HostClient
from backend.engine.engine import Engine
from backend.engine.events import Event, StepDone, StepStarted
from backend.engine.registry import scan_nodes
from backend.engine.wire import RunJob, Setup
from backend.graph.document import Workflow
from backend.graph.format import dump, parse
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.media.spool import Spool
from tests.benchmarks.cancel_sites import NODES, Site, Tree, looping, on_picture, sampling, sites

SEED = 20261121


class Runner(Protocol):
    """Runs a workflow until it ends or is cancelled; how it ended."""

    def __call__(self, nodes: Tree, on_event: Callable[[Event], None], cancel: Cancel) -> str: ...


def workflow(nodes: Tree) -> Workflow:
    """A document of nodes as they stand in a file."""
    import json

    return parse(json.dumps({"weft": 1, "nodes": nodes}), "the benchmark")


def measure(run: Runner, site: Site, rng: random.Random, tries: int) -> None:
    """Cancel a site at random moments, and print what came of it."""
    fresh = itertools.count()
    once(run, site, next(fresh), None)  # loads models, and remembers what lies before the step
    whole = once(run, site, next(fresh), None).length
    answers: list[float] = []
    for _ in range(10 * tries):
        if len(answers) == tries:
            break
        tried = once(run, site, next(fresh), rng.uniform(0, whole))
        if tried.answer is not None:
            answers.append(tried.answer)
    if not answers:
        raise RuntimeError(f"{site.name}: it always ended before its cancel came")
    answers.sort()
    print(
        f"{site.name:<44} {len(answers):>4} {ms(statistics.median(answers))} "
        f"{ms(answers[min(len(answers) - 1, int(len(answers) * 0.99))])} {ms(answers[-1])} "
        f"{ms(whole)}  {os.getloadavg()[0]:4.1f}",
        flush=True,
    )


@dataclass(frozen=True)
class Try:
    """How long the step took, and the time from the cancel to the run's end, if there was one. It
    counts also where the cancel was not heard and the run came to its own end."""

    length: float
    answer: float | None


def once(run: Runner, site: Site, number: int, delay: float | None) -> Try:
    """Run a site, with a cancel ``delay`` seconds after its step began, if at all."""
    cancel, began, over = Cancel(), threading.Event(), threading.Event()
    times: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == site.step:
            times.setdefault("began", now())
            began.set()
        if isinstance(event, StepDone) and event.step == site.step:
            times["ended"] = now()

    def press() -> None:
        began.wait()
        if delay is not None and not over.wait(delay):
            times["cancelled"] = now()
            cancel()

    thread = threading.Thread(target=press)
    thread.start()
    if not site.step:
        times["began"] = now()
        began.set()
    status = run(site.nodes(number), listen, cancel)
    end = now()
    over.set()
    began.set()
    thread.join()
    if status not in ("done", "cancelled"):
        raise RuntimeError(f"{site.name}: {status}")
    length = times.get("ended", end) - times.get("began", end)
    return Try(length, end - times["cancelled"] if "cancelled" in times else None)


def now() -> float:
    """Seconds."""
    return time.perf_counter()


def ms(seconds: float) -> str:
    """Milliseconds in a column."""
    return f"{seconds * 1000:>9.1f}"


@contextmanager
def in_process(folder: Path) -> Iterator[Runner]:
    """An engine with the nodes of Weft and one of our own."""
    from backend.engine.registry import NodeRegistry

    known, own = scan_nodes(), scan_nodes(folder / "nodes")
    types = [r.type(name) for r in (known, own) for name in r.specs]
    engine = Engine(
        NodeRegistry(types),
        grants=Grants(folder, (folder,)),
        output=OutputFolder(folder / "out"),
        spool=Spool(folder / "spool"),
    )

    def run(nodes: Tree, on_event: Callable[[Event], None], cancel: Cancel) -> str:
        result = engine.run(workflow(nodes), on_event=on_event, cancel=cancel)
        if result.status not in ("done", "cancelled"):
            return f"{result.status} {result.failures} {result.diagnostics}"
        return result.status

    try:
        yield run
    finally:
        engine.close()


@contextmanager
def by_a_client(folder: Path) -> Iterator[Runner]:
    """A host process behind a client."""
    setup = Setup(str(folder / "cache"), nodes=(str(folder / "nodes"),), disk=0)
    ids = itertools.count()
    with HostClient(setup) as client:

        def run(nodes: Tree, on_event: Callable[[Event], None], cancel: Cancel) -> str:
            text = dump(workflow(nodes))
            job = RunJob(f"job {next(ids)}", text, str(folder), (), str(folder / "out"))
            outcome = client.run(job, on_event, cancel)
            if outcome.crash is not None:
                return f"crashed {outcome.crash}"
            return outcome.status

        yield run


def blocked(folder: Path, tries: int, rng: random.Random) -> None:
    """A node that is deaf to a cancel: seconds from the cancel until the job has ended, which
    takes the grace time, and from there until the next job is done."""
    from tests.benchmarks.host import LIGHT, SIT, Bench

    for standby in (True, False):
        bench = Bench(folder, standby, rng)
        ended, restarted = [], []
        with bench.client:
            bench.job(LIGHT)
            for number in range(tries):
                if standby:
                    bench.wait_for_standby()
                cancel = Cancel()
                job = RunJob(f"deaf {number}", SIT, str(folder), (), str(folder / "out"))
                begin: list[float] = []

                def press(event: Event, cancel: Cancel = cancel, at: list[float] = begin) -> None:
                    if isinstance(event, StepStarted):
                        at.append(now())
                        cancel()

                outcome = bench.client.run(job, press, cancel)
                assert outcome.status == "cancelled", outcome
                ended.append(now() - begin[0])
                restarted.append(bench.next_job(LIGHT))
        name = f"a deaf node, {'with' if standby else 'without'} a standby"
        for what, figures in (("job ended", ended), ("next job done", restarted)):
            print(
                f"{name + ': ' + what:<44} {tries:>4} {ms(statistics.median(figures))} "
                f"{'':>9} {ms(max(figures))} {'':>9}  {os.getloadavg()[0]:4.1f}",
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few tries")
    parser.add_argument("--only", default="", help="sites with this word in their name")
    given = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, seed {SEED}"
    )
    print(f"{'':<44} {'of':>4} {'median':>9} {'99th':>9} {'largest':>9} {'whole':>9}  load  (ms)")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nodes").mkdir()
        (folder / "nodes" / "big_picture.py").write_text(NODES)

        def each(run: Runner, found: list[Site]) -> None:
            for site in found:
                if given.only in site.name:
                    measure(run, site, rng, 5 if given.quick else site.tries)

        if given.only in "a deaf node":
            blocked(folder, 3 if given.quick else 7, rng)
        with in_process(folder) as run:
            each(run, sites(folder))
        with by_a_client(folder) as run:
            each(run, [
                Site("by a client: sampling, Primer 64 x 64", sampling(64, 28), "x", 100),
                Site("by a client: sampling, Primer 512 x 512", sampling(512, 10), "x"),
                Site("by a client: zone of 4000 turns", looping, "x"),
                Site("by a client: blur by 4, 4000 x 4000",
                     on_picture("blur", 4000, radius=lambda i: 4 + i / 1e4), "x"),
            ])  # fmt: skip


if __name__ == "__main__":
    main()
