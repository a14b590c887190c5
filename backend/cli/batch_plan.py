"""What ``weft batch`` is asked, and its jobs, checked before any of them runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.batch.drafts import Recipe
from backend.batch.plan import Batch, Order, plan_batch
from backend.batch.read import Asked, Reader, Varied
from backend.batch.rows import Point, told
from backend.batch.sweep import split_sweep
from backend.cli.check import show_diagnostics
from backend.cli.errors import INVALID, Stop, wrong_usage
from backend.cli.flow import Flow, open_flow
from backend.cli.params import set_params, typed_files
from backend.cli.places import SUFFIX
from backend.cli.run import check_output
from backend.cli.streams import Output

if TYPE_CHECKING:
    from backend.settings import Settings

MOST_CHECKED = 2000
"""Jobs that are checked before the first runs; an error of another is told in its turn."""


@dataclass(frozen=True, slots=True)
class Told:
    """The parts of a batch as the command line names them."""

    table: Path | None = None
    sweeps: tuple[str, ...] = ()
    eaches: tuple[str, ...] = ()

    def read(self) -> Asked:
        """The same, each with its parameter.

        Raises:
            BatchError: a parameter or its values are missing.
        """
        return Asked(
            self.table,
            tuple(_varied(text, "--sweep") for text in self.sweeps),
            tuple(_varied(text, "--each") for text in self.eaches),
            f"--table {self.table}",
            "Put the pattern into quotes, so that the shell leaves it as it is.",
        )


def _varied(text: str, option: str) -> Varied:
    name, said = split_sweep(text, option)
    return Varied(name, said, f"{option} {name}", f"{option} {name}={said}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks of a batch."""

    asked: Told
    sets: tuple[str, ...] = ()
    seed: int | None = None
    name: str = ""
    title: str = ""
    out: Path | None = None
    manifest: Path | None = None
    sheet: Path | None = None
    resume: bool = False
    retry_failed: bool = False
    check_files: bool = False
    jobs: int = 1
    only_queue: bool = False
    dry_run: bool = False
    device: str | None = None
    memory: str | None = None
    host_memory: str | None = None

    def check(self) -> None:
        """See that options go together.

        Raises:
            Stop: some do not.
        """
        asked = self.asked
        if asked.table is None and not asked.sweeps and not asked.eaches:
            raise wrong_usage("Say what the jobs differ in: --table, --sweep or --each.")
        if (self.retry_failed or self.check_files) and not self.resume:
            raise wrong_usage("--retry-failed and --check-files go with --resume.")
        if self.dry_run and (self.resume or self.only_queue):
            raise wrong_usage("--dry-run goes neither with --resume nor with --queue.")
        if self.only_queue and (self.jobs > 1 or self.sheet):
            raise wrong_usage("--queue runs nothing, so --jobs and --sheet do not go with it.")
        if self.sheet is None:
            return
        if self.sheet.suffix.lower() != ".png":
            raise wrong_usage(f"--sheet {self.sheet}: a sheet is a .png file.")
        if self.sheet.is_dir() or (os.path.lexists(self.sheet) and not self.resume):
            raise wrong_usage(f"--sheet {self.sheet}: this is there already. Choose another name.")


def plan(
    name: str, wish: Wish, allowed: Sequence[Path], settings: Settings, output: Output
) -> tuple[Flow, Batch]:
    """Read what a batch is made from, and check its jobs.

    Raises:
        Stop, BatchError: something of it cannot be.
    """
    from backend.settings import expanded

    wish.check()
    flow = open_flow(name, allowed)
    specs, base = flow.registry.specs, flow.grants.base
    workflow, picked = set_params(flow.workflow, specs, wish.sets, base)
    flow = flow.granting(picked)
    reader = Reader(workflow, specs, flow.grants, typed_files(base))
    parts = reader.parts(wish.asked.read())
    flow = replace(flow.granting(reader.granted), workflow=workflow)
    out = Path(os.path.realpath(expanded(wish.out or settings.folders.output)))
    check_output(out)
    title = wish.title or workflow.title or flow.path.name.removesuffix(SUFFIX)
    order = Order(title, out, wish.name, wish.seed)
    batch = plan_batch(workflow, specs, flow.grants, parts, order)
    _check(flow, batch.recipe, batch.points, output)
    batch.check_names()
    return flow, batch


def _check(flow: Flow, recipe: Recipe, chosen: Sequence[Point], output: Output) -> None:
    """Check one job for each value that occurs.

    Raises:
        Stop: one has errors, which are shown.
    """
    from backend.engine.lookup import HeaderLookup
    from backend.graph.check import check

    lookup = HeaderLookup(flow.grants)
    seen: set[tuple[str, str]] = set()
    checked = 0
    for point in chosen:
        new = {(each.target, repr(each.value)) for each in point.values} - seen
        if (checked and not new) or checked >= MOST_CHECKED:
            continue
        seen |= new
        checked += 1
        found = check(recipe.document(point), flow.registry, lookup)
        if found.flat is None:
            show_diagnostics(output, [each for each in found.diagnostics if each.level == "error"])
            raise Stop(f"Job {point.index}{_with(point)} has errors; no job was queued.", INVALID)


def _with(point: Point) -> str:
    said = told(point)
    return f" ({said})" if said else ""
