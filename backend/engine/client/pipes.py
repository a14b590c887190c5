"""Framed messages over a pipe: writing that never waits, and reading."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

from backend.engine.client.backlog import BUDGET, KEEP, Backlog, Rank
from backend.engine.framing import LENGTH, MAX_FRAME


class Broken(Exception):
    """What came through a pipe is no message of ours."""


class Sender:
    """Writes frames in order, from any thread, and never makes one wait for the reader.

    What the pipe does not take at once waits in a backlog for a thread of its own. Where the pipe
    takes it, a frame has left this process when ``send`` returns, so it arrives whatever happens
    to the process next.
    """

    def __init__(self, fd: int, budget: int = BUDGET) -> None:
        """The descriptor is the sender's from now on."""
        self._fd = fd
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._backlog: Backlog[bytes] = Backlog(budget)
        self._rest = memoryview(b"")
        self._thread: threading.Thread | None = None
        self._closed = self._gone = False
        self._direct = sys.platform != "win32"  # pipes there cannot be asked whether they take more
        if self._direct:
            os.set_blocking(fd, False)

    @property
    def dropped(self) -> int:
        """How many frames were left out so far."""
        return self._backlog.dropped

    def send(self, frame: bytes, rank: Rank = KEEP) -> None:
        """Send a frame, or keep it until the pipe takes it; nothing where the reader has gone."""
        with self._lock:
            if self._gone or self._closed:
                return
            if self._direct and not self._rest and not self._backlog:
                self._rest = memoryview(frame)
                self._write()
            else:
                self._backlog.put(frame, len(frame), rank)
            if (self._rest or self._backlog) and not self._gone:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._serve, name="weft-sender", daemon=True
                    )
                    self._thread.start()
                self._more.notify_all()

    def close(self, seconds: float = 0.0) -> None:
        """Close the pipe, at the latest when ``seconds`` were spent on writing what waits."""
        end = time.monotonic() + seconds
        with self._lock:
            self._closed = True
            self._more.notify_all()
            while (self._rest or self._backlog) and not self._gone:
                if not self._more.wait(end - time.monotonic()):
                    break
            self._abandon()
        if self._thread is not None:
            self._thread.join(1.0)
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _abandon(self) -> None:
        self._gone = True
        self._rest = memoryview(b"")
        self._backlog.clear()
        self._more.notify_all()

    def _write(self) -> None:
        """Write as much as the pipe takes now. The lock is held."""
        try:
            while self._rest or self._backlog:
                if not self._rest:
                    self._rest = memoryview(self._backlog.pop())
                self._rest = self._rest[os.write(self._fd, self._rest) :]
        except BlockingIOError:
            return
        except OSError:
            self._abandon()

    def _serve(self) -> None:
        while True:
            with self._lock:
                while not (self._rest or self._backlog or self._gone or self._closed):
                    self._more.wait()
                if self._gone or not (self._rest or self._backlog):
                    return
            if self._direct:
                self._write_when_it_takes()
            else:
                self._write_waiting()

    def _write_when_it_takes(self) -> None:
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        poller.poll(100)
        with self._lock:
            if not self._gone:
                self._write()
            self._more.notify_all()

    def _write_waiting(self) -> None:
        with self._lock:
            self._rest = memoryview(self._backlog.pop())
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._fd, self._rest) :]
        except OSError:
            with self._lock:
                self._abandon()
        with self._lock:
            self._more.notify_all()


def frames(file: BinaryIO) -> Iterator[bytes]:
    """The bodies of the messages that come through a pipe, until it ends.

    Raises:
        Broken: a length is beyond ``MAX_FRAME``.
    """
    while len(head := file.read(LENGTH)) == LENGTH:
        size = int.from_bytes(head, "little")
        if size > MAX_FRAME:
            raise Broken(f"a message of {size} bytes")
        body = file.read(size)
        if len(body) < size:
            return
        yield body
