"""One host process: its pipes, its memory, its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import msgspec

from backend.engine.client.inbox import Died, Inbox
from backend.engine.client.memory import held, out_of_memory_kills
from backend.engine.client.pipes import Broken, Sender, frames
from backend.engine.client.ring import Ring
from backend.engine.client.spawn import spawn
from backend.engine.events import StepStarted
from backend.engine.wire import JobEvent, Order, Ready, Report, decode_report, encode

BUSY, IDLE = 0.05, 0.2
"""Seconds between two looks at the memory of a host, while it has a job and while it has none."""

STACKS = 0.1
"""Seconds that a host which is about to be ended gets to write down where it is."""

_LEFT = 0.3
"""Seconds for reading what a dead host had written. Only a child of a node that took the pipes
along and left the process group can use them up."""

_LARGEST_TRACE = 64 * 2**10


class HostProcess:
    """A host from its start to its end, with the threads that listen to it.

    ``on_ready`` is called at each ``Ready``, ``on_end`` once when it is dead and ``inbox`` has its
    last message; both in a thread of this object.
    """

    def __init__(
        self,
        limit: int,
        on_ready: Callable[[HostProcess], None],
        on_end: Callable[[HostProcess], None],
    ) -> None:
        """Start the process; ``listen`` comes next. ``limit`` is how many bytes it may take.

        Raises:
            OSError: it cannot be started.
        """
        self.inbox = Inbox()
        self.ready: Ready | None = None
        self.ran_a_step = self.asked_to_end = self.busy = False
        self.dead = threading.Event()
        self.limit = limit
        self._on_ready, self._on_end = on_ready, on_end
        self._kills = out_of_memory_kills()
        self._peak = self._over = 0
        self._lock = threading.Lock()
        self._gone = False
        self._ring = Ring()
        self._spawned = spawn()
        self._process = self._spawned.process
        self._orders = Sender(self._spawned.orders)
        self._readers: list[threading.Thread] = []

    def listen(self) -> None:
        """Begin to listen to it; from now on the two functions are called."""
        self._readers = [
            self._thread("reports", partial(self._listen, self._spawned.reports)),
            self._thread("printed", partial(self._overhear, self._spawned.printed)),
        ]
        self._thread("watch", self._watch)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def printed(self) -> str:
        """The last of what it printed."""
        return self._ring.text()

    def send(self, order: Order) -> None:
        """Send a message; never waits, and does nothing when the host is dead."""
        self._orders.send(encode(order))

    def kill(self, stacks: bool = False) -> None:
        """End it and what it has started, at once; with ``stacks`` it first writes them down."""
        self.asked_to_end = True
        if stacks and hasattr(signal, "SIGUSR1"):
            self._signal(signal.SIGUSR1)
            self.dead.wait(STACKS)
        self._kill()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        return self.dead.wait(seconds)

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=f"weft-host-{name}", daemon=True)
        thread.start()
        return thread

    def _listen(self, fd: int) -> None:
        with os.fdopen(fd, "rb") as file:
            try:
                for body in frames(file):
                    self._heard(decode_report(body), len(body))
            except (Broken, msgspec.MsgspecError, OSError):
                self._ring.put(b"\n(The host sent what is no message and was ended.)\n")
                self._kill()

    def _heard(self, report: Report, size: int) -> None:
        if isinstance(report, JobEvent) and isinstance(report.event, StepStarted):
            self.ran_a_step = True
        self.inbox.put(report, size)
        if isinstance(report, Ready):
            self.ready = report
            self._on_ready(self)

    def _overhear(self, fd: int) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(fd, 2**16):
                self._ring.put(data)
        os.close(fd)

    def _watch(self) -> None:
        """Wait for the end, and look at the memory meanwhile."""
        with contextlib.ExitStack() as stack:
            ended = self._end_of(stack)
            while not ended(BUSY if self.busy else IDLE):
                self._weigh()
        # Its number is free for others once it was waited for: what it has started goes before.
        with self._lock:
            self._end_group()
            self._gone = True
            status = self._process.wait()
        end = time.monotonic() + _LEFT
        for reader in self._readers:
            reader.join(max(0.0, end - time.monotonic()))
        self._orders.close()
        self.inbox.end(self._died(status))
        self.dead.set()
        self._on_end(self)

    def _end_of(self, stack: contextlib.ExitStack) -> Callable[[float], bool]:
        """A function that waits some seconds for the end and says whether it came."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(self.pid)
                stack.callback(os.close, fd)
                poller = select.poll()
                poller.register(fd, select.POLLIN)
                return lambda seconds: bool(poller.poll(1000 * seconds))
        return self._waited

    def _waited(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _weigh(self) -> None:
        now = held(self.pid)
        self._peak = max(self._peak, now)
        if now > self.limit and not self._over:
            self._over = now
            self._kill()

    def _died(self, status: int) -> Died:
        with os.fdopen(self._spawned.trace, "rb") as file:
            file.seek(0)
            trace = file.read(_LARGEST_TRACE).decode("utf-8", "backslashreplace")
        killed = status == -9 and not self._over and not self.asked_to_end
        return Died(
            status=status,
            peak_memory=self._peak,
            over_memory=self._over,
            out_of_memory=killed and out_of_memory_kills() > self._kills,
            last_output=self._ring.text(),
            trace=trace,
        )

    def _kill(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        else:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with self._lock:
            if self._gone:
                return
            if number == getattr(signal, "SIGUSR1", None):
                with contextlib.suppress(OSError):
                    os.kill(self.pid, number)
            else:
                self._end_group()

    def _end_group(self) -> None:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
