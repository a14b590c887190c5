"""What becomes of runs in which memory cannot be had: each site in turn, once or from there on.

``python -m tests.benchmarks.memory_faults`` runs Primer ``--runs`` times (500). A *site* is an
allocation: of a tensor that the device's thread makes, or of a buffer that weights are read into.
In each run one site fails, in every second run all that come after it too. Each run must end done
or with a failure that says that memory ran out. Every tenth time a run without faults must then
give the first bits, and no weights may stay when they are let go of.

At the end mixed jobs show whether memory grows: anonymous memory of the process after the 50th and
after the last of ``--mixed`` jobs (300). It ends with status 1 where a figure is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backend.engine.engine import Engine, RunResult, make_store
from backend.engine.numerics import Numerics
from backend.engine.registry import scan_nodes
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.memory.buffers import Buffers
from backend.models.store import Store
from tests.backend.engine.conftest import flow
from tests.benchmarks.cancel_sites import primer, sample

LOST = "ran out of memory"


@dataclass
class Sites:
    """Counts allocations; fails at number ``at``, and if ``on`` at all after it."""

    at: int = -1
    on: bool = False
    count: int = 0

    def pass_by(self) -> None:
        """One more allocation.

        Raises:
            OutOfMemoryError: it is one that fails.
        """
        self.count += 1
        if self.at >= 0 and (self.count == self.at or (self.on and self.count > self.at)):
            raise torch.OutOfMemoryError("no memory, for a test")


class Mode(TorchDispatchMode):
    """Has every tensor that torch makes pass by the sites."""

    def __init__(self, sites: Sites) -> None:
        super().__init__()
        self.sites = sites

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        first = args[0] if args else None
        fresh = isinstance(made, Tensor) and made is not first
        if fresh and not (isinstance(first, Tensor) and made._is_view()):
            self.sites.pass_by()
        return made


@dataclass
class Bench:
    """An engine whose memory can be made to fail."""

    folder: Path
    sites: Sites = field(default_factory=Sites)

    def __post_init__(self) -> None:
        sites, take = self.sites, Buffers.take

        def begin(numerics: Numerics) -> None:
            torch.set_num_threads(numerics.threads)
            Mode(sites).__enter__()  # for as long as the thread lives

        def taken(buffers: Buffers, nbytes: int) -> Tensor:
            sites.pass_by()
            return take(buffers, nbytes)

        Numerics.begin_device = begin  # type: ignore[method-assign]
        Buffers.take = taken  # type: ignore[method-assign]
        store = make_store("cpu", 2**30)
        assert isinstance(store, Store)
        self.store = store
        self.engine = Engine(
            scan_nodes(), grants=Grants(self.folder), output=OutputFolder(self.folder / "out"),
            use_cache=False, store=store,
        )  # fmt: skip

    def run(self, at: int = -1, on: bool = False, side: int = 64, steps: int = 2) -> RunResult:
        """Sample a picture and decode it; weights are read anew."""
        self.store.clear()
        self.sites.at, self.sites.on, self.sites.count = at, on, 0
        decode = {"vae": "model.vae", "latent": "sample.latent"}
        nodes = {
            **primer(side, sample=sample(steps, 1)),
            "decode": {"type": "vae_decode", "inputs": decode},
        }
        try:
            return self.engine.run(flow(nodes), only=["decode"])
        finally:
            self.sites.at = -1


def anonymous() -> int:
    """Anonymous memory of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def faults(bench: Bench, runs: int, seed: int) -> int:
    """Let sites fail; prints what came of it and returns the faults that were found."""
    pixels = bench.run().values["decode"]["image"].pixels
    sites = bench.sites.count
    rng = random.Random(seed)
    chosen = [1 + i * sites // runs for i in range(runs)]
    rng.shuffle(chosen)
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    begin = time.perf_counter()
    for number, at in enumerate(chosen):
        result = bench.run(at, on=number % 2 == 1)
        said = [failure.sentence for failure in result.failures.values()]
        ends[result.status] += 1
        if result.status not in ("done", "failed") or not all(LOST in one for one in said):
            wrong.append(f"site {at}: {result.status}, {said}")
        if number % 10 == 0:
            again = bench.run()
            same = again.status == "done" and np.array_equal(
                again.values["decode"]["image"].pixels, pixels
            )
            bench.store.clear()
            if not same or bench.store.nbytes:
                wrong.append(f"after site {at}: {again.status}, {bench.store.nbytes} bytes stay")
    seconds = time.perf_counter() - begin
    print(f"{runs} runs over {sites} sites in {seconds:.0f} s: {dict(ends)}, {len(wrong)} faults")
    for line in wrong[:10]:
        print("  " + line)
    return len(wrong)


def growth(bench: Bench, jobs: int, seed: int) -> float:
    """Run mixed jobs; prints and returns by which part anonymous memory grew after the 50th."""
    rng = random.Random(seed)
    settled = 0
    for number in range(jobs):
        result = bench.run(side=rng.choice((32, 64, 96, 128)), steps=rng.choice((1, 2)))
        assert result.status == "done", result.failures
        if number == min(49, jobs // 2):
            settled = anonymous()
    grown = anonymous() / settled - 1 if settled else 0.0
    print(f"from the 50th to the {jobs}th of mixed jobs anonymous memory grew by {grown:.2%}")
    return grown


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--mixed", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261121)
    asked = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"seed {asked.seed}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        found = faults(bench, asked.runs, asked.seed)
        grown = growth(bench, asked.mixed, asked.seed)
        bench.engine.close()
        bench.store.close()
    return int(found > 0 or grown > 0.01)


if __name__ == "__main__":
    sys.exit(main())
