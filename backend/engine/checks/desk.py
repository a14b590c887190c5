"""The documents that a process of checks holds, and what it says of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.engine.checks.lookup import Shelf
from backend.engine.checks.patch import patched
from backend.engine.checks.wire import CheckDocument, PlainFacts, Told
from backend.graph.check import Checker
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import Workflow
from backend.graph.facts import Facts
from backend.graph.registry import Registry
from backend.media.grants import Grants

LONGEST = 1000
"""Characters of a text that goes along among the facts."""


@dataclass
class Held:
    """One open document, and what was last said of it."""

    checker: Checker
    shelf: Shelf
    workflow: Workflow | None = None
    facts: Mapping[str, Mapping[str, Facts]] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] | None = None


class Desk:
    """Checks documents, each again and again while it is edited."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._held: dict[str, Held] = {}

    def check(self, order: CheckDocument) -> Told:
        """What has changed in what is known of a document.

        Raises:
            KeyError: the patch is for another document; all is to be told anew.
        """
        grants = Grants(Path(order.base), tuple(map(Path, order.grants)))
        held = self._held.get(order.document)
        if held is None:
            shelf = Shelf(grants)
            held = Held(Checker(self._registry, shelf), shelf)
            self._held[order.document] = held
        if held.shelf.grants != grants or order.fresh:
            held.shelf.grants = grants
            held.checker.forget()
        held.workflow = patched(held.workflow, order.patch)
        checked = held.checker.check(held.workflow)
        told = Told(
            checked.ok,
            dict(changed(held.facts, checked.facts)),
            tuple(step for step in held.facts if step not in checked.facts),
            checked.diagnostics if checked.diagnostics != held.diagnostics else None,
        )
        held.facts, held.diagnostics = checked.facts, checked.diagnostics
        return told

    def held(self, document: str) -> Held | None:
        """What is held of a document."""
        return self._held.get(document)

    def forget(self, document: str) -> None:
        """Let go of a document."""
        self._held.pop(document, None)


def changed(
    old: Mapping[str, Mapping[str, Facts]], new: Mapping[str, Mapping[str, Facts]]
) -> dict[str, dict[str, PlainFacts]]:
    """The facts of the steps in which they are not as before."""
    return {
        step: {output: plain(known) for output, known in facts.items()}
        for step, facts in new.items()
        if old.get(step) is not facts and old.get(step) != facts
    }


def plain(facts: Facts) -> PlainFacts:
    """Facts as they travel. A long text is cut, and what is no plain value is left out."""
    known = {name: _plain(value) for name, value in facts.known.items()}
    known = {name: value for name, value in known.items() if value is not None}
    return PlainFacts(facts.type, known, facts.is_list, facts.length)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST].encode("utf-8", "replace").decode()
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, tuple | list):
        items = [_plain(item) for item in value]
        return None if None in items else items
    return None
