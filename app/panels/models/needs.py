"""Which models a document asks for, and which of them are not there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.catalog.index import Entry
from backend.catalog.suggest import Suggestion, Wish, suggest
from backend.graph.document import ModelNeed, Workflow


@dataclass(frozen=True, slots=True)
class Missing:
    """A model that a document names and that is not there; ``instead`` is what would fit best."""

    need: ModelNeed
    instead: Suggestion | None = None

    @property
    def source(self) -> str:
        """Where it can be got, or empty."""
        return self.need.source


def missing_models(
    workflow: Workflow, entries: Sequence[Entry], shipped: Collection[str] = ()
) -> tuple[Missing, ...]:
    """The models that a document lists and that no usable entry has by hash or by name; those that
    come with Weft, ``shipped``, are always there."""
    names, hashes = _known(entries)
    names |= set(shipped)
    found = []
    for need in workflow.models:
        there = need.hash in hashes if need.hash else need.name in names
        if not there and (not need.hash or need.name not in names):
            best = suggest(Wish(name=need.name, hash=need.hash, kind="model"), entries)
            found.append(Missing(need, best[0] if best else None))
    return tuple(found)


def _known(entries: Sequence[Entry]) -> tuple[set[str], set[str]]:
    """What usable entries are called (whole, without the ending, and by the last part), and their
    hashes."""
    names: set[str] = set()
    hashes: set[str] = set()
    for entry in entries:
        if entry.problem:
            continue
        stem = entry.name.rsplit(".", 1)[0] if Path(entry.name).suffix else entry.name
        for name in (entry.name, stem):
            names |= {name, name.rsplit("/", 1)[-1]}
        hashes |= {entry.content, entry.sha256, entry.fast}
    return names, hashes - {""}
