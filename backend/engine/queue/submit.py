"""From a workflow to jobs: it is checked, and its seeds are settled, before it is queued."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.engine.queue.errors import InvalidJob, Refused
from backend.engine.queue.job import Draft
from backend.engine.seeds import SUBGRAPH, draw, settle_seeds
from backend.graph.check import check
from backend.graph.document import Graph, Workflow
from backend.graph.format import dump
from backend.graph.registry import Registry
from backend.graph.spec import NodeSpec

MOST_JOBS = 100_000
"""Jobs of one batch."""

MAX_SEED = 2**63 - 1


def checked(
    workflow: Workflow, registry: Registry, lookup: Any, only: Sequence[str] = ()
) -> Workflow:
    """The workflow, which may be run.

    Raises:
        InvalidJob: it has errors; the diagnostics go along.
    """
    found = check(workflow, registry, lookup, None, tuple(only) or None)
    if found.flat is None:
        raise InvalidJob(found.diagnostics)
    return workflow


def drafts(
    draft: Draft,
    workflow: Workflow,
    specs: Mapping[str, NodeSpec],
    *,
    count: int = 1,
    seed: int | None = None,
    draw: Callable[[], int] = draw,
) -> list[Draft]:
    """``count`` jobs of one workflow that differ in their seeds.

    Args:
        draft: What they have in common; its ``document``, ``seeds`` and ``words`` are filled in.
        workflow: The document, checked.
        specs: The node types.
        count: How many jobs.
        seed: Sets every seed that no link feeds, of the next job to one more, and so on.
        draw: Gives a new seed.

    Without ``seed``, those at ``random`` are drawn for each job. Where there are none, the first
    job has the seeds of the document, and those of the others are drawn.

    Raises:
        Refused: several jobs are asked for, and the workflow has no seed; or there are too many.
        FormatError: the workflow cannot be written.
    """
    if not 1 <= count <= MOST_JOBS:
        raise Refused(f"A batch has 1 to {MOST_JOBS} jobs, not {count}.")
    drawn = list(settle_seeds(workflow, specs)[1])
    every = list(settle_seeds(workflow, specs, 0)[1])
    if count > 1 and not every:
        raise Refused("No node of the workflow has a seed, so all its jobs would be the same.")
    if seed is not None and seed + count - 1 > MAX_SEED:
        raise Refused(f"The seeds of {count} jobs from {seed} on are larger than {MAX_SEED}.")
    common = replace(draft, document=dump(workflow), words=words_of(workflow))
    known = {name: _seed_at(workflow, specs, name) for name in every}
    fixed = {name: value for name, value in known.items() if value is not None}
    made = []
    for number in range(count):
        if seed is not None:
            seeds = dict.fromkeys(every, seed + number)
        else:
            names = drawn if drawn or not number else every
            seeds = {**fixed, **{name: draw() for name in names}}
        made.append(replace(common, seeds=seeds))
    return made


def _seed_at(workflow: Workflow, specs: Mapping[str, NodeSpec], place: str) -> int | None:
    """The seed that stands in the document at ``node.param``, if it is a number."""
    path, _, param = place.rpartition(".")
    graph: Graph | None = workflow.graph
    if path.startswith(SUBGRAPH):
        name, _, path = path.removeprefix(SUBGRAPH).partition("/")
        graph = workflow.subgraphs[name].graph
    value: Any = None
    for part in path.split("/"):
        if graph is None:
            return None
        node = graph.nodes[part]
        spec = specs[node.type].param(param) if node.type in specs else None
        value = node.params.get(param, spec.default if spec is not None else None)
        graph = node.body
    return value if isinstance(value, int) else None


def base_and_grants(base: Path, roots: Sequence[Path]) -> tuple[str, tuple[str, ...]]:
    """The workflow's folder and what may be read, as a job keeps them: real paths, each once, so
    that neither a folder on the way to one nor a link that is another later changes them."""
    found = dict.fromkeys(os.path.realpath(root) for root in roots)
    return os.path.realpath(base), tuple(found)


def words_of(workflow: Workflow) -> str:
    """What a job of this workflow can be found by: titles, node types and ids, texts of
    parameters, models."""
    found = [workflow.title, workflow.about]
    found += [need.name for need in workflow.models]
    for graph in _graphs(workflow):
        for name, node in graph.nodes.items():
            found += [name, node.type, node.title]
            found += [value for value in node.params.values() if isinstance(value, str)]
    return "\n".join(dict.fromkeys(text for text in found if text))


def _graphs(workflow: Workflow) -> Iterator[Graph]:
    todo = [workflow.graph, *(subgraph.graph for subgraph in workflow.subgraphs.values())]
    for graph in todo:  # grows while it is walked
        yield graph
        todo += [node.body for node in graph.nodes.values() if node.body is not None]
