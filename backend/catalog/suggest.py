"""Which of the models that are there would serve in place of one that is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backend.catalog.identity import KINDS
from backend.catalog.index import Entry
from backend.catalog.match import likeness

MOST = 5
MODELS = ("folder", "checkpoint", "denoiser")
"""Kinds that a node which loads a model can begin with."""


@dataclass(frozen=True)
class Wish:
    """What is wanted, as far as it is known; what is "" may be anything.

    ``kind`` is one of ``Identity.kind``, or ``model`` for whatever holds a denoiser. ``name`` is
    the name that did not resolve, ``hash`` a content hash (``blake3:...``) or SHA-256, and
    ``latent`` and ``text`` are spaces that the graph around needs.
    """

    name: str = ""
    hash: str = ""
    family: str = ""
    kind: str = ""
    latent: str = ""
    text: str = ""


@dataclass(frozen=True)
class Suggestion:
    """A model that is there, how well it fits (1 is the very same contents), and why."""

    entry: Entry
    fit: float
    sentence: str


def suggest(wish: Wish, entries: Iterable[Entry]) -> list[Suggestion]:
    """The best-fitting models that are there, best first, at most ``MOST``.

    What is of another kind, family or space than was asked for is never among them.
    """
    found = []
    for entry in entries:
        if entry.problem or entry.identity is None:
            continue
        if wish.hash and wish.hash.lower() in (entry.content, entry.sha256):
            found.append(Suggestion(entry, 1.0, f"{entry.name} has the very same contents."))
        elif _may_serve(wish, entry):
            found.append(_judged(wish, entry))
    found = [each for each in found if each.fit > 0]
    found.sort(key=lambda each: (-each.fit, each.entry.name))
    return found[:MOST]


def missing(wish: Wish, suggestions: list[Suggestion]) -> str:
    """A sentence on a model that is missing, and what would fit."""
    what = f"The model {wish.name!r}" if wish.name else f"A {KINDS.get(wish.kind, 'model')}"
    kind = f" ({wish.family})" if wish.family else ""
    if not suggestions:
        return f"{what}{kind} is not there, and nothing that was scanned would fit in its place."
    names = [each.entry.name for each in suggestions[:3]]
    first, *rest = names
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if rest else first
    verb = "is the same" if suggestions[0].fit == 1.0 else "would fit"
    return f"{what}{kind} is not there. {listed if verb == 'would fit' else first} {verb}."


def _may_serve(wish: Wish, entry: Entry) -> bool:
    identity = entry.identity
    if identity is None:
        return False
    if wish.kind == "model":
        if identity.kind not in MODELS or not identity.families:
            return False
    elif wish.kind and identity.kind != wish.kind:
        parts = {part.kind for part in identity.parts}
        if identity.kind not in ("folder", "checkpoint") or wish.kind not in parts:
            return False
    if wish.family and wish.family not in (identity.family, *identity.families):
        return False
    spaces = identity.spaces
    return all(
        not asked or spaces.get(space, asked) == asked
        for space, asked in (("latent", wish.latent), ("text", wish.text))
    )


def _judged(wish: Wish, entry: Entry) -> Suggestion:
    """Family and kind alone make half a fit; a name that is alike makes up to the rest."""
    identity = entry.identity
    assert identity is not None
    fit, why = 0.0, []
    if wish.family:
        fit += 0.3
        why.append(f"it is of the family {wish.family}")
    if wish.kind and identity.kind == (identity.kind if wish.kind == "model" else wish.kind):
        fit += 0.2
        why.append(f"it is a {KINDS.get(identity.kind, identity.kind)}")
    alike = _alike(wish.name, entry.name)
    if alike > 0.3:
        fit += 0.4 * alike
        why.append("it is called alike" if alike < 1 else "it has that name")
    reason = ", ".join(why) or "it may serve"
    return Suggestion(entry, fit, f"{entry.name}: {reason}.")


def _alike(wanted: str, name: str) -> float:
    """0 to 1: how much of the wanted name's letters, in runs of three, the other has."""
    last = wanted.rsplit("/", 1)[-1]
    letters = sum(c.isalnum() for c in last)
    best = max(likeness(last, name.rsplit("/", 1)[-1]), likeness(last, name.replace("/", "-")))
    return max(0.0, min(1.0, best / letters)) if letters else 0.0
