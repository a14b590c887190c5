"""What a batch is, before any of it runs: its jobs, how they are named, what it was made from."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backend.batch.drafts import Recipe, check_clashes, name_places
from backend.batch.errors import BatchError
from backend.batch.manifest import VERSION
from backend.batch.names import check_template
from backend.batch.read import check_seeds
from backend.batch.rows import EACH, SWEEP, TABLE, Part, Point, digest, points
from backend.engine.queue.job import Draft
from backend.engine.queue.submit import base_and_grants
from backend.engine.seeds import settle_seeds
from backend.graph.document import Layout, Workflow
from backend.graph.format import dump
from backend.graph.spec import NodeSpec
from backend.media.grants import Grants
from backend.media.name_fields import scalars_of
from backend.media.names import Field
from backend.settings.version import weft_version


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a batch beside what its jobs differ in.

    ``template`` names the outputs, or is empty; ``seed`` sets every seed; ``out`` is the folder
    for outputs. ``name_called`` and ``seed_called`` are what sentences call them.
    """

    title: str
    out: Path
    template: str = ""
    seed: int | None = None
    name_called: str = "--name"
    seed_called: str = "--seed"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that may be queued. ``parts`` tells by digests what it is made from."""

    recipe: Recipe
    points: tuple[Point, ...]
    grants: Grants
    order: Order
    parts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """The folder for outputs."""
        return self.order.out

    @property
    def title(self) -> str:
        """What the batch is called."""
        return self.order.title

    def header(self) -> dict[str, Any]:
        """The first line of its manifest."""
        return {
            "event": "batch",
            "version": VERSION,
            "title": self.title,
            "jobs": len(self.points),
            "out": str(self.out),
            "parts": dict(self.parts),
            "draw": self.recipe.draw or secrets.randbits(53),
            "weft": weft_version(),
        }

    def check_names(self, check: Callable[[], object] = bool) -> None:
        """See that no two jobs write the same file; ``check`` is called for each, and may raise.

        Raises:
            BatchError: two do.
        """

        def fields(workflow: Workflow) -> Mapping[str, Field]:
            check()
            return scalars_of(workflow, self.recipe.specs, self.grants)

        check_clashes(self.recipe, self.points, fields, self.order.name_called)


def plan_batch(
    workflow: Workflow,
    specs: Mapping[str, NodeSpec],
    grants: Grants,
    parts: Sequence[Part],
    order: Order,
) -> Batch:
    """The jobs of a batch; ``grants`` are what they may read, ``order.out`` is a real path.

    Raises:
        BatchError: parts do not go together, there are too many jobs, or the name is none.
    """
    check_seeds(parts, order.seed, [*settle_seeds(workflow, specs, 0)[1]], order.seed_called)
    chosen = points(parts)
    places = scalars_of(workflow, specs, grants).keys()
    columns = {n: t for p in parts for n, t in zip(p.names, p.targets, strict=True)}
    if order.template:
        check_template(order.template, columns, places, order.name_called)
        if not name_places(workflow, specs):
            raise BatchError(
                f"{order.name_called}: no node of the workflow has an output name to be set."
            )
    base, roots = base_and_grants(grants.base, grants.roots)
    draft = Draft("", base, str(order.out), roots, title=order.title)
    recipe = Recipe(
        workflow, specs, draft, len(chosen), order.template, order.seed, frozenset(places), columns
    )
    return Batch(recipe, chosen, grants, order, _made_from(workflow, parts, order))


def _made_from(workflow: Workflow, parts: Sequence[Part], order: Order) -> dict[str, Any]:
    """Digests of all that decides what the jobs are, by what a sentence calls it."""
    plain = replace(workflow, title="", about="", layout=Layout())
    kinds: dict[str, list[Any]] = {TABLE: [], SWEEP: [], EACH: []}
    for part in parts:
        values = [[[each.target, each.value] for each in one.values] for one in part.choices]
        kinds[part.kind].append([part.targets, values])
    return {
        "the workflow or --set": digest(dump(plain)),
        **{kind: digest(found) for kind, found in kinds.items()},
        "--name": order.template,
        "--seed": order.seed,
        "--out": str(order.out),
    }
