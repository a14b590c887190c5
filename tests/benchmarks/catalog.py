"""How long a scan of many model files takes: ``python -m tests.benchmarks.catalog``.

Writes sparse files with true headers in the layout of ComfyUI's models folder (70 % LoRAs of 80 to
760 tensors, 15 % denoisers, VAEs and encoders with all names of their signatures filled up to 700
tensors, 10 % checkpoints of 1 500, 5 % broken), scans them, and scans again. Beside both stands the
baseline: ``os.walk`` and a stat of every file, the least that any scan has to do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backend.catalog.identify import Knowledge, shipped_knowledge
from backend.catalog.index import Index
from backend.catalog.roots import Root
from backend.catalog.scan import Scanned, scan

SEED = 20261121
GOALS = {"first scan": 10.0, "second scan": 0.5}


def header(tensors: dict[str, tuple[int, ...]], dtype: str = "BF16") -> tuple[bytes, int]:
    """The bytes of a safetensors header, and how many bytes of tensors follow it."""
    place, entries = 0, {}
    for name, shape in tensors.items():
        size = 2
        for length in shape:
            size *= length
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text, place


def lora(rng: random.Random) -> dict[str, tuple[int, ...]]:
    """A kohya LoRA of 40 to 380 modules."""
    rank = rng.choice((4, 16, 32))
    tensors: dict[str, tuple[int, ...]] = {}
    for number in range(rng.randrange(40, 380)):
        module = f"lora_unet_double_blocks_{number}_img_attn_qkv"
        tensors[f"{module}.lora_down.weight"] = (rank, 3072)
        tensors[f"{module}.lora_up.weight"] = (9216, rank)
    return tensors


def network(knowledge: Knowledge, rng: random.Random, prefix: str, size: int):
    """The tensors of a random signature, and others beside them."""
    signature = rng.choice(knowledge.book.signatures)
    shapes = signature.form.shapes
    tensors = {prefix + key: tuple(n or 8 for n in shape) for key, shape in shapes.items()}
    fill = {f"{prefix}extra_blocks.{i}.attn.to_q.weight": (64, 64) for i in range(size)}
    return tensors | fill


def make(folder: Path, count: int, knowledge: Knowledge) -> None:
    """Write ``count`` sparse files."""
    rng = random.Random(SEED)
    for number in range(count):
        draw = rng.random()
        if draw < 0.70:
            place, tensors = "loras", lora(rng)
        elif draw < 0.85:
            place, tensors = "diffusion_models", network(knowledge, rng, "", 700)
        else:
            place = "checkpoints"
            tensors = network(knowledge, rng, "model.diffusion_model.", 1500)
        raw, size = header(tensors)
        if draw > 0.95:
            raw = raw[: len(raw) // 2]
        path = folder / place / f"group{number % 40}" / f"model{number}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(raw)
            file.truncate(len(raw) + size if draw <= 0.95 else len(raw))


def walk_and_stat(folder: Path) -> int:
    """The baseline."""
    return sum(
        os.stat(os.path.join(place, name)).st_size >= 0
        for place, _, names in os.walk(folder)
        for name in names
    )


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of this process's own processor time."""

    wall: float
    cpu: float


def timed(act: Callable[[], object]) -> Took:
    """How long a call takes."""
    cpu, start = time.process_time(), time.perf_counter()
    act()
    return Took(time.perf_counter() - start, time.process_time() - cpu)


def main() -> None:
    """Make the files, then measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    knowledge = shipped_knowledge()
    taken: dict[str, list[Took]] = {"os.walk and stat": [], "first scan": [], "second scan": []}
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        make(models, options.files, knowledge)
        for number in range(options.rounds):
            taken["os.walk and stat"].append(timed(lambda: walk_and_stat(models)))
            with Index(Path(folder) / f"index{number}.sqlite") as index:
                done: list[Scanned] = []
                act = partial(_scan_into, done, models, index, knowledge)
                taken["first scan"].append(timed(act))
                taken["second scan"].append(timed(act))
            first, second = done
            assert (first.new, second.new, second.same) == (options.files, 0, options.files)
    print(f"{options.files} files, {first.broken} of them broken; median of {options.rounds}")
    print(f"{'':18} {'wall':>8} {'cpu':>8} {'of baseline':>12} {'goal':>6}")
    base = statistics.median(took.wall for took in taken["os.walk and stat"])
    for name, all_took in taken.items():
        wall = statistics.median(took.wall for took in all_took)
        cpu = statistics.median(took.cpu for took in all_took)
        print(f"{name:18} {wall:8.3f} {cpu:8.3f} {wall / base:10.1f} x {GOALS.get(name, ''):>6}")


def _scan_into(done: list[Scanned], models: Path, index: Index, knowledge: Knowledge) -> None:
    done.append(scan((Root(models),), index, knowledge))


if __name__ == "__main__":
    main()
