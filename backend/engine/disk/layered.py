"""Memory in front, the disk behind it: what a process remembers, and what outlives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backend.engine.cache import Cache, MemoryCache
from backend.engine.disk.build import build_digest
from backend.engine.disk.cache import DiskCache
from backend.plan.result import Result

RESULTS = "results"
"""The folder of the disk cache in Weft's cache folder."""


def make_cache(folder: Path, memory: int, disk: int, costly: float) -> Cache:
    """The cache of a process.

    Args:
        folder: Weft's cache folder on this machine.
        memory: Bytes of results in memory.
        disk: Bytes of results on disk; with 0 there are none, and nothing is touched there.
        costly: Seconds from which a result is worth a file.
    """
    if not disk:
        return MemoryCache(memory)
    return LayeredCache(
        MemoryCache(memory), DiskCache(folder / RESULTS, disk, costly, build_digest())
    )


class LayeredCache:
    """Both caches as one. What is read from disk stays in memory. Threads may share it."""

    def __init__(self, memory: MemoryCache, disk: DiskCache) -> None:
        self.memory = memory
        self.disk = disk

    def find(self, key: str) -> Result | None:
        """What is known of a key; ``values`` may be empty."""
        return self.memory.find(key) or self.disk.find(key)

    def get(self, key: str) -> Result | None:
        """The result with its values, or ``None``; counts as a use."""
        found = self.memory.get(key)
        if found is None:
            found = self.disk.get(key)
            if found is not None:
                self.memory.put(key, "", found)
        return found

    def put(self, key: str, static: str, result: Result) -> None:
        """Keep a result."""
        self.memory.put(key, static, result)
        self.disk.put(key, static, result)

    def forget(self, key: str) -> None:
        """Drop all that is known of a key."""
        self.memory.forget(key)
        self.disk.forget(key)

    def clear(self) -> None:
        """Drop everything, on disk for all processes that share it.

        Raises:
            OSError, sqlite3.Error: what lies on disk cannot be removed.
        """
        self.memory.clear()
        self.disk.clear()

    def shed(self) -> None:
        """Let go of all values in memory."""
        self.memory.shed()

    def seen(self, static: str) -> bool:
        """Whether a result of a step with this static key is known, whatever its inputs were."""
        return self.memory.seen(static) or self.disk.seen(static)

    def decision(self, key: str) -> frozenset[str] | None:
        """What a lazy node asked for in a state."""
        found = self.memory.decision(key)
        return found if found is not None else self.disk.decision(key)

    def decide(self, key: str, names: frozenset[str]) -> None:
        """Remember what a lazy node asked for."""
        self.memory.decide(key, names)
        self.disk.decide(key, names)

    def settle(self, stop: Callable[[], bool]) -> None:
        """As ``DiskCache.settle``."""
        self.disk.settle(stop)

    def flush(self) -> None:
        """Wait until what is to be kept is on disk."""
        self.disk.flush()

    def troubles(self) -> tuple[str, ...]:
        """Sentences on what went wrong with keeping results, each kind once."""
        return self.disk.troubles()

    def close(self) -> None:
        """Write what waits, and let go of the folder."""
        self.disk.close()
