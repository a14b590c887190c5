"""What stays in host memory of parts that a device with memory of its own comes back to.

Their stored bytes stay as they were read, so that the next time they are only brought. How many
bytes stay, and are on their way, is bounded; what the plan needs no more stays only as long as
nothing else wants the room. Where the device computes in host memory there are no copies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.memory.parts import Check, Network, Part, Pool
from backend.memory.room import Rank


@dataclass
class _Copy:
    """The stored bytes of a part. ``free``: the plan has no use for them."""

    raws: Mapping[str, Any]
    nbytes: int
    free: bool = False


class Copies:
    """The copies of parts, and the one way to their stored bytes: from a copy, else from the files.

    One thread fetches. ``lock`` is that of who owns this; methods that change what is kept take it.
    ``read`` are the bytes that came from files and ``seconds`` the time that took.
    """

    def __init__(self, budget: int, rank: Rank, lock: threading.Condition) -> None:
        """``budget`` is in bytes, 0 for none; ``rank`` says who goes first."""
        self.budget = budget
        self.keeps = False
        """Whether what is read now is to stay."""
        self.read, self.seconds = 0, 0.0
        self._rank, self._lock = rank, lock
        self._copies: dict[Part, _Copy] = {}
        self._networks: set[Network] = set()

    @property
    def held(self) -> int:
        """Bytes of all copies."""
        with self._lock:
            return sum(copy.nbytes for copy in self._copies.values())

    @property
    def parts(self) -> frozenset[Part]:
        """The parts that have a copy."""
        with self._lock:
            return frozenset(self._copies)

    def resident(self) -> dict[str, int]:
        """Bytes of copies, by what people call their network."""
        with self._lock:
            found: dict[str, int] = {}
            for part, copy in self._copies.items():
                found[part.network.title] = found.get(part.network.title, 0) + copy.nbytes
            return found

    def welcome(self, network: Network) -> None:
        """Hear of a network whose parts may have copies, until it is forgotten."""
        pool = network.weights.pool
        if self.budget and pool is not None:
            pool.bound(self.budget)
            with self._lock:
                self._networks.add(network)

    # What the plan says

    def follow(self, wanted: Iterable[Part], keeps: bool) -> None:
        """From here on the plan has a use for these copies and for no others; ``keeps`` says
        whether it has one for what is read."""
        wanted = set(wanted)
        with self._lock:
            self.keeps = keeps
            for part, copy in self._copies.items():
                copy.free = part not in wanted

    def want(self, part: Part) -> bool:
        """The plan has the part in host memory from now on; whether it is there."""
        copy = self._copies.get(part)
        if copy is not None:
            copy.free = False
        return copy is not None

    def is_wanted(self, part: Part) -> bool:
        """Whether there is a copy that the plan has a use for."""
        return part in self._copies and not self._copies[part].free

    def release(self, part: Part) -> None:
        """The plan has no use for a copy any more."""
        if part in self._copies:
            self._copies[part].free = True

    def fits(self, part: Part) -> bool:
        """Whether there is room for a part beside all copies that the plan has a use for."""
        wanted = sum(copy.nbytes for copy in self._copies.values() if not copy.free)
        return wanted + part.host <= self.budget

    # Who reads

    def fetch(self, part: Part, check: Check) -> tuple[Mapping[str, Any], float]:
        """The stored bytes of a part, and the seconds that reading them took: 0 from a copy.

        Raises:
            CatalogError: a file was cut, replaced or is gone, be there a copy or not.
        """
        weights = part.network.weights
        with self._lock:
            copy = self._copies.get(part)
        if copy is not None:
            try:
                weights.unchanged(part.names)
            except Exception:
                self.drop(part.network)
                raise
            return copy.raws, 0.0
        del copy
        self._make_room(part)
        begin = time.perf_counter()
        raws = self._read(part, check)
        spent = time.perf_counter() - begin
        with self._lock:
            self.read += sum(raw.nbytes for raw in raws.values())
            self.seconds += spent
            if self._may_stay(part):
                self._copies[part] = _Copy(raws, part.host)
        return raws, spent

    def of(self, part: Part, name: str) -> Any:
        """The stored bytes of one weight from the copy of its part; None if there is none.

        Raises:
            CatalogError: its file was cut, replaced or is gone.
        """
        with self._lock:
            copy = self._copies.get(part)
        if copy is None:
            return None
        part.network.weights.unchanged((name,))
        return copy.raws[name]

    # Who needs the memory

    def drop(self, network: Network) -> None:
        """Let go of the copies of a network."""
        with self._lock:
            for part in network.parts.values():
                self._copies.pop(part, None)

    def forget(self, network: Network) -> None:
        """Let go of the copies of a network, and keep none any more."""
        with self._lock:
            self._networks.discard(network)
            self.drop(network)

    def clear(self) -> None:
        """Let go of all copies."""
        with self._lock:
            self._copies.clear()

    def _read(self, part: Part, check: Check) -> Mapping[str, Any]:
        read = part.network.weights.read
        try:
            return read(part.names, check)
        except MemoryError:
            if not self.held:
                raise
        self.clear()  # the system has less than was thought; what is read matters more
        while any(pool.end_one() for pool in self._pools()):
            pass
        return read(part.names, check)

    def _make_room(self, part: Part) -> None:
        """Have room to read a part: what is on its way arrives first, then copies go, those that
        the plan needs last before others, until there are none."""
        pools = self._pools()
        if part.network.weights.pool not in pools:
            return
        while self._taken(pools) + part.host > self.budget:
            if any(pool.end_one() for pool in pools):
                continue
            with self._lock:
                if not self._copies:
                    return
                del self._copies[max(self._copies, key=self._worth)]

    def _may_stay(self, part: Part) -> bool:
        known = self.keeps and part.network in self._networks
        within = self.held + part.host <= self.budget and _used(self._pools()) <= self.budget
        return known and within

    def _taken(self, pools: Iterable[Pool]) -> int:
        """Bytes in use. Copies count with what they take at the most."""
        return max(self.held, _used(pools))

    def _pools(self) -> tuple[Pool, ...]:
        with self._lock:
            found = (network.weights.pool for network in self._networks)
            return tuple(dict.fromkeys(pool for pool in found if pool is not None))

    def _worth(self, part: Part) -> tuple[int, ...]:
        return (int(self._copies[part].free), *self._rank(part))


def _used(pools: Iterable[Pool]) -> int:
    return sum(pool.used for pool in pools)
