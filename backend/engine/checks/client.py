"""The client of a process of checks: an order goes in, its answer comes out."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

import msgspec

from backend.engine.checks.wire import Answer, Begin, Order, Types, decode_answer, encode
from backend.engine.client.pipes import Broken, Sender, frames
from backend.engine.client.ring import Ring
from backend.engine.client.spawn import spawn

MODULE = "backend.engine.checks"

PATIENCE = 30.0
"""Seconds that an answer may take before the process is ended. A check takes a fraction of one;
what takes this long is a node file that does not come back."""


class Gone(Exception):
    """The process ended before it had answered; the text is a sentence."""


class ChecksProcess:
    """One process of checks. All but ``end`` is called by the one thread that made it; on Linux the
    process lives no longer than that thread."""

    def __init__(self, begin: Begin, patience: float = PATIENCE) -> None:
        """Start the process and wait for its node types.

        Raises:
            Gone: it cannot be started, or ended at once.
        """
        self._patience = patience
        self._ended = self._late = False
        self._lock = threading.Lock()
        self._ring = Ring()
        try:
            spawned = spawn(MODULE)
        except OSError as error:
            said = error.strerror or str(error)
            raise Gone(f"No process can be started to check in: {said}.") from error
        self._process = spawned.process
        self._orders = Sender(spawned.orders)
        self._answers = os.fdopen(spawned.reports, "rb")
        self._bodies: Iterator[bytes] = frames(self._answers)
        self._printed = threading.Thread(
            target=self._overhear, args=(spawned.printed,), name="weft-checks-printed", daemon=True
        )
        self._printed.start()
        os.close(spawned.trace)
        found = self._ask(begin, max(patience, PATIENCE))
        assert isinstance(found, Types)
        self.types = found

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ask(self, order: Order) -> Answer:
        """The answer to an order.

        Raises:
            Gone: the process has ended, or was ended since it did not answer.
            ValueError: the order holds text that is no text.
        """
        return self._ask(order, self._patience)

    def _ask(self, order: Order, patience: float) -> Answer:
        frame = encode(order)
        late = threading.Timer(patience, self._give_up)
        late.daemon = True
        late.start()
        try:
            self._orders.send(frame)
            body = next(self._bodies, None)
            if body is not None:
                return decode_answer(body)
        except (Broken, msgspec.MsgspecError, OSError, ValueError):
            pass
        finally:
            late.cancel()
        raise Gone(self._after())

    def end(self) -> None:
        """End it at once. Any thread may call this."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            # It may have been waited for nowhere yet, so its number is still its own.
            if sys.platform == "win32":
                self._process.kill()
            else:
                with contextlib.suppress(OSError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """End it and close its pipes."""
        self.end()
        self._orders.close()
        self._printed.join(1.0)
        self._answers.close()

    def _give_up(self) -> None:
        self._late = True
        self.end()

    def _after(self) -> str:
        """How it ended, in a sentence."""
        if self._late:
            why = f"It did not answer within {self._patience:g} s and was ended."
        elif self._ended:
            why = "It was ended."
        else:
            with contextlib.suppress(Exception):
                self._process.wait(1.0)
            code = self._process.returncode
            why = f"It ended by itself (status {code})."
        self.close()
        lines = self._ring.text().strip().splitlines()
        last = f" Its last line was: {lines[-1][:200]}" if lines else ""
        return f"The process that checks documents is gone. {why}{last}"

    def _overhear(self, fd: int) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(fd, 2**16):
                self._ring.put(data)
        os.close(fd)
