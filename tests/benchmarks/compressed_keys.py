"""What compressed keys cost Primer, untuned and tuned: scenes right, and a Fréchet distance.

Run it with ``python -m tests.benchmarks.compressed_keys --file keys.safetensors`` (see
``python -m backend.train keys``). All pictures go through the nodes that a workflow has.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from backend.train.figures import machine
from nodes.compression import compress_keys
from tests.benchmarks.primer import Painter


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="the tuned file")
    parser.add_argument("--count", type=int, default=150, help="captions")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--only", choices=["dense", "untuned", "tuned"], action="append")
    given = parser.parse_args()
    painter = Painter(given.count, given.seed)
    model = painter.loaded.model
    ways = {
        "dense": lambda: model,
        "untuned": lambda: compress_keys(painter.ctx, model, ratio="2"),
        "tuned": lambda: compress_keys(painter.ctx, model, ratio="2", file=str(given.file)),
    }
    print(f"{machine()}, seed {given.seed}, {given.count} captions of held-out pairs")
    for name, way in ways.items():
        if name in (given.only or ways):
            began = time.monotonic()
            print(f"{name:8} {painter.judge(way())}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
