"""The node types at hand, as the window sees them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from PySide6.QtCore import QObject, Signal

from app.specs.derived import subgraph_spec, zone_spec
from app.specs.store import keep_specs, read_specs, spec_key
from backend.graph.document import Graph, Node, Workflow
from backend.graph.shape import SUBGRAPH
from backend.graph.spec import NodeSpec

_MOST = 512
"""Derived specs that are remembered."""


class SpecBook(QObject):
    """Every node type by its id. Until ``known`` nothing can be said of a type that is not there.

    The studio never imports a node: specs come from the file of the last start (``open``), then
    from the helper process (``take``).
    """

    changed = Signal()
    """Other node types than before; whatever was derived from them is stale."""

    def __init__(
        self, specs: Mapping[str, NodeSpec] | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._specs: Mapping[str, NodeSpec] = MappingProxyType(dict(specs or {}))
        self._derived: dict[tuple[int, int, str], tuple[object, object, NodeSpec | None]] = {}
        self._kept: tuple[Path, str] | None = None
        self.known = specs is not None
        self.problems: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        cache: Path,
        data: Path,
        folders: tuple[Path, ...] = (),
        parent: QObject | None = None,
    ) -> SpecBook:
        """The node types of the last start, if the code is still the same, else an empty book.

        Args:
            cache: Weft's cache folder, where they are kept.
            data: Weft's data folder, where trusted packs stand.
            folders: More folders of node files.
            parent: The owner.
        """
        key = spec_key(data, folders)
        found = read_specs(cache, key)
        book = cls(found[0] if found is not None else None, parent)
        book.problems = found[1] if found is not None else ()
        book._kept = cache, key
        return book

    @property
    def specs(self) -> Mapping[str, NodeSpec]:
        """Every node type by its id; the mapping is replaced, never changed."""
        return self._specs

    def take(self, specs: Mapping[str, NodeSpec], problems: tuple[str, ...] = ()) -> None:
        """Have these node types from now on, and at the next start.

        Args:
            specs: All of them.
            problems: Sentences on node files and packs that cannot be used.
        """
        same = self.known and self._specs == specs
        told = self.problems != problems
        self.known, self.problems = True, problems
        if not same:
            self._specs = MappingProxyType(dict(specs))
            self._derived.clear()
        if self._kept is not None and (not same or told):
            keep_specs(*self._kept, specs, problems)
        if not same or told:
            self.changed.emit()

    def spec_of(self, workflow: Workflow, node: Node) -> NodeSpec | None:
        """What a node is like: of a subgraph's use by its ports, of a zone by its body too.

        ``None`` where there is no such type.
        """
        if node.type.startswith(SUBGRAPH):
            return self._remembered(workflow, node, None)
        plain = self._specs.get(node.type)
        if plain is None or not plain.zone or node.body is None:
            return plain
        return self._remembered(workflow, node, node.body)

    def _remembered(self, workflow: Workflow, node: Node, body: Graph | None) -> NodeSpec | None:
        # What is told apart by its number is held, so that the number stays its own.
        whose = node if body is not None else None
        key = (id(workflow.subgraphs), id(whose), node.type)
        if key not in self._derived:
            if len(self._derived) >= _MOST:
                self._derived.clear()
            if body is None:
                name = node.type[len(SUBGRAPH) :]
                found = subgraph_spec(self._specs, workflow, name)
            else:
                found = zone_spec(self._specs, workflow, node)
            self._derived[key] = (workflow.subgraphs, whose, found)
        return self._derived[key][2]
