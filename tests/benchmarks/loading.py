"""What loading a network takes, in memory and in time, beside reading its file.

``python -m tests.benchmarks.loading [--gib N]`` writes N GiB of random half-precision weights of a
transformer of FLUX's kind into a temporary folder and loads them in fresh processes, one after the
other in turns: by Weft, by diffusers' own ``from_pretrained`` in float32, and, for comparison, the
bytes of the file alone into a buffer whose pages are there already. Each process does it twice and
lets go of the first before the second: first the system has to find the memory, as for *fresh*, the
bytes of the file read into a new buffer; then Weft has its buffers from before, as an engine has
that loads one model in the place of another. The file is in the system's cache. It ends with status
1 where a figure that was asked for is missed; the speed asked for is that of the second time.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MOST_MEMORY = 1.1
"""Anonymous memory at the peak, in sizes of the file."""
LEAST_SPEED = 0.8
"""Speed of loading, in that of reading."""
DRAWS = 4000
GIB = 2**30
FILE = "diffusion_pytorch_model.safetensors"


def write(folder: Path, gib: float, seed: int) -> int:
    """A network of about so many GiB; the bytes of its file."""
    import torch
    from diffusers import FluxTransformer2DModel
    from safetensors.torch import save_file

    from backend.memory.skeleton import hollow

    with hollow():
        module = FluxTransformer2DModel(
            num_layers=max(round(2 * gib), 1),
            num_single_layers=max(round(4 * gib), 1),
            attention_head_dim=128,
            num_attention_heads=16,
        )
    module.save_config(folder)
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: torch.empty(each.shape, dtype=torch.float16).normal_(generator=generator)
        for name, each in module.state_dict().items()
    }
    file = folder / FILE
    save_file(weights, file, {"format": "pt"})
    return file.stat().st_size


class Peak:
    """The most anonymous memory of this process while it is looked at."""

    def __init__(self) -> None:
        self.base = self.most = anonymous()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.most = max(self.most, anonymous())

    def _look(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, anonymous())

    @property
    def rise(self) -> int:
        """Bytes above what there was at the beginning."""
        return self.most - self.base


def anonymous() -> int:
    """Bytes of anonymous memory that this process has."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("This system does not say how much anonymous memory a process has.")


def by_weft(folder: Path) -> Callable[[], object]:
    """What loads the network by Weft, everything imported."""
    from diffusers import FluxTransformer2DModel

    from backend.memory.buffers import Buffers
    from backend.memory.sheet import fill
    from backend.models.loading import load_module

    buffers = Buffers(keep=sys.maxsize)

    def load() -> object:
        module = load_module("diffusers", FluxTransformer2DModel, folder, "cpu", "float32")
        fill(module, buffers=buffers)
        return module

    return load


def by_diffusers(folder: Path) -> Callable[[], object]:
    """What loads it by diffusers."""
    import torch
    from diffusers import FluxTransformer2DModel

    return lambda: FluxTransformer2DModel.from_pretrained(
        str(folder), torch_dtype=torch.float32, local_files_only=True
    )


def by_reading(folder: Path) -> Callable[[], object]:
    """What reads the file into a buffer that was written to before."""
    import numpy as np

    file = folder / FILE
    buffer = np.ones(file.stat().st_size, np.uint8)
    return lambda: read_into(file, buffer)


def by_fresh(folder: Path) -> Callable[[], object]:
    """What reads the file into a buffer that nobody wrote to."""
    import numpy as np

    file = folder / FILE
    return lambda: read_into(file, np.empty(file.stat().st_size, np.uint8))


def read_into(file: Path, buffer: np.ndarray) -> object:
    """Fill a buffer from a file, in pieces."""
    place, whole = 0, memoryview(buffer)
    with file.open("rb", buffering=0) as handle:
        while place < len(whole):
            place += handle.readinto(whole[place : place + 16 * 2**20])
    return buffer


WAYS = {"weft": by_weft, "diffusers": by_diffusers, "fresh": by_fresh, "reading": by_reading}


def one(way: str, folder: Path) -> None:
    """Load twice in this process, and print how long it took and what memory."""
    for each in ("diffusers.models.transformers.transformer_flux", "backend.models.loading"):
        # All start alike: a virtual machine may take free memory away while a process imports.
        importlib.import_module(each)
    load = WAYS[way](folder)
    seconds = []
    with Peak() as peak:
        for _ in range(2):
            start = time.perf_counter()
            kept = load()
            seconds.append(time.perf_counter() - start)
            del kept
            gc.collect()
    print(json.dumps({"first": seconds[0], "again": seconds[1], "rise": peak.rise}))


def measure(way: str, folder: Path) -> dict[str, float]:
    """The same in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.loading", "--one", way, "--at", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def median_of(ratios: Sequence[float], seed: int) -> tuple[float, float, float]:
    """The median, and its 95 % interval by drawing anew."""
    source = random.Random(seed)
    drawn = sorted(statistics.median(source.choices(ratios, k=len(ratios))) for _ in range(DRAWS))
    low, high = drawn[round(0.025 * DRAWS)], drawn[round(0.975 * DRAWS) - 1]
    return statistics.median(ratios), low, high


def main() -> None:
    """Measure, and say whether what is asked for is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--one", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return one(given.one, given.at)
    with tempfile.TemporaryDirectory() as folder:
        size = write(Path(folder), given.gib, given.seed)
        load = os.getloadavg()[0]
        print(
            f"{size / GIB:.2f} GiB of fp16, seed {given.seed}; {platform.machine()}, "
            f"{os.cpu_count()} cores at a load of {load:.1f}, Python {platform.python_version()}"
        )
        rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        measure("reading", Path(folder))  # the file comes into the cache
        for turn in range(given.pairs):
            ways = list(WAYS) if turn % 2 else list(WAYS)[::-1]
            for way in ways:
                rows[way].append(measure(way, Path(folder)))
    missed = report(rows, size, given.seed)
    raise SystemExit(1 if missed else 0)


def report(rows: dict[str, list[dict[str, float]]], size: int, seed: int) -> bool:
    """Print what was found; whether Weft misses what is asked."""
    speeds: dict[tuple[str, str], tuple[float, float, float]] = {}
    for way, found in rows.items():
        memory = max(each["rise"] for each in found) / size
        print(f"{way}:" + ("" if way == "reading" else f" memory {memory:.2f} of the file"))
        for time_ in ("first", "again"):
            ratios = [b["again"] / a[time_] for a, b in zip(found, rows["reading"], strict=True)]
            speed, low, high = speeds[way, time_] = median_of(ratios, seed)
            seconds = statistics.median(each[time_] for each in found)
            print(
                f"  {time_:>6} {seconds:6.2f} s, {size / 1e9 / seconds:5.2f} GB/s, {speed:.2f} of "
                f"the speed of reading (95 %: {low:.2f} to {high:.2f})"
            )
    pairs = zip(rows["fresh"], rows["weft"], strict=True)
    speed, low, high = median_of([a["first"] / b["first"] for a, b in pairs], seed)
    print(
        f"weft, first: {speed:.2f} of the speed of reading into a new buffer (95 %: {low:.2f} to "
        f"{high:.2f})"
    )
    memory = max(each["rise"] for each in rows["weft"]) / size
    missed = memory > MOST_MEMORY or speeds["weft", "again"][0] < LEAST_SPEED
    print(
        f"asked of weft: at most {MOST_MEMORY} of the file, at least {LEAST_SPEED} of the speed: "
        + ("missed" if missed else "reached")
    )
    return missed


if __name__ == "__main__":
    main()
