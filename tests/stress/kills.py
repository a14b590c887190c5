"""Kills at random moments while two programs work through one queue.

    python -m tests.stress.kills                             200 of the host, 50 of everything
    python -m tests.stress.kills --jobs 5 --host 5 --all 2   the short form, which the tests run

Each job computes a picture for a while and saves it; one in ten has the built-in model draw. Two
`weft queue run` share the queue. First single hosts are killed, then everything at once, each time
followed by a fresh start. How long a host lives is drawn anew each time, in the measure of what a
job takes on this machine, so that kills come while it begins, computes, saves and ends; when few
jobs are left before all kills are done, more are queued. At the end
the queue is worked through in peace, and then: every job is done, each has left exactly one picture
with the right pixels, no process is left, no half-written file, no orphan in the cache, and every
cached result is sound. Exit status 1 where one of these is not so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
MARK = "WEFT_STRESS_MARK"
HOST = "backend.engine.host"


@dataclass
class Home:
    """A user of their own: folders, settings, and the processes that carry its mark."""

    folder: Path
    seed: int
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def environment(self) -> dict[str, str]:
        names = {f"XDG_{n}_HOME": str(self.folder / n.lower()) for n in ("CONFIG", "CACHE", "DATA")}
        own = {MARK: self.mark, "PYTHONPATH": str(ROOT), "WEFT_QUEUE_ATTEMPTS": "100",
               "XDG_STATE_HOME": str(self.folder / "state"), "OMP_NUM_THREADS": "1",
               "WEFT_RUN_THREADS": "1"}  # fmt: skip
        return {**os.environ, **names, **own}

    def weft(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "backend.cli", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """Begin to work through the queue."""
        log = (self.folder / "run.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "backend.cli", "queue", "run"],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip

    def processes(self, of: str = "") -> list[psutil.Process]:
        """The processes of this home that are alive, or those with ``of`` in their command."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                ours = process.environ().get(MARK) == self.mark
                if ours and of in " ".join(process.cmdline()):
                    found.append(process)
        return found


def picture(number: int) -> dict[str, object]:
    """A workflow that computes for about half a second and saves one picture."""
    if number % 10 == 9:
        flow: dict[str, object] = json.loads(
            (ROOT / "workflows/text-to-image.weft.json").read_text()
        )
        nodes = flow["nodes"]
        assert isinstance(nodes, dict)
        nodes["sample"].setdefault("params", {}).update({"seed": number, "steps": 6})
        (saving,) = (n for n in nodes.values() if n["type"] == "save_image")
        saving.setdefault("params", {})["name"] = f"job{number}"
        return flow
    color = f"#{(number * 2654435761) & 0xFFFFFF:06x}"
    nodes = {
        "c": {"type": "solid_image", "params": {"width": 900, "height": 700, "color": color}},
        "s": {"type": "shape_mask", "params": {"width": 900, "height": 700}},
        "j": {"type": "join_alpha", "inputs": {"image": "c.image", "mask": "s.mask"}},
        "b": {"type": "blur", "params": {"radius": 30}, "inputs": {"image": "j.image"}},
        "r": {"type": "resize", "params": {"width": 3000}, "inputs": {"image": "b.image"}},
        "b2": {"type": "blur", "params": {"radius": 60}, "inputs": {"image": "r.image"}},
        "t": {"type": "resize", "params": {"width": 96}, "inputs": {"image": "b2.image"}},
        "k": {"type": "save_image", "params": {"name": f"job{number}"},
              "inputs": {"image": "t.image"}},
    }  # fmt: skip
    return {"weft": 1, "nodes": nodes}


@dataclass
class Work:
    """The jobs of a home: those of the numbers below ``queued``, which are in its queue."""

    home: Home
    queued: int = 0

    def add(self, count: int) -> None:
        """Queue more of them."""
        for number in range(self.queued, self.queued + count):
            path = self.home.folder / f"{number}.weft.json"
            path.write_text(json.dumps(picture(number)))
            added = self.home.weft("queue", "add", str(path), "--out", str(self.home.output))
            if added.returncode:
                raise SystemExit(f"job {number} cannot be queued: {added.stderr}")
        self.queued += count

    def refill(self, least: int) -> None:
        """Have at least so many jobs wait or run."""
        left = self.queued - len(ended(self.home))
        if left < least:
            self.add(least - left)


def together(jobs: Sequence[int]) -> dict[str, object]:
    """The workflows of jobs as one, in which each has its own nodes."""
    nodes: dict[str, object] = {}
    for number in jobs:
        flow = json.loads(json.dumps(picture(number)))
        for name, node in flow["nodes"].items():
            sources = node.get("inputs", {}).items()
            node["inputs"] = {socket: f"job{number}_{source}" for socket, source in sources}
            nodes[f"job{number}_{name}"] = node
    return {"weft": 1, "nodes": nodes}


def calm(home: Home, *jobs: int) -> tuple[list[Path], float]:
    """The pictures that jobs must give, computed in peace, and the seconds that this took."""
    folder = Path(tempfile.mkdtemp(prefix="calm-", dir=home.folder))
    path = folder / "calm.weft.json"
    path.write_text(json.dumps(together(jobs)))
    begin = time.monotonic()
    done = Home(folder, home.seed).weft("run", str(path), "--no-cache")
    took = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"the jobs do not even run in peace: {done.stderr}")
    return [folder / line for line in done.stdout.strip().splitlines()], took


