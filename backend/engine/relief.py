"""What is done when memory ran out in the middle of a step: one thing after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backend.engine.words import Failure
from backend.plan.residency.report import size


@dataclass(frozen=True, slots=True)
class Rung:
    """One try. ``sentence`` is told before it. ``aside`` is how many times what the step is thought
    to compute in is kept free of weights beside that; ``frugal``: the node takes as little memory
    as it can, by ways that round otherwise."""

    sentence: str = ""
    aside: int = 0
    frugal: bool = False


FIRST = Rung()

LADDER = (
    Rung(
        "Memory ran out. Results that are kept in memory and models that wait are let go of, and "
        "it is tried again."
    ),
    Rung(
        "Memory ran out again. It is tried with fewer weights in memory at once, which takes "
        "longer.",
        aside=2,
    ),
    Rung(
        "Memory ran out again. It is tried in small tiles, with one picture and one text at a "
        "time. That rounds otherwise, so this result is not kept for later runs.",
        aside=2,
        frugal=True,
    ),
)
"""What is tried, in this order."""

LEAST_ASIDE = 64 * 2**20
"""Bytes that a step is thought to compute in at least once memory has run out in it."""


def aside(rung: Rung, activation: int) -> int:
    """Bytes to keep free beside what a step is thought to compute in."""
    return rung.aside * max(activation, LEAST_ASIDE)


def with_resident(failed: Failure, resident: Mapping[str, int]) -> Failure:
    """A failure for want of memory, and what was loaded then, the largest first."""
    largest = sorted(((n, title) for title, n in resident.items() if n), reverse=True)[:4]
    if not largest:
        return failed
    told = ", ".join(f"{title} ({size(nbytes)})" for nbytes, title in largest)
    return replace(failed, sentence=f"{failed.sentence} Loaded were {told}.")


def beyond(short: int) -> str:
    """What is said of a step that computes in more than its budget leaves."""
    return (
        f"By its size this step computes in {size(short)} more than the memory budget leaves, so "
        "it may take more than it was given. Smaller tiles or a smaller batch would keep within it."
    )
