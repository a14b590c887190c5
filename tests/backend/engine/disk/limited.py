"""A program for ``test_trouble``: puts results under a limit that its first argument names.

``python limited.py disk|user|clear FOLDER``: ``disk`` lets no file grow above a few pages, as a
full disk would; ``user`` gives up the rights of root; ``clear`` empties the cache where not a byte
can be written. Prints the sentences that it was told.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from backend.engine.disk import DiskCache
from backend.engine.results import make_result
from tests.backend.engine.disk.killed import value


def main(limit: str, folder: str) -> None:
    """Put, read, and tell."""
    big, small = (make_result({"image": value(n)}, 1.0, True) for n in (39, 1))
    if limit == "disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    if limit == "user" and os.geteuid() == 0:
        os.setuid(65534)
    cache = DiskCache(Path(folder) / "results", 10**9, 0.5)
    if limit == "clear":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        held = cache.clear()
        cache.close()
        print(json.dumps({"told": list(cache.troubles()), "held": [held.entries, held.nbytes]}))
        return
    cache.put("big", "s", big)
    cache.flush()
    cache.put("small", "s", small)
    cache.flush()
    here = [name for name in ("big", "small") if cache.get(name) is not None]
    cache.put("again", "s", big)
    cache.close()
    print(json.dumps({"told": list(cache.troubles()), "here": here}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
