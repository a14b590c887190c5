"""The host that takes jobs and the one that waits behind it: started, replaced, ended."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from backend.engine.client.memory import allowance
from backend.engine.client.process import HostProcess
from backend.engine.wire import Quit, Setup

BARREN = 3
"""Hosts that may die in a row before any step ran; after that none is started by itself."""

LEAVE = 2.0
"""Seconds that an idle host gets to leave by itself."""


class Closed(Exception):
    """The client was closed."""


class Hosts:
    """Up to two hosts of one setup. Any thread may call it."""

    def __init__(self, setup: Setup, standby: bool, memory: int) -> None:
        """Returns at once; ``memory`` as for ``HostClient``."""
        self.limit = allowance(memory)
        self.barren = 0
        self._setup, self._standby_wanted = setup, standby
        self._lock = threading.Lock()
        self._current: HostProcess | None = None
        self._standby: HostProcess | None = None
        self._closed = False
        # A host lives no longer than the thread that started it (see `spawn`), so one that lasts
        # starts them all.
        self._spawner = ThreadPoolExecutor(1, "weft-spawner")
        self._spawner.submit(self._fill)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @property
    def current(self) -> HostProcess | None:
        """The living host that takes jobs, if there is one now."""
        host = self._current
        return host if host is not None and not host.dead.is_set() else None

    @property
    def standby(self) -> HostProcess | None:
        """The living host that waits, if there is one now."""
        host = self._standby
        return host if host is not None and not host.dead.is_set() else None

    def take(self) -> HostProcess:
        """A living host for the next job, started where there is none.

        Raises:
            Closed: ``close`` was called.
            OSError: none can be started.
        """
        host = self.current
        if host is not None:
            return host
        try:
            return self._spawner.submit(self._living).result()
        except RuntimeError:  # the spawner takes nothing after its end
            raise Closed from None

    def renew(self) -> None:
        """Have the present host leave when its job is over; the next one takes over."""
        host = self.current
        if host is not None:
            host.asked_to_end = True
            host.send(Quit())

    def close(self, at_once: bool) -> None:
        """End all hosts and wait until they are gone."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._spawner.submit(self._end, at_once).result()
        self._spawner.shutdown()

    def _fill(self) -> None:
        """See that there is a host, and behind it one that waits once the first is ready."""
        with contextlib.suppress(OSError, Closed):  # `take` will meet the same and tell
            host = self._living()
            if self._standby_wanted and self.standby is None and host.ready is not None:
                self._standby = self._start()

    def _living(self) -> HostProcess:
        """In the spawner's thread: the present host, or the one that takes over, or a new one."""
        host = self.current
        if host is None:
            host, self._standby = self.standby, None
            if host is None:
                host = self._start()
            self._current = host
            if host.ready is not None and self._standby_wanted:
                self._later()
        return host

    def _start(self) -> HostProcess:
        if self._closed:
            raise Closed
        host = HostProcess(self.limit, self._ready, self._ended)
        host.send(self._setup)
        host.listen()
        return host

    def _ready(self, host: HostProcess) -> None:
        if host is self._current:
            self._later()

    def _ended(self, host: HostProcess) -> None:
        with self._lock:
            if host.ran_a_step:
                self.barren = 0
            elif not host.asked_to_end:
                self.barren += 1
            again = self._standby_wanted and self.barren < BARREN
        if again:
            self._later()

    def _later(self) -> None:
        """Have ``_fill`` done by the spawner."""
        with self._lock:
            if not self._closed:
                self._spawner.submit(self._fill)

    def _end(self, at_once: bool) -> None:
        hosts = [host for host in (self.current, self.standby) if host is not None]
        for host in hosts:
            if at_once or host.ready is None:
                host.kill()
            else:
                host.asked_to_end = True
                host.send(Quit())
        end = time.monotonic() + LEAVE
        for host in hosts:
            if not host.wait(max(0.0, end - time.monotonic())):
                host.kill()
                host.wait(LEAVE)
