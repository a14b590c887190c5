"""A random hand on the whole studio: ``python -m tests.stress.studio --actions 10000 --seed 7``.

It adds, links, pastes, groups, frames, mutes, moves, undoes, switches tabs, saves and runs (in an
engine room without an engine), by commands and by the mouse, offscreen. No exception may come out
of it; every few actions the canvas must show what one shows that opens the document now; what is
saved must read back the same; and undoing to the start must give the first bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main(actions: int, seed: int) -> int:
    """Drive a window; the status of the process."""
    from app.main import make_application
    from backend.engine.registry import scan_nodes
    from tests.app.fuzz.driver import Driver

    make_application()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="weft-studio-") as home:
        for name in ("CACHE", "DATA", "CONFIG", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = f"{home}/{name}"
        driver = Driver(scan_nodes().specs, Path(home), seed)
        try:
            done = 0
            while done < actions:
                driver.go(min(1000, actions - done))
                done += min(1000, actions - done)
                print(f"{time.perf_counter() - begin:7.1f} s: {done} actions, "
                      f"{driver.edits} edits, "
                      f"{len(driver.canvas.board.nodes)} nodes", flush=True)  # fmt: skip
            driver.end()
        finally:
            print(dict(driver.did.most_common()), driver.last)
            driver.close()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.exit(main(given.actions, given.seed))
