"""Mutated workflows, pictures and headers, by the thousand, against the real code.

    python -m tests.stress.fuzz                 20 000 workflows, 5 000 pictures, 5 000 headers
    python -m tests.stress.fuzz --share 0.02    the short form, which the tests run

Each target runs in a process with a limit on its memory, where Python's audit hook sees every file
that is opened. Faults are: an exception that is no sentence, the death of the process, more than
ten seconds for one input, and a file read outside of the granted folder. Exit status 1 where there
is one; each is named by its number, which with the seed makes the same input again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import queue
import random
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stress.targets import ROOT, TARGETS

MODULE = "tests.stress.fuzz"
START, LONGEST = 60.0, 10.0
MEMORY = 6 * 2**30


@dataclass
class Tally:
    """What came of one target. ``faults`` are sentences."""

    words: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0


def main() -> int:
    """Fuzz all targets, print a line for each; the exit status."""
    options = _options()
    if options.child:
        _child(options.child, Path(options.folder), options.seed, options.first, options.count)
        return 0
    print(f"seed {options.seed}, {platform.machine()}, {os.cpu_count()} cores, "
          f"Python {platform.python_version()}")  # fmt: skip
    status = 0
    for name in options.only or TARGETS:
        count = max(1, int(TARGETS[name].count * options.share))
        begin = time.monotonic()
        tally = fuzz(name, options.seed, count)
        seconds = time.monotonic() - begin
        told = ", ".join(f"{number} {word}" for word, number in tally.words.most_common())
        print(
            f"{name}: {sum(tally.words.values())} of {count} in {seconds:.0f} s, slowest "
            f"{tally.slowest:.2f} s ({told}); faults: {len(tally.faults)}"
        )
        for fault in tally.faults[:20]:
            print(f"  {fault}")
        status |= bool(tally.faults)
    return status


def fuzz(name: str, seed: int, count: int) -> Tally:
    """Try ``count`` inputs of a target; a process that dies is replaced and goes on behind it."""
    tally, first = Tally(), 0
    with tempfile.TemporaryDirectory(prefix="weft-fuzz-") as home:
        granted = Path(home) / "granted"
        granted.mkdir()
        (Path(home) / "secret.png").write_bytes(b"secret")
        while first < count:
            first = _watch(name, granted, seed, first, count, tally)
    return tally


def _watch(name: str, folder: Path, seed: int, first: int, count: int, tally: Tally) -> int:
    """Run one child from input ``first`` on; the number of the input to go on with."""
    command = [sys.executable, "-m", MODULE, "--child", name, "--folder", str(folder),
               "--seed", str(seed), "--first", str(first), "--count", str(count)]  # fmt: skip
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1)
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(child, lines), daemon=True).start()
    number, begin = first, time.monotonic() + START  # before the first come the imports
    try:
        while True:
            try:
                line = lines.get(timeout=max(0.01, begin + LONGEST - time.monotonic()))
            except queue.Empty:
                tally.faults.append(f"input {number} took more than {LONGEST:g} s")
                return number + 1
            if line is None:
                break
            said = json.loads(line)
            if "number" in said:
                number, begin = said["number"], time.monotonic()
            elif "fault" in said:
                tally.faults.append(f"input {said['of']}: {said['fault']}")
            else:
                tally.words[said["word"]] += 1
                tally.slowest = max(tally.slowest, said["seconds"])
    finally:
        child.kill()
        child.wait()
    if child.returncode == 0 or number >= count:
        return count
    tally.faults.append(f"input {number} ended the process (status {child.returncode})")
    return number + 1


def _read(child: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    child.wait()
    lines.put(None)


def _child(name: str, folder: Path, seed: int, first: int, count: int) -> None:
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    target = TARGETS[name](folder)
    opened: list[str] = []
    _listen(folder, opened)
    for number in range(first, count):
        print(json.dumps({"number": number}), file=out)
        data = target.make(random.Random(f"{seed}/{name}/{number}"))
        begin = time.perf_counter()
        try:
            word = target.attempt(data)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            fault = f"{type(error).__name__}: {str(error)[:200]} ({place})"
            print(json.dumps({"of": number, "fault": fault}), file=out)
            word = "fault"
        seconds = time.perf_counter() - begin
        for path in opened:
            print(json.dumps({"of": number, "fault": f"opened {path}"}), file=out)
        opened.clear()
        print(json.dumps({"word": word, "seconds": seconds}), file=out)
    target.close()


def _listen(folder: Path, opened: list[str]) -> None:
    """Note every file that is opened and is neither granted nor Weft's or Python's own."""
    own = {sysconfig.get_path(each) for each in ("stdlib", "platstdlib", "purelib", "platlib")}
    own |= {str(ROOT), str(folder), sys.prefix, sys.base_prefix, "/dev/", "/proc/self", "/sys/"}
    own |= {
        os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        "/usr/share",
        "/etc/ld",
    }
    allowed = tuple(
        os.path.realpath(each) if not each.startswith("/proc") else each for each in own
    )

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(given[0], str | bytes):
            return
        path = os.fsdecode(given[0])
        if not os.path.realpath(path).startswith(allowed):
            opened.append(path)

    sys.addaudithook(hear)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--share", type=float, default=1.0, help="of the full numbers")
    parser.add_argument("--only", action="append", choices=list(TARGETS))
    parser.add_argument("--child", choices=list(TARGETS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
