"""Facts: what is known about a value before the run. They flow along links while a user edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from backend.graph.types import TYPES


@dataclass(frozen=True)
class Facts:
    """What is known of a value: its type, single facts, and whether it is a list.

    A fact that is not known reads as ``None`` (``facts.width``). ``length`` is the number of items
    when ``is_list``, or ``None`` when that is not known yet.
    """

    type: str
    known: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    is_list: bool = False
    length: int | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.known.get(name)

    def but(self, **changes: Any) -> Facts:
        """These facts with some changed; ``None`` forgets one.

        Raises:
            ValueError: the type has no fact of that name.
        """
        allowed = TYPES[self.type].facts if self.type in TYPES else ()
        for name in changes:
            if name not in allowed:
                raise ValueError(f"{self.type} has no fact {name!r}; it has {', '.join(allowed)}")
        merged = {**self.known, **changes}
        known = {name: value for name, value in merged.items() if value is not None}
        return replace(self, known=MappingProxyType(known))

    def single(self) -> Facts:
        """The facts of one item of this list, or these facts if it is no list."""
        return replace(self, is_list=False, length=None) if self.is_list else self

    def listed(self, length: int | None = None) -> Facts:
        """The facts of a list of such values."""
        return replace(self, is_list=True, length=length)


def facts_of(type_name: str, **known: Any) -> Facts:
    """Facts of a type with some of them known; ``facts_of("Image", width=64)``."""
    return Facts(type_name).but(**known)


def common(facts: Sequence[Facts]) -> Facts:
    """What is known of a value that is one of several: the facts in which all of them agree.

    Raises:
        ValueError: there are none.
    """
    if not facts:
        raise ValueError("there are no facts to compare")
    first = facts[0]
    same_type = all(f.type == first.type for f in facts)
    known = {
        name: value
        for name, value in first.known.items()
        if same_type and all(f.known.get(name) == value for f in facts)
    }
    length = first.length if all(f.length == first.length for f in facts) else None
    return replace(first, known=MappingProxyType(known), length=length)
