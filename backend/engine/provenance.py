"""What an output file tells of how it was made; nothing that names this machine or its user."""

from __future__ import annotations

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backend.engine.context import Scalars
from backend.engine.frame import Frame
from backend.engine.numerics import Numerics, versions
from backend.engine.seeds import SUBGRAPH
from backend.engine.task import Task
from backend.graph import format
from backend.graph.document import Graph, Node, Workflow
from backend.graph.flat import FROM_ZONE
from backend.graph.spec import NodeSpec
from backend.media.grants import Grants

PATHS = ("file", "folder", "model")


class Provenance:
    """Describes one run to the files it saves. Asked from the threads that save."""

    def __init__(
        self,
        workflow: Workflow,
        specs: Mapping[str, NodeSpec],
        grants: Grants,
        numerics: Numerics,
        seeds: Mapping[str, int],
        fields: Callable[[], Scalars],
        models: Callable[[], Mapping[str, str]],
        content: Callable[[str, str], str | None],
        embed: bool = True,
    ) -> None:
        """``workflow`` is the document that runs, ``seeds`` those settled for it; ``models`` gives
        the contents that the models' names stand for, ``content`` the digest of what a parameter
        of a kind names. Without ``embed`` nothing is told."""
        self._workflow = workflow
        self._specs = specs
        self._grants = grants
        self._numerics = numerics
        self._seeds = dict(seeds)
        self._fields = fields
        self._models = models
        self._begin = time.monotonic()
        self._content = content
        self._embed = embed

    def describe(
        self, frame: Frame, step: int, task: Task | None
    ) -> tuple[Scalars, Mapping[str, Any]]:
        """The fields for a file's name, and what is embedded in it, which may be nothing."""
        unit = frame.survey.program.units[step]
        fields = dict(self._fields())
        fields["node"] = unit.step.id
        seed = nearest_seed(frame, step)
        if seed is not None:
            fields["seed"] = seed
        if not self._embed:
            return fields, {}
        told = {
            "workflow": self._text,
            "node": unit.step.id,
            "nodes": self._nodes,
            "versions": versions(),
            "models": [{"name": n, "hash": h} for n, h in sorted(self._models().items())],
            "files": self._files,
            "seeds": self._seeds if seed is None else {**self._seeds, "seed": seed},
            "numerics": self._numerics.told(),
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(time.monotonic() - self._begin, 3),
        }
        if frame.turns:
            told["turns"] = list(frame.turns)
        if task is not None and task.item is not None:
            told["item"] = task.item + 1
        return fields, told

    @cached_property
    def _nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """The node types of the document: their version, and the digest of the file of each."""
        types = {node.type for _, node in nodes_of(self._workflow)}
        return {
            name: {"version": self._specs[name].version, "digest": self._specs[name].digest}
            for name in sorted(types)
            if name in self._specs
        }

    @cached_property
    def _files(self) -> Mapping[str, str]:
        """The digests of the files and folders that parameters name, by ``node.param``.

        With it a file that lies elsewhere, of which only the bare name is told, can be recognised.
        """
        found: dict[str, str] = {}
        for place, node in nodes_of(self._workflow):
            spec = self._specs.get(node.type)
            for param in spec.params if spec else ():
                ref = node.params.get(param.name)
                if param.kind in ("file", "folder") and isinstance(ref, str) and ref:
                    digest = None if param.name in node.inputs else self._content(param.kind, ref)
                    if digest is not None:
                        found[f"{place}.{param.name}"] = digest
        return found

    @cached_property
    def _text(self) -> str:
        """The document as it runs, without any path of this machine."""
        clean = replace(
            self._workflow,
            graph=self._clean(self._workflow.graph),
            subgraphs=MappingProxyType(
                {
                    name: replace(subgraph, graph=self._clean(subgraph.graph))
                    for name, subgraph in self._workflow.subgraphs.items()
                }
            ),
        )
        return _without_home(format.dump(clean))

    def _clean(self, graph: Graph) -> Graph:
        """A graph whose paths are relative or bare names; bodies from the inside out."""
        order = [graph]
        for outer in order:  # grows while it is walked
            order += [node.body for node in outer.nodes.values() if node.body is not None]
        done: dict[int, Graph] = {}
        for inner in reversed(order):
            nodes = {name: self._clean_node(node, done) for name, node in inner.nodes.items()}
            done[id(inner)] = replace(inner, nodes=MappingProxyType(nodes))
        return done[id(graph)]

    def _clean_node(self, node: Node, bodies: Mapping[int, Graph]) -> Node:
        spec = self._specs.get(node.type)
        params = dict(node.params)
        for name, value in node.params.items():
            param = spec.param(name) if spec is not None else None
            is_path = param is not None and param.kind in PATHS
            if isinstance(value, str) and value and (is_path or _absolute(value)):
                params[name] = self._portable(value)
        body = bodies[id(node.body)] if node.body is not None else None
        return replace(node, params=MappingProxyType(params), body=body)

    def _portable(self, value: str) -> str:
        """A path as it may be told; where it lies elsewhere, its bare name."""
        return self._grants.portable(value) if value else value


def nodes_of(workflow: Workflow) -> Iterator[tuple[str, Node]]:
    """Every node with its place, such as ``loop/blur``; in a subgraph ``subgraph:NAME/blur``."""
    graphs = [("", workflow.graph)]
    graphs += [(f"{SUBGRAPH}{name}/", sub.graph) for name, sub in workflow.subgraphs.items()]
    for prefix, graph in graphs:  # grows while it is walked
        for name, node in graph.nodes.items():
            yield prefix + name, node
            if node.body is not None:
                graphs.append((f"{prefix}{name}/", node.body))


def nearest_seed(frame: Frame, step: int) -> int | None:
    """The seed of the nearest step before this one that has one, out through the zones."""
    at: Frame | None = frame
    while at is not None:
        survey = at.survey
        queue, met = deque([step]), {step}
        while queue:
            unit = survey.program.units[queue.popleft()]
            for param in unit.spec.params:
                if param.kind == "seed":
                    link = next((k for k in unit.links if k.name == param.name), None)
                    value = unit.base.get(param.name)
                    if link is not None:
                        value = survey.value(link.wire)[1]
                    if isinstance(value, int):
                        return value
            for link in unit.links:
                source = link.wire.step
                if source != FROM_ZONE and source not in met:
                    met.add(source)
                    queue.append(source)
        zone = at.zone
        at, step = (zone.around, zone.step) if zone is not None else (None, 0)
    return None


def _without_home(text: str) -> str:
    """A JSON text with ``~`` in place of the user's home folder."""
    try:
        home = json.dumps(str(Path.home()), ensure_ascii=False)[1:-1]
    except RuntimeError:  # this user has none
        return text
    if len(home) < 2:
        return text
    return re.sub(re.escape(home) + r"(?![\w.-])", "~", text)


def _absolute(value: str) -> bool:
    """Whether a text is an absolute path of something that is there (so it was meant as one)."""
    if os.name == "nt" and value[:2] in ("\\\\", "//"):
        return True  # a network path: not looked for, which would reach out
    if len(value) > 4096 or "\0" in value or not (os.path.isabs(value) or value[:1] == "~"):
        return False
    return os.path.exists(os.path.expanduser(value))
