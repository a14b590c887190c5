"""In which order the blocks of a network are called, learnt while they are."""

from __future__ import annotations

import time

from backend.memory.parts import Part


class Passes:
    """Watches the blocks that begin; a pass ends where a block comes again, or another network."""

    def __init__(self) -> None:
        self._pass: dict[Part, None] = {}
        self._began = 0.0

    def watch(self, part: Part) -> None:
        """A block begins."""
        first = next(iter(self._pass), part)
        if part in self._pass or first.network is not part.network:
            self.end()
        if not self._pass:
            self._began = time.perf_counter()
        self._pass[part] = None

    def forgive(self, seconds: float) -> None:
        """Leave out a time in which nothing computed."""
        self._began += seconds

    def end(self) -> None:
        """Nothing more comes of this pass: its network was called like this."""
        if self._pass:
            network = next(iter(self._pass)).network
            network.order = tuple(part.block for part in self._pass)
            network.pass_seconds = max(time.perf_counter() - self._began, 1e-6)
        self._pass.clear()
