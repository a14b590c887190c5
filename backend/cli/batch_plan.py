"""What a batch is, before any of it runs: its jobs, checked, and the header of its manifest."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.batch.drafts import Recipe, check_clashes, name_places
from backend.batch.errors import BatchError
from backend.batch.manifest import VERSION
from backend.batch.names import check_template
from backend.batch.rows import Part, Point, digest, points
from backend.cli.batch_read import Asked, Reader, check_seeds
from backend.cli.check import show_diagnostics
from backend.cli.errors import INVALID, Stop, wrong_usage
from backend.cli.flow import Flow, open_flow
from backend.cli.params import set_params
from backend.cli.places import SUFFIX, weft_version
from backend.cli.run import check_output
from backend.cli.streams import Output
from backend.graph.document import Layout, Workflow

if TYPE_CHECKING:
    from backend.settings import Settings

MOST_CHECKED = 2000
"""Jobs that are checked before the first runs; an error of another is told in its turn."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks of a batch."""

    asked: Asked
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


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that may run. ``parts`` tells by digests what it is made from."""

    flow: Flow
    recipe: Recipe
    points: tuple[Point, ...]
    out: Path
    title: str
    parts: Mapping[str, Any]

    def header(self) -> dict[str, Any]:
        """The first line of its manifest."""
        return {
            "event": "batch",
            "version": VERSION,
            "title": self.title,
            "jobs": len(self.points),
            "out": str(self.out),
            "parts": dict(self.parts),
            "draw": secrets.randbits(53),
            "weft": weft_version(),
        }


def plan_batch(
    name: str, wish: Wish, allowed: Sequence[Path], settings: Settings, output: Output
) -> Batch:
    """Read what a batch is made from, and check its jobs.

    Raises:
        Stop, BatchError: something of it cannot be.
    """
    from backend.engine.provenance import scalars_of
    from backend.engine.queue.job import Draft
    from backend.engine.queue.submit import base_and_grants
    from backend.engine.seeds import settle_seeds
    from backend.settings import expanded

    wish.check()
    flow = open_flow(name, allowed)
    specs = flow.registry.specs
    workflow, picked = set_params(flow.workflow, specs, wish.sets, flow.grants.base)
    flow = flow.granting(picked)
    reader = Reader(flow, workflow)
    parts = reader.parts(wish.asked)
    flow = replace(flow.granting(reader.granted), workflow=workflow)
    check_seeds(parts, wish.seed, [*settle_seeds(workflow, specs, 0)[1]])
    chosen = points(parts)
    out = Path(os.path.realpath(expanded(wish.out or settings.folders.output)))
    check_output(out)
    places = scalars_of(workflow, specs, flow.grants).keys()
    columns = {n: t for p in parts for n, t in zip(p.names, p.targets, strict=True)}
    if wish.name:
        check_template(wish.name, columns, places)
        if not name_places(workflow, specs):
            raise BatchError("--name: no node of the workflow has an output name to be set.")
    title = wish.title or workflow.title or flow.path.name.removesuffix(SUFFIX)
    base, grants = base_and_grants(flow.grants.base, flow.grants.roots)
    draft = Draft("", base, str(out), grants, title=title)
    recipe = Recipe(
        workflow, specs, draft, len(chosen), wish.name, wish.seed, frozenset(places), columns
    )
    _check(flow, recipe, chosen, output)
    check_clashes(recipe, chosen, lambda each: scalars_of(each, specs, flow.grants))
    return Batch(flow, recipe, chosen, out, title, _made_from(workflow, parts, wish, out))


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


def told(point: Point, names: Sequence[str] | None = None) -> str:
    """The values of a job on a line, or those of some parameters."""
    shown = point.shown
    wanted = shown if names is None else [name for name in names if name in shown]
    said = (f"{name} = {' '.join(str(shown[name]).split())[:60]}" for name in wanted)
    return ", ".join(said)


def _made_from(workflow: Workflow, parts: Sequence[Part], wish: Wish, out: Path) -> dict[str, Any]:
    """Digests of all that decides what the jobs are, by what a sentence calls it."""
    from backend.graph.format import dump

    plain = replace(workflow, title="", about="", layout=Layout())
    kinds: dict[str, list[Any]] = {"the table": [], "--sweep": [], "--each": []}
    for part in parts:
        kind = part.title.partition(" ")[0]
        values = [[[each.target, each.value] for each in one.values] for one in part.choices]
        kinds[kind if kind in kinds else "the table"].append([part.targets, values])
    return {
        "the workflow or --set": digest(dump(plain)),
        **{kind: digest(found) for kind, found in kinds.items()},
        "--name": wish.name,
        "--seed": wish.seed,
        "--out": str(out),
    }