def wanted(home: Home, jobs: int) -> Mapping[str, np.ndarray]:
    """The pixels that each job must give, by the name of its file."""
    found = {path.name: pixels(path) for path in calm(home, *range(jobs))[0]}
    assert len(found) == jobs
    return found


def pixels(path: Path) -> np.ndarray:
    """The pixels of a PNG."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA"))


def kill_hosts(work: Work, count: int, pace: float, rng: random.Random) -> int:
    """Kill single hosts while two runners work; how many times new runners had to be begun."""
    home, killed, begun = work.home, 0, 0
    runners: list[subprocess.Popen[bytes]] = []
    while killed < count:
        if all(runner.poll() is not None for runner in runners):
            work.refill(min(10, count))
            runners, begun = [home.start(), home.start()], begun + 1
        time.sleep(rng.uniform(0.02, pace))
        hosts = home.processes(HOST)
        if hosts:
            with contextlib.suppress(psutil.Error):
                rng.choice(hosts).send_signal(signal.SIGKILL)
                killed += 1
    for runner in runners:
        with contextlib.suppress(ProcessLookupError):
            runner.send_signal(signal.SIGINT)
        runner.wait(60)
    return begun


def kill_all(work: Work, count: int, pace: float, rng: random.Random) -> None:
    """Kill every process of the home at once, and start over, so many times."""
    home = work.home
    for _ in range(count):
        work.refill(4)
        runners = [home.start(), home.start()]
        time.sleep(rng.uniform(0.3, 3 * pace))
        for process in home.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        for runner in runners:
            runner.wait(20)


def settle(home: Home) -> None:
    """Work through what is left, in peace."""
    runners = [home.start(), home.start()]
    for runner in runners:
        runner.wait(1200)


def ended(home: Home) -> list[dict[str, Any]]:
    """All jobs that have ended."""
    lines = home.weft("history", "show", "--limit", "0", "--json").stdout.splitlines()
    return [job for job in map(json.loads, lines) if "state" in job]


def faults(home: Home, right: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Sentences on everything that is not as it must be."""
    jobs = ended(home)
    states = [job["state"] for job in jobs]
    if states.count("done") != len(right) or set(states) - {"done"}:
        yield f"of {len(right)} jobs ended: { {s: states.count(s) for s in set(states)} }"
    yield from (f"job {j['id']}: {j['sentence'][:300]}" for j in jobs if j["state"] != "done")
    there = {path.name for path in home.output.rglob("*") if path.is_file()}
    yield from (f"{name} is missing" for name in sorted(right.keys() - there))
    yield from (f"{name} was left or written twice" for name in sorted(there - right.keys()))
    for name in sorted(right.keys() & there):
        try:
            same = np.array_equal(pixels(home.output / name), right[name])
        except OSError as error:
            yield f"{name} cannot be read: {error}"
            continue
        if not same:
            yield f"{name} has other pixels than it should"
    end = time.monotonic() + 10
    while home.processes() and time.monotonic() < end:
        time.sleep(0.05)
    yield from (f"process {p.pid} is left: {' '.join(p.cmdline())[:120]}" for p in home.processes())
    checked = home.weft("cache", "verify", "--json")
    if checked.returncode:
        yield f"the cache is not sound: {checked.stdout[-500:]}{checked.stderr[-500:]}"
    spool = home.folder / "cache" / "weft" / "spool"
    yield from (f"{path} is an orphan" for path in spool.rglob("*") if path.is_file())


def stress(folder: Path, jobs: int, host: int, everything: int, seed: int) -> list[str]:
    """Do it all; what went wrong."""
    home, rng = Home(folder, seed), random.Random(seed)
    work, pace = Work(home), min(calm(home, 0)[1] for _ in range(2))
    work.add(jobs)
    print(f"one job takes {pace:.1f} s, with its start", flush=True)
    begin = time.monotonic()
    begun = kill_hosts(work, host, pace, rng)
    print(f"{host} hosts killed in {time.monotonic() - begin:.0f} s; runners were begun {begun} "
          f"times, {len(ended(home))} jobs have ended", flush=True)  # fmt: skip
    begin = time.monotonic()
    kill_all(work, everything, pace, rng)
    print(f"everything killed {everything} times in {time.monotonic() - begin:.0f} s; "
          f"{len(ended(home))} of {work.queued} jobs have ended", flush=True)  # fmt: skip
    settle(home)
    return list(faults(home, wanted(home, work.queued)))


def main() -> int:
    """The whole stress; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--host", type=int, default=200)
    parser.add_argument("--all", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args()
    print(f"seed {options.seed}, {platform.machine()}, {os.cpu_count()} cores, "
          f"Python {platform.python_version()}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="weft-kills-") as folder:
        found = stress(Path(folder), options.jobs, options.host, options.all, options.seed)
    for fault in found:
        print(fault)
    print(f"{options.jobs} jobs; faults: {len(found)}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
