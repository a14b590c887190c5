"""A program for ``test_processes``: puts and reads the same keys as others do at the same time.

``python putter.py FOLDER NAME COUNT`` waits for a line on standard input, then works, and prints
how many reads gave a result and how many of those were wrong.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from backend.engine.disk import DiskCache
from backend.engine.results import make_result
from backend.plan.keys import result_digest
from tests.backend.engine.disk.killed import BUDGET, KEYS, value


def main(folder: str, name: str, count: int) -> None:
    """Put and read at random."""
    cache, rng = DiskCache(Path(folder) / "results", BUDGET, 0.5), random.Random(name)
    sys.stdin.readline()
    read = wrong = 0
    for turn in range(count):
        number = rng.randrange(KEYS)
        found = cache.get(f"k{number}")
        if found is None:
            made = make_result({"image": value(number)}, rng.choice((0.6, 2.0)), True)
            cache.put(f"k{number}", "s", made)
        else:
            read += 1
            wrong += result_digest(found.values["image"]) != result_digest(value(number))
        if turn % 10 == 0:
            cache.flush()
    cache.close()
    print(json.dumps({"read": read, "wrong": wrong, "told": list(cache.troubles())}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
