"""How soon the death of a host process is heard, and how soon the next one computes.

Run it with ``python -m tests.benchmarks.host`` (``--quick`` for few repeats). A host is killed at a
random moment while a node runs. Told are the seconds from the kill until the client has the
outcome, and from there until the next job is done: one without a model, and one with the built-in
model Primer (64x64 pixels, 2 steps, nothing loaded or remembered), with a standby that has imported
the model libraries and without any standby. At the end: what many restarts leave behind.
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
from collections.abc import Callable
from pathlib import Path

import psutil

from backend.engine.client import HostClient
from backend.engine.events import Event, StepStarted
from backend.engine.wire import RunJob, Setup
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import dump

SEED = 20261121
NODES = '''
import time
from backend.sdk import Context, node

@node(category="Benchmark")
def sit(ctx: Context, seconds: float = 0.0) -> float:
    """Do nothing for a while, deaf to a cancel."""
    time.sleep(seconds)
    return seconds
'''


def document(**nodes: Node) -> str:
    """The text of a workflow."""
    return dump(Workflow(graph=Graph(nodes=nodes)))


SIT = document(sit=Node("sit", params={"seconds": 1000.0}))
LIGHT = document(sit=Node("sit", params={"seconds": 0.0}))
PRIMER = document(
    model=Node("load_model", params={"model": "primer"}),
    text=Node(
        "encode_text",
        version=2,
        params={"text": "a red circle"},
        inputs={"text_encoder": Ref("model", "text_encoder")},
    ),
    empty=Node(
        "empty_latent",
        params={"width": 64, "height": 64},
        inputs={"model": Ref("model", "model")},
    ),
    sample=Node(
        "sample",
        params={"steps": 2, "cfg": 1.0, "seed": 1},
        inputs={
            "model": Ref("model", "model"),
            "positive": Ref("text", "conditioning"),
            "latent": Ref("empty", "latent"),
        },
    ),
    picture=Node(
        "vae_decode",
        inputs={"vae": Ref("model", "vae"), "latent": Ref("sample", "latent")},
    ),
)


class Bench:
    """A client over hosts with one more node, and ways to end and to use them."""

    def __init__(self, folder: Path, standby: bool, rng: random.Random) -> None:
        nodes = folder / "nodes"
        nodes.mkdir(exist_ok=True)
        (nodes / "sit.py").write_text(NODES)
        setup = Setup(str(folder / "cache"), nodes=(str(nodes),), disk=0, warm=standby)
        self.client = HostClient(setup, standby=standby)
        self.folder, self.rng = folder, rng
        self._ids = itertools.count()

    def job(self, workflow: str, on_event: Callable[[Event], None] = lambda event: None) -> str:
        """Run a workflow without what is remembered; how it ended."""
        base = str(self.folder)
        order = RunJob(f"job {next(self._ids)}", workflow, base, (), f"{base}/out", use_cache=False)
        return self.client.run(order, on_event).status

    def death(self) -> float:
        """Kill the host while a node runs; seconds until the outcome is there."""
        killed: list[float] = []

        def kill(event: Event) -> None:
            if isinstance(event, StepStarted):
                pid = self.client.pid
                assert pid is not None
                delay = self.rng.uniform(0, 0.1)
                threading.Timer(delay, lambda: (killed.append(now()), os.kill(pid, 9))).start()

        assert self.job(SIT, kill) == "crashed"
        return now() - killed[0]

    def next_job(self, workflow: str) -> float:
        """Seconds that the next job takes from now."""
        begin = now()
        assert self.job(workflow) == "done"
        return now() - begin

    def wait_for_standby(self) -> None:
        """Wait until the standby has imported all that it imports."""
        hosts = self.client._hosts
        while not (hosts.standby and hosts.standby.ready and hosts.standby.ready.warm):
            time.sleep(0.01)


def now() -> float:
    """Seconds."""
    return time.monotonic()


def line(name: str, figures: list[float]) -> None:
    """Print figures in seconds."""
    print(
        f"{name:<58} median {statistics.median(figures):6.3f} s   largest {max(figures):6.3f} s"
        f"   of {len(figures)}",
        flush=True,
    )


def restarts(folder: Path, repeats: int, rng: random.Random) -> list[float]:
    """Measure restarts with and without a standby; the seconds until each death was heard."""
    deaths = []
    for standby in (True, False):
        bench = Bench(folder, standby, rng)
        with bench.client:
            bench.job(LIGHT)
            for name, workflow in (("no model", LIGHT), ("Primer", PRIMER)):
                took = []
                for _ in range(repeats):
                    if standby:
                        bench.wait_for_standby()
                    deaths.append(bench.death())
                    took.append(bench.next_job(workflow))
                kind = "with a standby" if standby else "without one"
                line(f"killed, then a job with {name}, {kind}", took)
    return deaths


def many(folder: Path, count: int, rng: random.Random) -> list[float]:
    """Restart many times and tell what is left behind; the seconds until each death was heard."""
    me = psutil.Process()
    bench = Bench(folder, False, rng)
    with bench.client:
        bench.job(LIGHT)
        before = me.num_fds(), threading.active_count(), me.memory_info().rss
        deaths = [bench.death() for _ in range(count)]
        bench.job(LIGHT)
        grown = (me.memory_info().rss - before[2]) / 2**20
        print(
            f"after {count} restarts: {me.num_fds() - before[0]:+d} descriptors, "
            f"{threading.active_count() - before[1]:+d} threads, {grown:+.1f} MiB, "
            f"{len(me.children()) - 1} processes too many",
            flush=True,
        )
    print(f"after closing: {len(me.children())} processes", flush=True)
    return deaths


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, seed {SEED}"
    )
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        deaths = restarts(Path(folder), 2 if quick else 7, rng)
        deaths += many(Path(folder), 5 if quick else 50, rng)
    line("a host was killed until its client knew", deaths)


if __name__ == "__main__":
    main()
