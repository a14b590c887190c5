"""How long whole `weft` processes take, imports included: `python tests/benchmarks/startup.py`.

Prints the median over several runs of wall time and processor time, in seconds, beside a bare
Python that imports numpy, as the floor below which nothing here can go. A run counts up to the
moment at which its first node is done, read from `--json`, and up to its end.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = [sys.executable, "-P"]
WEFT = [*PYTHON, "-m", "backend.cli"]
GOALS = {
    "python with numpy": None,
    "weft check": 0.5,
    "weft nodes": 0.5,
    "run without a model, first node": 0.5,
    "run without a model, end": None,
    "text to image with Primer, end": 10.0,
}


def timed(command: list[str], folder: str, compiled: str) -> tuple[float, float, float]:
    """Wall seconds until the first node was done and until the end, and processor seconds."""
    before = os.times()
    start = time.perf_counter()
    first = 0.0
    # Modules are compiled once, as on any machine, but not into the source tree.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not first and line.startswith(b"{") and json.loads(line)["event"] == "step_started":
                first = time.perf_counter() - start
    end = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    after = os.times()
    used = after.children_user + after.children_system
    return first, end, used - before.children_user - before.children_system


def one_round(folder: str, compiled: str) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each case, once."""
    commands = {
        "python with numpy": [*PYTHON, "-c", "import numpy"],
        "weft check": [*WEFT, "check", "text-to-image"],
        "weft nodes": [*WEFT, "nodes"],
        "run without a model, end": [*WEFT, "run", "photo-finish", "--json"],
        "text to image with Primer, end": [*WEFT, "run", "text-to-image", "--json"],
    }
    found = {}
    for name, command in commands.items():
        first, end, used = timed(command, folder, compiled)
        found[name] = (end, used)
        if name.startswith("run"):
            found["run without a model, first node"] = (first, used)
    return found


def main(rounds: int) -> None:
    """Run everything in turns, so that a busy moment of the machine meets all alike."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in GOALS}
    with tempfile.TemporaryDirectory() as compiled:
        for number in range(rounds + 1):
            with tempfile.TemporaryDirectory() as folder:
                found = one_round(folder, compiled)
            if number:  # the first round warms the file cache and compiles the modules
                for name, values in found.items():
                    taken[name].append(values)
    print(f"{'median of ' + str(rounds):34} {'wall':>7} {'cpu':>7} {'goal':>6}")
    for name, goal in GOALS.items():
        wall, used = (statistics.median(column) for column in zip(*taken[name], strict=True))
        print(f"{name:34} {wall:7.3f} {used:7.3f} {goal if goal is not None else '':>6}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
