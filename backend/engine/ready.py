"""Calls that could be made, and which of them is next."""

from __future__ import annotations

import heapq
from collections import deque

from backend.engine.task import Task


class Ready:
    """The ready calls of one lane. Those of inner turns come before outer steps.

    Calls come in the order of the graph, or by *rounds* where a rank is given with them: those of
    the rank that was taken last go on as long as there are any, then those of the next rank, and
    behind the last one the first again. So what calls of one rank have in common (a loaded model)
    is used by all of them before something else takes its place.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[int, int, int], Task]] = []
        self._rounds: dict[tuple[int, int], deque[Task]] = {}
        self._serial = 0
        self._rank = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._heap) + sum(map(len, self._rounds.values()))

    def push(self, task: Task, rank: int | None = None) -> None:
        """Add one; all of a run with a rank, or none."""
        frame = task.frame
        if rank is not None:
            self._rounds.setdefault((-frame.level, rank), deque()).append(task)
            return
        self._serial += 1
        order = (-frame.level, frame.survey.rank[task.step], self._serial)
        heapq.heappush(self._heap, (order, task))

    def first(self) -> Task | None:
        """The next one, if there is any."""
        if self._heap:
            return self._heap[0][1]
        return self._rounds[self._key()][0] if self._rounds else None

    def pop(self) -> Task:
        """Take the next one."""
        if self._heap:
            return heapq.heappop(self._heap)[1]
        key = self._key()
        row = self._rounds[key]
        self._rank = key[1]
        task = row.popleft()
        if not row:
            del self._rounds[key]
        return task

    def _key(self) -> tuple[int, int]:
        return min(self._rounds, key=lambda key: (key[0], key[1] < self._rank, key[1]))
