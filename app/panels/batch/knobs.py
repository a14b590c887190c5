"""What of a graph a batch can vary, by the names that tables and sweeps call it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.document.edits.common import SpecOf, called
from app.document.level import node_at, walk
from app.labels import label
from app.words import tr
from backend.batch.rows import SEED
from backend.graph.document import Node, Workflow
from backend.graph.spec import Param

FILES = ("file", "folder")
"""Kinds of parameters of which a batch takes the files of a pattern, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A parameter that can vary: its name, what people call it and its node, and its kind."""

    name: str
    title: str
    node: str
    kind: str

    @property
    def words(self) -> str:
        """The parameter and whose it is: ``CFG · Sample``."""
        return " · ".join(part for part in (self.title, self.node) if part)


def knobs_of(workflow: Workflow, spec_of: SpecOf) -> tuple[Knob, ...]:
    """All that can vary: what the document shows outside first, then all seeds at once, then the
    parameters of its nodes that no link feeds. Each is there once."""
    found: dict[str, Knob] = {}
    seen: set[str] = set()
    for name, exposed in workflow.expose.items():
        target = f"{exposed.node}.{exposed.param}"
        try:
            node = node_at(workflow.graph, exposed.node)
        except KeyError:
            continue
        param = _param(workflow, node, exposed.param, spec_of)
        if param is not None:
            # `seed` means all seeds, so one that is shown outside by this name goes by its place.
            own = target if name == SEED else name
            title = exposed.label or label(exposed.param)
            found[own] = Knob(own, title, called(workflow, "", exposed.node), param.kind)
            seen.add(target)
    every = list(_each(workflow, spec_of))
    if any(knob.kind == "seed" for knob in every):
        found[SEED] = Knob(SEED, tr("Every seed"), "", "seed")
    found |= {knob.name: knob for knob in every if knob.name not in seen}
    return tuple(found.values())


def _each(workflow: Workflow, spec_of: SpecOf) -> Iterator[Knob]:
    for path, node in walk(workflow.graph):
        spec = spec_of(workflow, node)
        whose = called(workflow, "", path)
        for param in spec.params if spec is not None else ():
            if param.name not in node.inputs:
                yield Knob(f"{path}.{param.name}", label(param.name), whose, param.kind)


def _param(workflow: Workflow, node: Node, name: str, spec_of: SpecOf) -> Param | None:
    """How a parameter is declared, if it is there and no link feeds it."""
    spec = spec_of(workflow, node)
    return spec.param(name) if spec is not None and name not in node.inputs else None
