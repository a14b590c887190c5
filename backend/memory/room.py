"""The budget, and what is in it: parts that are there or coming, and who must go when more is
needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from backend.memory.parts import Network, Part

Rank: TypeAlias = Callable[[Part], tuple[int, ...]]
"""How far off the next use of a part is; the largest goes first."""


Held: TypeAlias = Callable[[Part], bool]
"""Whether a part may not go."""


class Room:
    """The networks that are looked after, and the bytes that their parts take. Whoever owns it
    holds a lock."""

    def __init__(self, budget: int, trim: Callable[[int], None]) -> None:
        """``budget`` is in bytes, for parts and what steps compute in (``activation``). ``trim`` is
        told how many bytes of buffers may be kept for the next parts."""
        self.budget = budget
        self._trim = trim
        self.activation = 0
        self.peak = 0
        self.networks: dict[str, Network] = {}

    @property
    def taken(self) -> int:
        """Bytes of all parts that are there or coming."""
        return sum(part.nbytes for part in self.parts() if part.state != "absent")

    def parts(self) -> Iterator[Part]:
        """The parts of all networks."""
        for network in self.networks.values():
            yield from network.parts.values()

    @property
    def spare(self) -> int:
        """Bytes that are free beside all parts that are there or coming, and the activation."""
        return max(0, self.budget - self.taken - self.activation)

    def fits(self, nbytes: int) -> bool:
        """Whether so much more fits beside the activation."""
        return self.taken + self.activation + nbytes <= self.budget

    def fits_alone(self, nbytes: int) -> bool:
        """Whether so much fits once all that can go is gone."""
        return nbytes + self.activation <= self.budget

    def take(self, part: Part) -> None:
        """Begin to load a part."""
        part.state, part.error = "loading", None
        self.note()
        self.trim()

    def note(self) -> None:
        """Remember the peak. Of the activation counts what was not given way to parts."""
        taken = self.taken
        self.peak = max(self.peak, taken, min(taken + self.activation, self.budget))

    def drop(self, part: Part) -> None:
        """Let go of a part; one that is being loaded is let go of when it has come."""
        if part.state == "here":
            part.brought = None
            part.network.weights.absent(part.names)
        part.state = "absent"
        self.trim()

    def trim(self) -> None:
        """Have no more buffers kept than there is room for."""
        self._trim(self.spare)

    def make(self, nbytes: int, rank: Rank, held: Held) -> bool:
        """Evict parts that are not ``held`` until so much fits; whether it does.

        Where nothing is left to evict, the activation, which is an estimate, gives way.
        """
        while not self.fits(nbytes):
            victims = [p for p in self.parts() if p.state == "here" and not held(p)]
            if not victims:
                return self.taken + nbytes <= self.budget
            self.drop(max(victims, key=rank))
        return True
