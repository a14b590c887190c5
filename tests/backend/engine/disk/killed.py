"""A program for ``test_processes``: writers that are killed at random moments.

``python killed.py FOLDER SEED KILLS`` forks a writer ``KILLS`` times, kills each with SIGKILL at a
moment of its own while it puts, replaces, forgets and evicts, and afterwards looks at the folder
with the eyes of the next process. Prints one JSON object of counts.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from backend.engine.disk import DiskCache
from backend.engine.results import make_result
from backend.plan.keys import result_digest
from backend.values import Image

BUDGET = 400_000
KEYS = 40


def value(number: int) -> Image:
    """What belongs to a key; a few kilobytes to a hundred."""
    side = 8 + number * 2
    return Image(np.full((1, side, side, 3), number / KEYS, np.float32))


def write(root: Path, seed: int) -> None:
    """Put results until somebody ends this process."""
    rng = random.Random(seed)
    cache = DiskCache(root, BUDGET, 0.5)
    while True:
        number = rng.randrange(KEYS)
        made = make_result({"image": value(number)}, rng.choice((0.1, 1.0, 2.0)), True)
        cache.put(f"k{number}", f"s{number % 3}", made)
        if rng.random() < 0.2:
            cache.forget(f"k{rng.randrange(KEYS)}")
        if rng.random() < 0.3:
            cache.flush()


def look(root: Path) -> dict[str, int]:
    """The next process: everything that it reads is right, and nothing is left over."""
    cache = DiskCache(root, BUDGET, 0.5)
    cache.find("k0")
    cache.flush()
    right = wrong = 0
    for number in range(KEYS):
        found = cache.get(f"k{number}")
        if found is not None:
            same = result_digest(found.values["image"]) == result_digest(value(number))
            right, wrong = right + same, wrong + (not same)
    cache.flush()
    held = cache.info()
    files = [p for p in root.iterdir() if p.suffix in (".safetensors", ".part", ".frames")]
    taken = sum(p.stat().st_size for p in files)
    named = sum(p.suffix == ".safetensors" for p in files)
    checked = cache.verify() if (root / "index.sqlite").exists() else None
    told = cache.troubles()
    cache.close()
    return {
        "right": right,
        "wrong": wrong,
        "left_over": len(files) - named + (taken != held.nbytes) + (taken > BUDGET),
        "broken": checked.broken if checked else 0,
        "told": len(told),
        "locks": sum(p.suffix == ".intent" for p in root.iterdir()),
    }


def main(folder: str, seed: int, kills: int) -> None:
    """Kill, look, and add up."""
    root, rng = Path(folder) / "results", random.Random(seed)
    sums: dict[str, int] = {}
    for turn in range(kills):
        child = os.fork()
        if not child:
            write(root, seed + turn)
        time.sleep(rng.uniform(0.0, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if root.exists():
            for name, count in look(root).items():
                sums[name] = sums.get(name, 0) + count
    print(json.dumps(sums))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
