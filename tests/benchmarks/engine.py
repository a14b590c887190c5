"""How long the engine takes for graphs of trivial nodes, beside a plain loop over their functions.

Run it with ``python -m tests.benchmarks.engine`` (``--quick`` for few repeats). Each line compares
the engine with the baseline in interleaved pairs of the same process: the plain Python loop that
calls the same functions in the same order and keeps the results. Figures are medians; on a busy
machine the processor time says more than the clock.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from backend.engine.engine import Engine
from backend.engine.events import Event
from backend.engine.registry import NodeRegistry
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.sdk import Context, node

SEED = 20261120


@node(category="Benchmark")
def start(ctx: Context, value: float = 1.0) -> float:
    """Give a number."""
    return value


@node(category="Benchmark")
def bump(ctx: Context, number: float, by: float = 1.0) -> float:
    """Add to a number."""
    return number + by


@node(category="Benchmark")
def add(ctx: Context, left: float, right: float, by: float = 0.0) -> float:
    """Add two numbers."""
    return left + right + by


@dataclass(frozen=True)
class Case:
    """A document, the node near its end that is edited, and the plain loop over its functions."""

    name: str
    workflow: Workflow
    late: str
    size: int


def document(nodes: dict[str, Node]) -> Workflow:
    """A document of top-level nodes."""
    return Workflow(graph=Graph(nodes=MappingProxyType(nodes)))


def chain(size: int, rng: random.Random) -> Case:
    """One node after the other."""
    nodes = {"n0": Node("start", params={"value": rng.random()})}
    for i in range(1, size):
        link = Ref(f"n{i - 1}", "number")
        nodes[f"n{i}"] = Node("bump", params={"by": rng.random()}, inputs={"number": link})
    return Case(f"chain {size}", document(nodes), f"n{size - 3}", size)


def tree(size: int, rng: random.Random) -> Case:
    """A binary tree: leaves give numbers, each node above adds two."""
    nodes: dict[str, Node] = {}
    row = []
    for i in range((size + 1) // 2):
        nodes[f"leaf{i}"] = Node("start", params={"value": rng.random()})
        row.append(f"leaf{i}")
    while len(row) > 1:
        above = []
        for left, right in zip(row[::2], row[1::2], strict=False):
            name = f"n{len(nodes)}"
            links = {"left": Ref(left, "number"), "right": Ref(right, "number")}
            nodes[name] = Node("add", params={"by": rng.random()}, inputs=links)
            above.append(name)
        row = above + ([row[-1]] if len(row) % 2 else [])
    return Case(f"tree {len(nodes)}", document(nodes), list(nodes)[-2], len(nodes))


def grid(size: int, rng: random.Random) -> Case:
    """A square in which each node adds its neighbours above and to the left."""
    side = round(size**0.5)
    nodes: dict[str, Node] = {}
    for y in range(side):
        for x in range(side):
            if not x and not y:
                nodes["n0_0"] = Node("start", params={"value": rng.random()})
                continue
            up = f"n{y - 1}_{x}" if y else f"n{y}_{x - 1}"
            left = f"n{y}_{x - 1}" if x else f"n{y - 1}_{x}"
            links = {"left": Ref(left, "number"), "right": Ref(up, "number")}
            nodes[f"n{y}_{x}"] = Node("add", params={"by": rng.random() - 0.5}, inputs=links)
    return Case(f"grid {len(nodes)}", document(nodes), f"n{side - 1}_{side - 2}", len(nodes))


def plain_loop(case: Case) -> Callable[[], float]:
    """The baseline: the same functions in the same order, results in a dict."""
    functions = {kind.spec.type: kind.function for kind in (start, bump, add)}
    calls = [
        (name, functions[n.type], dict(n.params), {k: ref.node for k, ref in n.inputs.items()})
        for name, n in case.workflow.graph.nodes.items()
    ]

    def loop() -> float:
        held: dict[str, float] = {}
        for name, function, params, inputs in calls:
            given = {key: held[source] for key, source in inputs.items()}
            held[name] = function(None, **given, **params)
        return held[calls[-1][0]]

    return loop


def make_engine(folder: Path) -> Engine:
    """A fresh engine over the three node types."""
    registry = NodeRegistry([start, bump, add])
    return Engine(registry, grants=Grants(folder), output=OutputFolder(folder))


@dataclass(frozen=True)
class Took:
    """Milliseconds by the clock, and of this process's own processor time."""

    wall: float
    cpu: float


def timed(act: Callable[[], object]) -> Took:
    """How long a call takes, garbage collected before it."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    act()
    return Took((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def measure(case: Case, folder: Path, repeats: int) -> Iterator[str]:
    """First run, re-run and run after an edit, each in pairs with the plain loop."""
    loop = plain_loop(case)
    rows: dict[str, list[tuple[Took, Took]]] = {"first": [], "same": [], "edit": []}
    for turn in range(repeats):
        engine = make_engine(folder)
        param = "by"
        edited = case.workflow.with_param(case.late, param, 2.0 + turn)

        def run(engine: Engine = engine, workflow: Workflow = case.workflow) -> None:
            assert engine.run(workflow).status == "done"

        def run_edited(engine: Engine = engine, workflow: Workflow = edited) -> None:
            assert engine.run(workflow).status == "done"

        for name, act in (("first", run), ("same", run), ("edit", run_edited)):
            rows[name].append((timed(act), timed(loop)))
        engine.close()
    for name, pairs in rows.items():
        wall = statistics.median(pair[0].wall for pair in pairs)
        cpu = statistics.median(pair[0].cpu for pair in pairs)
        base = statistics.median(pair[1].wall for pair in pairs)
        ratio = statistics.median(pair[0].wall / pair[1].wall for pair in pairs)
        yield (
            f"{case.name:>13} {name:>6} {wall:9.2f} ms (cpu {cpu:9.2f})"
            f"  loop {base:7.2f} ms  ratio {ratio:6.1f}"
        )


def event_cost(case: Case, folder: Path) -> str:
    """Bytes and microseconds of an event as JSON."""
    from backend.engine.events import to_json

    held: list[Event] = []
    engine = make_engine(folder)
    engine.run(case.workflow, on_event=held.append)
    engine.close()
    sizes = [len(to_json(event)) for event in held]
    took = timed(lambda: [to_json(event) for event in held]).cpu * 1000 / len(held)
    return f"{case.name:>13} events {len(held)}, largest {max(sizes)} bytes, {took:.2f} us each"


def memory_of_run(case: Case, folder: Path) -> str:
    """How much the peak of resident memory grows by the first run."""
    engine = make_engine(folder)
    gc.collect()
    before = _resident()
    engine.run(case.workflow)
    after = _resident()
    engine.close()
    return f"{case.name:>13} memory +{(after - before) / 2**20:.1f} MB after the first run"


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three repeats, no deep chain")
    quick = parser.parse_args().quick
    repeats = 3 if quick else 9
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"load {load:.1f}, seed {SEED}, medians of {repeats} interleaved pairs")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = random.Random(SEED)
        print(memory_of_run(chain(5000, rng), folder))
        for make in (chain, tree, grid):
            for size in (1000, 5000):
                for line in measure(make(size, rng), folder, repeats):
                    print(line)
        for size in (100, 1000, 10_000):
            print(event_cost(chain(size, rng), folder))
        if not quick:
            for line in measure(chain(100_000, rng), folder, 1):
                print(line)


if __name__ == "__main__":
    sys.exit(main())
