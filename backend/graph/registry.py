"""What checks, plan and engine need to know of the node types, whoever holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from backend.graph.facts import Facts
from backend.graph.spec import NodeSpec


class Registry(Protocol):
    """The node types at hand. ``backend.engine.registry`` holds the imported ones."""

    @property
    def specs(self) -> Mapping[str, NodeSpec]:
        """Every node type by its id."""

    def facts(
        self, type_name: str, params: Mapping[str, Any], inputs: Mapping[str, Any], lookup: Any
    ) -> Mapping[str, Facts]:
        """The facts of a node's outputs by name.

        ``inputs`` holds ``Facts`` by socket name, a tuple of them for a growing socket, a mapping
        for a named one; only linked ones. ``lookup`` answers for files (``backend.sdk.Lookup``).
        A linked parameter's value comes in ``params`` where its fact ``value`` is known.
        """

    def needs(self, type_name: str, params: Mapping[str, Any]) -> frozenset[str]:
        """The inputs that a lazy node asks for while it knows its parameters alone."""

    def migrate(
        self, type_name: str, version: int, params: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, Any], Mapping[str, Any]]:
        """Lift an older node's parameters and inputs step by step to the present version."""
