"""Writes ``docs/families.md`` from a run of the parity tests.

``python -m tests.backend.models.families`` runs them, some minutes on two cores.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.models.card import Card
from backend.models.family import families
from backend.models.lora.originals import load_rules

ROOT = Path(__file__).parents[3]
TASKS = {
    "from_texts": "from texts",
    "image_to_image": "image to image",
    "in_paint": "in-paint",
    "inpaint": "in-paint",
    "edit": "edit",
    "kontext": "edit",
    "fill": "in-paint model",
    "video_to_video": "video to video",
    "refiner": "refiner",
    "reference": "references",
    "expert": "experts",
}
"""What a test's name says of the task that it compares."""

ENDINGS = ("_parity", "_variants", "_edit")
"""How the modules that compare a family with pipelines end."""

DELIBERATE = ("far", "mistake", "wrong", "differ", "alone", "not_")
"""Tests that show differences on purpose, or compare Weft with itself."""

HEAD = """# Families

A family is one architecture that Weft runs by itself, with all its seams: solvers, schedules,
guidance, patches. Each is held against the matching pipelines of diffusers on tiny random models:
latents in fp32, sizes that are not square, a batch of 2, unequal prompts, guidance on. The figures
are the largest relative differences that a run found (at most 1e-4 is asked); deliberate mistakes
move the result by at least twenty times that. Models of other architectures run whole, through
their own pipelines: see `pipelines.md`.

Written by `python -m tests.backend.models.families` on {date}: {machine}, torch {torch},
diffusers {diffusers}. Seconds are those of a family's parity tests.

| family | tasks | parity | seconds | files | LoRA | attention sites |
|---|---|---|---|---|---|---|
"""

FOOT = """
*Files*: every family loads folders in the diffusers layout, sharded or not, with variants. "single
files" are checkpoints of everything and a file per part in the names of the model's authors;
"GGUF" are quantised denoisers. *LoRA*: LoRA, LoHa and LoKr in PEFT, diffusers and kohya forms;
with "authors' names" also those of trainers that work on the original checkpoint, where it differs.
`lora.md` tells more.
"""


@dataclass
class Row:
    """What a run found of one family: the largest difference by task, and the seconds."""

    found: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def measure() -> Mapping[str, Row]:
    """Run the parity tests; what they found by the name of their module."""
    home = Path(__file__).parent
    tests = sorted(str(p) for ending in ENDINGS for p in home.glob(f"test_*{ending}.py"))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        done = subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT)
        if done.returncode:
            raise SystemExit("A parity test failed; the table was not written.")
        return read(report)


def read(report: Path) -> Mapping[str, Row]:
    """The rows in a report of pytest."""
    rows: dict[str, Row] = defaultdict(Row)
    for case in ET.parse(report).iter("testcase"):
        places = case.get("classname", "").split(".")
        name = next(p for p in places if p.startswith("test_")).removeprefix("test_")
        for ending in ENDINGS:
            name = name.removesuffix(ending)
        test = case.get("name", "")
        rows[name].seconds += float(case.get("time", "0"))
        for said in case.iter("property"):
            task = next((t for sign, t in TASKS.items() if sign in test), "")
            if said.get("name") == "difference" and task and not _deliberate(test):
                value = float(said.get("value", "nan"))
                rows[name].found[task] = max(value, rows[name].found.get(task, 0.0))
    return rows


def _deliberate(test: str) -> bool:
    return any(sign in test for sign in DELIBERATE)


def packs() -> Mapping[str, set[str]]:
    """By family, what its packs can be loaded from besides folders."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "resources/configs").glob("*/pack.json")):
        pack = json.loads(path.read_text())
        for part in pack["parts"]:
            if part["kind"] == "denoiser" and pack["family"]:
                forms = {form["name"] for form in part["forms"]}
                single = {"single files"} if forms - {"diffusers"} else {"a file per part"}
                found[pack["family"]] |= single
                if part["part"] == "transformer" and forms - {"diffusers"}:
                    found[pack["family"]].add("GGUF")
    return found


def line(card: Card, row: Row, files: set[str]) -> str:
    """One row of the table."""
    tasks = ", ".join(sorted(card.capabilities - {"cfg", "embedded guidance"}))
    texts = "text to video" if "text to video" in card.capabilities else "text to image"
    found = {texts if task == "from texts" else task: row.found[task] for task in row.found}
    parity = ", ".join(f"{task} {value:.1e}" for task, value in sorted(found.items()))
    renamed = {kind for rules in load_rules() for kind in rules.classes}
    nets = {kind for part in card.roles["model"] for kind in card.classes[part]}
    lora = "all forms, authors' names" if nets & renamed else "all forms"
    sites = ", ".join(dict.fromkeys(f"{s.name} ({s.stream})" for s in card.sites)) or "none"
    if len(card.sites) > 6:
        sites = f"{len(card.sites)} runs (self and cross at each size)"
    told = ", ".join(sorted(files)) or "folders only"
    return (
        f"| {card.title} | {tasks} | {parity or 'not compared'} | {row.seconds:.0f} | {told} | "
        f"{lora} | {sites} |"
    )


def main() -> None:
    """Run, and write the page."""
    import diffusers
    import torch

    rows, known = measure(), packs()
    head = HEAD.format(
        date=time.strftime("%Y-%m-%d"),
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads",
        torch=torch.__version__,
        diffusers=diffusers.__version__,
    )
    modules = {family.card.name: type(family).__module__.rsplit(".", 1)[-1] for family in
               families().values()}  # fmt: skip
    lines = [
        line(family.card, rows.get(modules[name], Row()), known.get(name, set()))
        for name, family in sorted(families().items())
    ]
    (ROOT / "docs/families.md").write_text(head + "\n".join(lines) + "\n" + FOOT)


if __name__ == "__main__":
    main()
