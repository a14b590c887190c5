"""Seeds that stand at ``random`` are drawn when a job is submitted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from backend.graph.document import Graph, Node, Workflow, node_at
from backend.graph.params import RANDOM
from backend.graph.spec import NodeSpec

SUBGRAPH = "subgraph:"
_LARGEST = 2**32

Specs = Mapping[str, NodeSpec]


def draw() -> int:
    """A seed of at most ten digits, so that a person can copy it."""
    return secrets.randbelow(_LARGEST)


def settle_seeds(
    workflow: Workflow, specs: Specs, seed: int | None = None, draw: Callable[[], int] = draw
) -> tuple[Workflow, dict[str, int]]:
    """The document with every seed a number, and the seeds that were drawn or set, by node path.

    ``seed`` sets every unlinked seed parameter; without it only those at ``random`` are drawn. A
    document in which nothing changes is returned as it is, and so is every node of it. A seed
    inside a subgraph is drawn once for all its uses; one that a use sets is drawn for that use.
    """
    settler = _Settler(workflow, specs, seed, draw)
    return _settled(workflow, settler), settler.settled


def put_seeds(workflow: Workflow, seeds: Mapping[str, int]) -> Workflow:
    """The document with the seeds that ``settle_seeds`` told of another copy of it."""
    return put_params(workflow, seeds)


def put_params(workflow: Workflow, values: Mapping[str, Any]) -> Workflow:
    """The document with parameters set at places such as ``loop/noise.seed`` or, in a subgraph,
    ``subgraph:NAME/noise.seed``; a place that is not there is left out."""
    return _settled(workflow, _Putter(workflow, values)) if values else workflow


def _settled(workflow: Workflow, settler: _Settler) -> Workflow:
    """The document with all its graphs settled."""
    graph = settler.graph(workflow.graph, "")
    if graph is not workflow.graph:
        workflow = replace(workflow, graph=graph)
    changed = {}
    for name, subgraph in workflow.subgraphs.items():
        inside = settler.graph(subgraph.graph, f"{SUBGRAPH}{name}/")
        if inside is not subgraph.graph:
            changed[name] = replace(subgraph, graph=inside)
    if changed:
        subgraphs = MappingProxyType({**workflow.subgraphs, **changed})
        workflow = replace(workflow, subgraphs=subgraphs)
    return workflow


class _Settler:
    """Settles the seeds of one document."""

    def __init__(
        self, workflow: Workflow, specs: Specs, seed: int | None, draw: Callable[[], int]
    ) -> None:
        self._workflow = workflow
        self._specs = specs
        self._seed = seed
        self._draw = draw
        self._names: dict[str, tuple[str, ...]] = {}
        self.settled: dict[str, int] = {}

    def graph(self, graph: Graph, prefix: str) -> Graph:
        """A graph with settled seeds; bodies are rebuilt from the inside out."""
        order = [(graph, prefix)]
        for outer, path in order:  # grows while it is walked
            for name, node in outer.nodes.items():
                if node.body is not None:
                    order.append((node.body, f"{path}{name}/"))
        done: dict[int, Graph] = {}
        for inner, path in reversed(order):
            changed: dict[str, Node] = {}
            for name, node in inner.nodes.items():
                new = self._node(node, path, name)
                if node.body is not None and done[id(node.body)] is not node.body:
                    new = replace(new, body=done[id(node.body)])
                if new is not node:
                    changed[name] = new
            nodes = MappingProxyType({**inner.nodes, **changed})
            done[id(inner)] = replace(inner, nodes=nodes) if changed else inner
        return done[id(graph)]

    def _node(self, node: Node, path: str, name: str) -> Node:
        params: dict[str, int] = {}
        for param in self._seeds(node):
            if param in node.inputs:
                continue
            present = node.params.get(param)
            # A use of a subgraph has a seed of its own only where it sets one.
            inherits = present is None and node.type.startswith(SUBGRAPH)
            if self._seed is not None and not inherits:
                value = self._seed
            elif present == RANDOM:
                value = self._draw()
            else:
                continue
            self.settled[f"{path}{name}.{param}"] = value
            if present != value:
                params[param] = value
        if not params:
            return node
        return replace(node, params=MappingProxyType({**node.params, **params}))

    def _seeds(self, node: Node) -> tuple[str, ...]:
        """The names of a node's seed parameters."""
        kind = node.type
        if kind not in self._names:
            self._names[kind] = self._find(kind)
        return self._names[kind]

    def _find(self, kind: str) -> tuple[str, ...]:
        spec = self._specs.get(kind)
        if spec is not None:
            return tuple(p.name for p in spec.params if p.kind == "seed")
        subgraph = self._workflow.subgraphs.get(kind.removeprefix(SUBGRAPH))
        if not kind.startswith(SUBGRAPH) or subgraph is None:
            return ()
        return tuple(name for name in subgraph.params if self._leads_to_seed(kind, name))

    def _leads_to_seed(self, kind: str, param: str) -> bool:
        """Whether an exposed parameter is a seed in the end, through subgraphs in subgraphs."""
        for _ in range(len(self._workflow.subgraphs) + 1):
            if not kind.startswith(SUBGRAPH):
                found = self._specs[kind].param(param) if kind in self._specs else None
                return found is not None and found.kind == "seed"
            subgraph = self._workflow.subgraphs.get(kind.removeprefix(SUBGRAPH))
            exposed = subgraph.params.get(param) if subgraph is not None else None
            node = node_at(subgraph.graph, exposed.node) if subgraph and exposed else None
            if node is None or exposed is None:
                return False
            kind, param = node.type, exposed.param
        return False


class _Putter(_Settler):
    """Puts known values into one document."""

    def __init__(self, workflow: Workflow, values: Mapping[str, Any]) -> None:
        super().__init__(workflow, {}, None, draw)
        self._known: dict[str, dict[str, Any]] = {}
        for place, value in values.items():
            path, _, param = place.rpartition(".")
            self._known.setdefault(path, {})[param] = value

    def _node(self, node: Node, path: str, name: str) -> Node:
        found = self._known.get(path + name)
        if found is None:
            return node
        return replace(node, params=MappingProxyType({**node.params, **found}))
