"""Runs every tiny pipeline and writes what came of it to docs/pipelines.md:

python -m tests.backend.models.pipelines.table
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import diffusers
import numpy as np
import torch

from backend.models.pipelines.classes import pipeline_class
from backend.models.pipelines.quiet import hush
from backend.models.pipelines.watch import means_of
from tests.backend.models.pipelines.animal import Animal
from tests.backend.models.pipelines.bench import Bench, array_of, directly, through_node
from tests.backend.models.pipelines.zoo import ZOO

PAGE = Path(__file__).parents[4] / "docs" / "pipelines.md"
TEXT = Path(__file__).with_name("page.md")


def row(animal: Animal) -> str:
    """One line: class, task, steps told by, seconds of the run, largest difference."""
    with tempfile.TemporaryDirectory() as home:
        folder = animal.write(Path(home) / "model")
        bench = Bench(folder, Path(home) / "spool")
        began = time.perf_counter()
        try:
            made = array_of(through_node(animal, bench))
            seconds = time.perf_counter() - began
            far = float(np.abs(made - directly(animal, folder)).max())
            result = "equal" if far == 0 else f"within {far:.1e}"
        except Exception as error:  # the table tells of failures too
            seconds = time.perf_counter() - began
            said = " ".join(str(error).split())
            meant = animal.refused and animal.refused in said
            result = "refused with a sentence" if meant else f"fails: {said[:120]}"
    means = means_of(pipeline_class(animal.kind, "the table"))
    shape = "" if result.startswith(("fails", "refused")) else "x".join(map(str, made.shape))
    return f"| {animal.kind} | {animal.task} | {means} | {shape} | {seconds:.1f} | {result} |"


def main() -> None:
    hush()
    torch.set_num_threads(1)
    lines = []
    for animal in sorted(ZOO.values(), key=lambda a: (a.task, a.kind)):
        lines.append(row(animal))
        print(lines[-1], flush=True)
    table = "\n".join(lines)
    text = TEXT.read_text().replace("VERSION", diffusers.__version__)
    PAGE.write_text(text.replace("TABLE", table))


if __name__ == "__main__":
    sys.exit(main())
