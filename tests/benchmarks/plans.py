"""Plans against the bound, against least recently used and against loading anew for every prompt.

``python -m tests.benchmarks.plans`` plans a thousand random traces and twenty written ones
(``--seed`` chooses the random ones, ``--count`` how many). The traces are made by
``tests/backend/plan/residency/traces.py`` and ``written.py``. It ends with status 1 where a figure
that was asked for is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from backend.plan.residency.bound import Bound, bound
from backend.plan.residency.machine import Machine
from backend.plan.residency.model import lay_out
from backend.plan.residency.order import Room, Task, arrange
from backend.plan.residency.planner import search
from backend.plan.residency.reference import least_recent, least_recent_ahead, load_per_prompt
from tests.backend.plan.residency.traces import KINDS, Case, random_cases
from tests.backend.plan.residency.written import written

REFERENCES = {
    "least recently used": least_recent,
    "the same, loading one block ahead": least_recent_ahead,
    "load per prompt": load_per_prompt,
}
LEAST = 1e-9


@dataclass(frozen=True)
class Row:
    """What came of one case; waiting in seconds, ``others`` by the name of the reference."""

    name: str
    touches: int
    policy: str
    limit: Bound
    waiting: float
    copied: int
    read: int
    others: dict[str, float]

    @property
    def gap(self) -> float:
        """How much longer than the bound the plan waits, as a part of the bound."""
        return part(self.waiting, self.limit.waiting) - 1


def part(found: float, of: float) -> float:
    """A ratio; 1 where both are nothing."""
    return found / of if of > LEAST else (1.0 if found <= LEAST else float("inf"))


def measure(case: Case) -> Row:
    """Plan a case and run the references on it."""
    course = lay_out(case.trace)
    limit = bound(course, case.budget, case.link)
    found = search(course, case.budget, case.link, limit)
    others = {}
    for name, policy in REFERENCES.items():
        machine = Machine(course, case.budget, case.link)
        policy(machine)
        others[name] = machine.waiting
    plan = found.machine
    return Row(
        case.name,
        course.size,
        found.policy,
        limit,
        plan.waiting,
        plan.copied,
        plan.read_bytes,
        others,
    )


def spread(values: Iterable[float]) -> str:
    """Mean, 95th percentile and worst, in percent."""
    known = sorted(values)
    high = known[min(len(known) - 1, int(0.95 * len(known)))]
    return f"mean {statistics.fmean(known):.1%}, 95th percentile {high:.1%}, worst {known[-1]:.1%}"


def tell(title: str, rows: Sequence[Row]) -> bool:
    """Print the figures of some cases; whether all that was asked for is reached."""
    print(f"\n{title}: {len(rows)} traces, {statistics.fmean(r.touches for r in rows):.0f} blocks")
    print(f"  waiting above the bound: {spread(row.gap for row in rows)}")
    whole = sum(r.waiting for r in rows) / sum(r.limit.waiting for r in rows)
    print(f"  all waiting together above all bounds: {whole - 1:.1%}")
    copied = [part(row.copied, row.limit.copied) - 1 for row in rows]
    read = [part(row.read, row.limit.read) - 1 for row in rows]
    print(f"  bytes copied above the bound: {spread(copied)}")
    print(f"  bytes read above the bound: {spread(read)}")
    gaps = [row.gap for row in rows]
    good = all(statistics.fmean(each) <= 0.25 for each in (gaps, copied, read))
    for name in REFERENCES:
        ratios = [part(row.waiting, row.others[name]) for row in rows]
        worse = sum(ratio > 1 + LEAST for ratio in ratios)
        mean = statistics.fmean(ratios)
        print(f"  against {name}: mean ratio {mean:.2f}, longer on {worse}")
        if name == "least recently used":
            good = good and not worse and mean <= 0.7
    fallen = sum(row.policy != "ahead" for row in rows)
    print(f"  the plan is the reference's own on {fallen}")
    return good


def one_load_each() -> bool:
    """A batch of a hundred prompts, put in order: each component is loaded once."""
    tasks = []
    for n in range(100):
        tasks += [
            Task(f"text {n}", str(n), frozenset({"text"}), (), 4 << 20, 0.1),
            Task(f"sample {n}", str(n), frozenset({"denoiser"}), (f"text {n}",), 1 << 20, 8.0),
            Task(f"decode {n}", str(n), frozenset({"decoder"}), (f"sample {n}",), 3 << 20, 0.5),
        ]
    order = arrange(tasks, Room(1 << 30), {"text": 2.0, "denoiser": 5.0, "decoder": 0.1})
    loads = ", ".join(f"{name} {count}" for name, count in sorted(order.loads.items()))
    print(f"\n100 prompts: loads {loads}; {order.peak >> 20} MiB of values at the most")
    return set(order.loads.values()) == {1}


def main() -> int:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=6, help="of the random traces")
    parser.add_argument("--count", type=int, default=1000, help="of the random traces")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--worst", type=int, default=5, help="so many of the worst are named")
    given = parser.parse_args()
    began = time.perf_counter()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, seed {given.seed}")
    rows = [measure(case) for case in written()]
    print(
        "\nwritten traces: seconds waited by the plan, the bound, least recently used, per prompt"
    )
    for row in rows:
        recent, _, anew = row.others.values()
        print(
            f"  {row.name:36} {row.waiting:8.2f} {row.limit.waiting:8.2f} {recent:8.2f} {anew:8.2f}"
        )
    good = tell("written", rows)
    if given.count:
        with ProcessPoolExecutor(given.workers) as pool:
            rows = list(pool.map(measure, random_cases(given.seed, given.count), chunksize=10))
        good = tell(f"random, seed {given.seed}", rows) and good
        for kind in KINDS:
            gaps = [row.gap for row in rows if row.name.startswith(f"{kind} ")]
            print(f"  {kind}: {spread(gaps)}")
        for row in sorted(rows, key=lambda row: -row.gap)[: given.worst]:
            print(f"  worst: {row.name}: {row.waiting:.2f} s, bound {row.limit.waiting:.2f} s")
    good = one_load_each() and good
    spent = sum(os.times()[:4])
    print(f"\n{time.perf_counter() - began:.0f} s, {spent:.0f} s of processor time")
    print("All that was asked for is reached." if good else "Something asked for is missed.")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
