"""The workflow document as data: what a file says, and nothing that must be looked up elsewhere.

Documents are immutable; an edit makes a new document that shares every node it did not touch, so
that whoever works on documents (checks, plan, engine, undo) can tell by identity what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any
Mode = Literal["on", "mute", "bypass"]
Each = Literal["zip", "repeat", "product"]

BOUNDARY = "$"
"""The id that stands for the enclosing graph: a link from ``$.image`` reads its input ``image``."""


def no_items() -> Mapping[str, Any]:
    """An empty read-only mapping, as a default factory."""
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ref:
    """The near end of a link: an output of a node, written ``node.output`` in the file."""

    node: str
    output: str

    def __str__(self) -> str:
        return f"{self.node}.{self.output}"


Input: TypeAlias = Ref | tuple[Ref, ...] | Mapping[str, Ref]
"""What feeds one socket: one link, a growing row of links, or links by name."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``inputs`` may also feed a parameter, by the parameter's name.

    ``each`` says how lists of different length meet on this node; ``body`` is the inside of a
    zone (``for_each``, ``repeat``), whose nodes may also link to nodes outside it.
    ``extra`` holds fields that this version of Weft does not know, as they were in the file.
    """

    type: str
    version: int = 1
    params: Mapping[str, Json] = field(default_factory=no_items)
    inputs: Mapping[str, Input] = field(default_factory=no_items)
    mode: Mode = "on"
    each: Each = "zip"
    title: str = ""
    body: Graph | None = None
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id, and what the graph gives to the outside (for a subgraph or a zone's body)."""

    nodes: Mapping[str, Node] = field(default_factory=no_items)
    outputs: Mapping[str, Ref] = field(default_factory=no_items)
    extra: Mapping[str, Json] = field(default_factory=no_items)


def node_at(graph: Graph, path: str) -> Node | None:
    """The node at a path through zones, such as ``loop/noise``, or None."""
    node: Node | None = None
    for part in path.split("/"):
        node = graph.nodes.get(part)
        if node is None:
            return None
        graph = node.body or Graph()
    return node


@dataclass(frozen=True, slots=True)
class Exposed:
    """A parameter of an inner node that is shown outside: in app mode, or on a subgraph's node."""

    node: str
    param: str
    label: str = ""
    group: str = ""
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a subgraph: its socket type, and whether it may be left unlinked."""

    type: str
    optional: bool = False
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a node lies on the canvas, in canvas units, and how it looks.

    What is ``locked`` is not changed or removed by hand; what is ``pinned`` is not moved.
    """

    x: float
    y: float
    width: float | None = None
    collapsed: bool = False
    color: str = ""
    locked: bool = False
    pinned: bool = False
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Frame:
    """A named, coloured rectangle behind nodes."""

    title: str
    x: float
    y: float
    width: float
    height: float
    color: str = ""
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Note:
    """Markdown text on the canvas."""

    text: str
    x: float
    y: float
    width: float = 240.0
    height: float = 120.0
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the canvas, in canvas units."""

    x: float
    y: float
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Way:
    """How a link is drawn that is not drawn straight from socket to socket.

    ``source`` is ``node.output`` and ``target`` is ``node.input``, nodes by their path. The link
    goes ``via`` points in their order; with a ``name`` it is not drawn, but the name at both ends.
    A way whose link is not there has no effect.
    """

    source: str
    target: str
    via: tuple[Point, ...] = ()
    name: str = ""
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a graph is drawn; the run never looks at it.

    ``nodes`` is keyed by node id; a node inside a zone by its path (``loop/blur``), and what a
    subgraph is handed and gives by ``$`` and ``$out``. All places are those of the whole canvas.
    """

    nodes: Mapping[str, Placement] = field(default_factory=no_items)
    frames: tuple[Frame, ...] = ()
    notes: tuple[Note, ...] = ()
    ways: tuple[Way, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph with named inputs and outputs; a node of type ``subgraph:NAME`` is one use of it."""

    graph: Graph
    title: str = ""
    inputs: Mapping[str, Port] = field(default_factory=no_items)
    params: Mapping[str, Exposed] = field(default_factory=no_items)
    layout: Layout = field(default_factory=Layout)
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """A model that the workflow was made with: how it is called, its hash, where to get it, and
    about how many bytes its weights have (0: not known)."""

    name: str
    hash: str = ""
    source: str = ""
    size: int = 0
    extra: Mapping[str, Json] = field(default_factory=no_items)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole document."""

    graph: Graph = field(default_factory=Graph)
    title: str = ""
    about: str = ""
    subgraphs: Mapping[str, Subgraph] = field(default_factory=no_items)
    expose: Mapping[str, Exposed] = field(default_factory=no_items)
    models: tuple[ModelNeed, ...] = ()
    layout: Layout = field(default_factory=Layout)
    extra: Mapping[str, Json] = field(default_factory=no_items)

    def with_node(self, node_id: str, node: Node) -> Workflow:
        """The document with one top-level node put in or replaced; all others are shared."""
        nodes = MappingProxyType({**self.graph.nodes, node_id: node})
        return replace(self, graph=replace(self.graph, nodes=nodes))

    def with_param(self, node_id: str, param: str, value: Json) -> Workflow:
        """The document with one parameter of a top-level node set.

        Raises:
            KeyError: there is no such node.
        """
        node = self.graph.nodes[node_id]
        params = MappingProxyType({**node.params, param: value})
        return self.with_node(node_id, replace(node, params=params))
