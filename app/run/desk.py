"""The queue as the studio uses it: a thread of its own changes it and sees what others do.

A change of the queue waits for the disk, and for other programs; the window waits for neither.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from app.run.mailbox import Mailbox
from backend.graph.format import FormatError

if TYPE_CHECKING:  # what the queue needs is loaded by its thread, when the window is seen
    from backend.engine.queue.job import Ending, Job
    from backend.engine.queue.store import Queue

PACE = 0.4
"""Seconds between two looks at what other programs did."""

WAITING, ENDED = 500, 100
"""Jobs that are listed of those that run or wait, and of those that have ended."""

Act: TypeAlias = "Callable[[Queue], Any]"
Told: TypeAlias = Callable[[Any], object]
Refusal: TypeAlias = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Listing:
    """The queue at a moment: what runs and then waits in order; what has ended, the last first."""

    jobs: tuple[Job, ...] = ()
    ended: tuple[tuple[Job, Ending], ...] = ()
    paused: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Order:
    act: Act
    then: Told
    refused: Refusal


class Desk:
    """Carries out what is asked, one after the other, and tells in the window's thread."""

    def __init__(self, path: Path, mailbox: Mailbox, listed: Callable[[Listing], object]) -> None:
        """``listed`` hears of every change, whoever made it. ``start`` begins."""
        self._path, self._mailbox, self._listed = path, mailbox, listed
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._ends: dict[int, Ending] = {}
        self._thread = threading.Thread(target=self._go, name="weft-queue", daemon=True)

    def start(self) -> None:
        """Open the queue, make it where there is none, and list it."""
        self._thread.start()

    def do(self, act: Act, then: Told = bool, refused: Refusal = bool) -> None:
        """Have ``act`` done with the queue; ``then`` gets what it gives, or ``refused`` why not."""
        self._orders.put(_Order(act, then, refused))

    def close(self) -> None:
        """Carry out what was asked, and let go of the file."""
        self._orders.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _go(self) -> None:
        from backend.engine.queue.errors import QueueError
        from backend.engine.queue.store import Queue

        queue: Queue | None = None
        seen, last = -1, Listing()
        while True:
            order: _Order | None = None
            with contextlib.suppress(Empty):
                order = self._orders.get(timeout=0.0 if seen == -1 else PACE)
                if order is None:
                    break
            try:
                queue = queue or Queue(self._path)
                if order is not None:
                    self._carry_out(order, queue)
                now = queue.database.changed()
                if order is not None or now != seen:
                    seen, last = now, self._tell(self._look(queue), last)
            except QueueError as error:
                seen = -2
                last = self._tell(replace(last, trouble=str(error)), last)
                if order is not None and queue is None:
                    self._mailbox.post(_call(order.refused, str(error)))
        if queue is not None:
            queue.close()

    def _carry_out(self, order: _Order, queue: Queue) -> None:
        from backend.engine.queue.errors import QueueError, Refused

        try:
            given = order.act(queue)
        except (Refused, QueueError) as error:
            self._mailbox.post(_call(order.refused, str(error)))
        except FormatError as error:
            self._mailbox.post(_call(order.refused, error.sentence))
        else:
            self._mailbox.post(_call(order.then, given))

    def _look(self, queue: Queue) -> Listing:
        from backend.engine.queue.history import past

        ended = queue.ended(limit=ENDED)
        for job in ended:
            if job.id not in self._ends:
                self._ends[job.id] = past(queue, job.id).ending
        return Listing(
            tuple(queue.jobs(limit=WAITING)),
            tuple((job, self._ends[job.id]) for job in ended),
            queue.paused,
        )

    def _tell(self, listing: Listing, last: Listing) -> Listing:
        if listing != last:
            self._mailbox.post(_call(self._listed, listing))
        return listing


def _call(function: Callable[[Any], object], given: Any) -> Callable[[], object]:
    return lambda: function(given)
