"""The opened graph while it is checked: every node that may run, where it stands, what feeds it.

These are the working data of ``expand``, ``links``, ``order``, ``flow`` and ``check``; what goes
out is ``flat.Flat``. They are mutable and belong to one ``Checker``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from backend.graph.diagnostics import Diagnostic
from backend.graph.document import Graph, Input, Json, Node, Subgraph
from backend.graph.facts import Facts
from backend.graph.flat import Step
from backend.graph.spec import NodeSpec, Param, Socket


class Source(NamedTuple):
    """Where a value comes from: an output of ``node``, or a name that zone ``node`` hands in."""

    node: Opened
    output: str
    given: bool = False


Linked: TypeAlias = "Source | tuple[Source, ...] | dict[str, Source]"


class Gone(NamedTuple):
    """A link that gives nothing because of the muted node ``by``."""

    by: str


class Table(NamedTuple):
    """A node spec, ready for looking up by name."""

    spec: NodeSpec
    inputs: Mapping[str, Socket]
    params: Mapping[str, Param]
    outputs: Mapping[str, Socket]
    plain_facts: Mapping[str, Facts]


def read_table(spec: NodeSpec) -> Table:
    """A node spec by names."""
    return Table(
        spec,
        {socket.name: socket for socket in spec.inputs},
        {param.name: param for param in spec.params},
        {socket.name: socket for socket in spec.outputs},
        {s.name: Facts(s.type, is_list=s.arity == "list") for s in spec.outputs},
    )


@dataclass(slots=True, eq=False)
class Opened:
    """One node that may run. ``id`` is its path, ``place`` where the file says it.

    ``overrides`` are parameters set from outside a subgraph; ``raw`` its links with the scope in
    which each is read; ``links`` the same resolved; ``captures`` what a zone's body reads.
    """

    id: str
    place: str
    node: Node
    table: Table | None
    level: Level
    overrides: Mapping[str, Json]
    raw: dict[str, tuple[Input, Scope]]
    body: Level | None = None
    links: dict[str, Linked] = field(default_factory=dict)
    captures: dict[str, Source] = field(default_factory=dict)
    needs: list[Source] = field(default_factory=list)
    left_out: str = ""
    cyclic: bool = False
    number: int = -1
    params: Mapping[str, Any] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    param_problems: tuple[Diagnostic, ...] = ()
    flow_problems: tuple[Diagnostic, ...] = ()
    step: Step | None = None
    facts: Mapping[str, Facts] = field(default_factory=dict)

    def sources(self) -> Iterator[Source]:
        """Every source that feeds it, captures included."""
        for linked in self.links.values():
            if isinstance(linked, Source):
                yield linked
            else:
                yield from linked.values() if isinstance(linked, dict) else linked
        yield from self.captures.values()

    def said(self) -> Iterator[Diagnostic]:
        """All that is to say of it, its body left aside."""
        yield from self.problems
        yield from self.param_problems
        yield from self.flow_problems


@dataclass(slots=True, eq=False)
class Use:
    """A subgraph's node: its inside lies in ``scope``."""

    id: str
    place: str
    node: Node
    subgraph: Subgraph
    values: Mapping[str, Json]
    raw: dict[str, tuple[Input, Scope]]
    scope: Scope | None = None


@dataclass(slots=True, eq=False)
class Skipped:
    """A node that does not run: muted (``passes`` is false) or bypassed."""

    id: str
    place: str
    node: Node
    passes: bool
    table: Table | None = None
    subgraph: Subgraph | None = None


Entry: TypeAlias = "Opened | Use | Skipped"


@dataclass(slots=True, eq=False)
class Scope:
    """One graph as it is opened: the document's, one use of a subgraph, or a zone's body.

    ``inner`` is the path of its nodes below the nearest subgraph; ``values`` and ``links`` are
    set from outside that subgraph, by such a path and the parameter's name.
    """

    kind: Literal["top", "subgraph", "zone"]
    graph: Graph
    path: str
    place: str
    level: Level
    outer: Scope | None = None
    owner: Opened | Use | None = None
    inner: str = ""
    values: dict[str, dict[str, Json]] = field(default_factory=dict)
    links: dict[str, dict[str, tuple[Input, Scope]]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Level:
    """Nodes that run in one order: the document with its subgraphs open, or one zone's body."""

    owner: Opened | None = None
    parent: Level | None = None
    nodes: list[Opened] = field(default_factory=list)
    order: list[Opened] = field(default_factory=list)
    outputs: dict[str, Source | Gone] = field(default_factory=dict)
    given: dict[str, Facts] = field(default_factory=dict)
    scope: Scope | None = None
    depth: int = 0

    def top_of(self, node: Opened) -> Opened:
        """The node of the outermost level that ``node`` lies in."""
        while node.level.owner is not None:
            node = node.level.owner
        return node


@dataclass(slots=True, eq=False)
class Structure:
    """A whole opened document. ``loose`` holds what is to say of no single node that runs."""

    top: Level
    levels: list[Level]
    scope: Scope
    loose: list[tuple[str, Diagnostic]] = field(default_factory=list)

    def nodes(self) -> Iterator[Opened]:
        """Every opened node; the levels outermost first, each in document order."""
        for level in self.levels:
            yield from level.nodes
