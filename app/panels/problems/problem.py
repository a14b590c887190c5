"""Problems as they are shown, made from diagnostics and from what a run said. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from backend.graph.diagnostics import Diagnostic, Level

_SHORT, _LONG = 24, 90
"""Letters of a bold line: from how many on it may be cut at a colon, and at most."""
_ORDER: Mapping[Level, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document: the level, the path of the node in it, and a parameter or an input.

    ``path`` is empty for what is said of the document as a whole.
    """

    level: str = ""
    path: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One card: a bold sentence, why, where, and the words of the fix where there is one."""

    key: str
    level: Level
    title: str
    reason: str = ""
    place: Place = Place()
    fix: str = ""
    code: str = ""


def place_of(place: str) -> Place:
    """The place of a diagnostic, as ``subgraphs.Detail.nodes.loop.body.nodes.b.params.radius``."""
    parts = place.split(".")
    level = ""
    if parts[0] == "subgraphs" and len(parts) > 1:
        level, parts = parts[1], parts[2:]
    path: list[str] = []
    while len(parts) > 1 and parts[0] == "nodes":
        path.append(parts[1])
        parts = parts[2:]
        if parts[:2] == ["body", "nodes"]:
            parts = parts[1:]
    field = parts[1] if len(parts) > 1 and parts[0] in ("params", "inputs") else ""
    return Place(level, "/".join(path), field)


def problems_of(
    diagnostics: Iterable[Diagnostic], fix_of: Callable[[Diagnostic], str] | None = None
) -> tuple[Problem, ...]:
    """The problems of a document, errors first, else in the order of the diagnostics.

    ``fix_of`` gives the words of the fix that is offered, or nothing. What is said twice of one
    place is told once.
    """
    found: dict[str, Problem] = {}
    for one in diagnostics:
        key = f"{one.code} {one.place} {one.sentence}"
        title, rest = _split(one.sentence)
        title = title[:1].upper() + title[1:]
        reason = " ".join(part for part in (rest, one.fix) if part)
        fix = fix_of(one) if fix_of is not None else ""
        found.setdefault(
            key, Problem(key, one.level, title, reason, place_of(one.place), fix, one.code)
        )
    return tuple(sorted(found.values(), key=lambda problem: _ORDER[problem.level]))


def failures_of(failed: Mapping[Place, tuple[str, str]]) -> tuple[Problem, ...]:
    """What failed in the last run: by place, the node's title and the sentence that it said."""
    return tuple(
        Problem(
            f"run {place.level} {place.path}", "error", f"{title} failed in the last run.", said,
            place,
        )
        for place, (title, said) in failed.items()
    )  # fmt: skip


def _split(sentence: str) -> tuple[str, str]:
    """The first sentence and the others; of a long one, what stands before a late colon."""
    first, found, rest = sentence.partition(". ")
    if found and len(first) <= _LONG:
        return first + ".", rest
    at = sentence.find(": ", _SHORT, _LONG)
    if len(sentence) > _LONG and at > 0:
        return sentence[:at] + ".", sentence[at + 2 : at + 3].upper() + sentence[at + 3 :]
    return sentence, ""
