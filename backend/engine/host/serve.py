"""The host's life: orders come in on one thread, jobs run on the main thread, one at a time."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from functools import partial
from queue import Empty, SimpleQueue

import msgspec

from backend.engine.cancel import Cancel
from backend.engine.client.backlog import rank
from backend.engine.client.pipes import Broken, Sender, frames
from backend.engine.events import Event
from backend.engine.host.guard import leave
from backend.engine.host.warm import STAGES, warm
from backend.engine.host.work import Workplace
from backend.engine.wire import (
    Arrange,
    Arranged,
    CancelJob,
    GetValue,
    JobEnd,
    JobEvent,
    Order,
    Quit,
    Ready,
    Report,
    RunJob,
    Setup,
    ValueFile,
    decode_order,
    encode,
)
from backend.engine.words import Failure

LAST_WORDS = 5.0
"""Seconds that a slow client gets to take what waits when a host leaves."""


def serve(orders: int, reports: int) -> None:
    """Serve one client until it says ``Quit``; where it is gone the process ends at once."""
    desk = FrontDesk(Sender(reports))
    threading.Thread(target=desk.listen, args=(orders,), name="weft-orders", daemon=True).start()
    desk.work()
    sys.stdout.flush()
    os._exit(0)  # all is written; taking the model libraries down would cost a second


class FrontDesk:
    """Takes orders and hands out reports."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._cancels: dict[str, Cancel] = {}
        self._lock = threading.Lock()

    def listen(self, fd: int) -> None:
        """Take orders until the client is gone. Runs on a thread of its own."""
        try:
            with os.fdopen(fd, "rb") as file:
                for body in frames(file):
                    self._take(decode_order(body))
        except (Broken, msgspec.MsgspecError, OSError):
            traceback.print_exc()
        leave()

    def work(self) -> None:
        """Do one order after the other, on the main thread."""
        first = self._orders.get()
        if not isinstance(first, Setup):
            raise Broken(f"the first message is a {type(first).__name__}")
        place = Workplace(first)
        self.report(Ready(os.getpid(), errors=place.errors))
        stages = list(STAGES) if first.warm else []
        while True:
            order = self._next(stages)
            if isinstance(order, RunJob):
                self._run(place, order)
            elif isinstance(order, Arrange):
                self.report(_arranged(place, order))
            elif isinstance(order, GetValue):
                self.report(_value(place, order))
            elif isinstance(order, Quit):
                break
        place.close()
        self._sender.close(LAST_WORDS)

    def report(self, report: Report) -> None:
        """Tell the client something."""
        self._sender.send(encode(report), rank(report))

    def _take(self, order: Order) -> None:
        if isinstance(order, CancelJob):
            with self._lock:
                cancel = self._cancels.get(order.id)
            if cancel is not None:
                cancel()
            return
        if isinstance(order, RunJob):
            with self._lock:
                self._cancels[order.id] = Cancel()
        self._orders.put(order)

    def _next(self, stages: list[str]) -> Order:
        """The next order. While there is none, import what jobs will need, one stage at a time: an
        import beside a job could meet an import of the job half way."""
        while stages:
            try:
                return self._orders.get(block=False)
            except Empty:
                warm(stages.pop(0))
                if not stages:
                    self.report(Ready(os.getpid(), warm=True))
        return self._orders.get()

    def _run(self, place: Workplace, job: RunJob) -> None:
        with self._lock:
            cancel = self._cancels[job.id]
        begin, dropped = time.perf_counter(), self._sender.dropped
        try:
            end = place.run(job, partial(self._event, job.id), cancel)
        except BaseException as error:  # a fault of Weft itself: the job is over, the host is not
            end = _fault(job, error, time.perf_counter() - begin)
        with self._lock:
            del self._cancels[job.id]
        self.report(msgspec.structs.replace(end, dropped=self._sender.dropped - dropped))

    def _event(self, job: str, event: Event) -> None:
        self.report(JobEvent(job, event))


def _fault(job: RunJob, error: BaseException, seconds: float) -> JobEnd:
    sentence = (
        f"Weft itself went wrong ({type(error).__name__}: {str(error)[:200]}); this is a fault of "
        "the program."
    )
    trace = "".join(traceback.format_exception(error))
    return JobEnd(job.id, "failed", seconds=seconds, error=Failure(sentence, trace))


def _arranged(place: Workplace, order: Arrange) -> Arranged:
    try:
        turns, seen = place.arrange(order.jobs)
    except Exception:  # a fault of Weft itself costs the order, not the jobs
        traceback.print_exc()
        turns, seen = (), len(order.jobs)
    return Arranged(order.id, tuple((turn.job, turn.steps) for turn in turns), seen)


def _value(place: Workplace, order: GetValue) -> ValueFile:
    try:
        path = place.value_file(order.id, order.step, order.output)
    except LookupError:
        said = "This value is not kept any more; run the job again."
        return ValueFile(order.id, order.step, order.output, sentence=said)
    except (OSError, TypeError, ValueError) as error:
        said = f"This value could not be written to the cache folder ({error})."
        return ValueFile(order.id, order.step, order.output, sentence=said)
    return ValueFile(order.id, order.step, order.output, str(path))
