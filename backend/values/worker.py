"""A process that decodes one media file: it opens no other, and a file made to do harm harms it
alone. What goes through its pipes: a line of JSON, then raw numbers.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from backend.values.footage import FramesGone

PROGRAM = "backend.media.film"
PATIENCE = 300.0
"""Seconds without an answer after which a worker is ended."""
_POLL = 0.05
_LONGEST = 1 << 20
_PIPE = 1 << 20

Check = Callable[[], None]


def go_on() -> None:
    """Nobody asks to stop."""


class Worker:
    """Decodes one file. It is used by one thread and must be closed."""

    def __init__(
        self,
        path: str,
        opening: Mapping[str, Any],
        check: Check = go_on,
        pinned: tuple[int, int] | None = None,
    ) -> None:
        """``opening`` is the first line that the program gets. ``check`` is called while the
        worker is waited for, from another thread, and may raise. ``pinned`` is the size and the
        time of change that the file must have.

        Raises:
            FramesGone: the file is gone, or is another one by now.
        """
        self._name = os.path.basename(path)
        self._check = check
        self._pinned = pinned
        self._file = _opened(path, pinned)
        self._stopped: list[BaseException | None] = []
        self._since: float | None = None
        self._done = threading.Event()
        try:
            self._process = _start(self._file, path)
        except BaseException:
            self._file.close()
            raise
        threading.Thread(target=self._watch, name="weft-decoding", daemon=True).start()
        try:
            self.send({"name": self._name, **opening})
        except BaseException:
            self.close()
            raise

    def send(self, request: Mapping[str, Any]) -> None:
        """Ask for something; ``answer`` gives what comes of it.

        Raises:
            FramesGone: the worker has died.
        """
        pipe = _pipe(self._process.stdin)
        try:
            pipe.write(json.dumps(request).encode() + b"\n")
            pipe.flush()
        except (OSError, ValueError) as error:
            raise self._why() from error

    def answer(self) -> dict[str, Any]:
        """The next line of JSON.

        Raises:
            FramesGone: it is a sentence about what is wrong with the file, the file was changed, or
                the worker died.
        """
        self._unchanged()
        with self._waiting():
            line = _pipe(self._process.stdout).readline(_LONGEST)
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise self._why()
        if "sentence" in told:
            raise FramesGone(str(told["sentence"])[:2000])
        return told

    def _unchanged(self) -> None:
        if self._pinned is not None and _look(self._file) != self._pinned:
            raise FramesGone(
                f"{self._name!r} was changed while it was read. Run the workflow again."
            )

    def fill(self, array: np.ndarray[Any, Any]) -> None:
        """Fill a contiguous array with the numbers that come next.

        Raises:
            FramesGone: the worker died before.
        """
        room, done = array.reshape(-1).view(np.uint8).data, 0
        pipe = _pipe(self._process.stdout)
        with self._waiting():
            while done < len(room):
                count = pipe.readinto(room[done:])
                if not count:
                    raise self._why()
                done += count

    def close(self) -> None:
        """End the worker."""
        self._done.set()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()
        self._process.kill()
        self._process.wait()
        self._file.close()
        self._stopped.clear()

    @contextlib.contextmanager
    def _waiting(self) -> Any:
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _watch(self) -> None:
        """End the worker when nobody wants its answer any more, or it takes too long."""
        while not self._done.wait(_POLL):
            since = self._since
            if since is None:
                continue
            try:
                self._check()
            except BaseException as error:
                # Its traceback holds this object, which would live on with the process it has.
                self._stopped.append(error.with_traceback(None))
            else:
                if time.monotonic() - since < PATIENCE:
                    continue
                self._stopped.append(None)
            self._process.kill()
            return

    def _why(self) -> BaseException:
        try:  # it ends by itself where an error of its own ended it, and then says so
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._stopped and self._stopped[0] is not None:
            return self._stopped[0]
        why = f"the program that read it stopped with status {code}"
        if self._stopped:
            why = "it took too long"
        return FramesGone(
            f"{self._name!r} could not be read: {why}. The file is damaged, or made to do harm. "
            "If you trust it, open it in another program and save it anew."
        )


def _opened(path: str, pinned: tuple[int, int] | None) -> IO[bytes]:
    name = os.path.basename(path)
    extra = sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"))
    try:
        file = open(path, "rb", opener=lambda at, flags: os.open(at, flags | extra))  # noqa: SIM115
    except FileNotFoundError as error:
        raise FramesGone(
            f"{name!r} is no longer there. Put it back, or run the workflow again with another."
        ) from error
    except OSError as error:
        raise FramesGone(f"{name!r} cannot be read: {error.strerror or error}.") from error
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        file.close()
        raise FramesGone(f"{name!r} is not a file but a device or a pipe.")
    if pinned is not None and _look(file) != pinned:
        file.close()
        raise FramesGone(f"{name!r} was changed after it was loaded. Run the workflow again.")
    return file


def _look(file: IO[bytes]) -> tuple[int, int]:
    """Size and time of change of an open file."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _start(file: IO[bytes], path: str) -> subprocess.Popen[bytes]:
    """The program by its name, as a client starts a host: this room imports no decoder."""
    root = Path(__file__).resolve().parents[2]
    kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LC_ALL", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    handle = file.fileno()
    # A handle cannot be passed on there, so the worker opens the file itself.
    where, passed = (path, ()) if sys.platform == "win32" else (str(handle), (handle,))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", PROGRAM, where, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=root,
        pass_fds=passed,
        start_new_session=True,  # Ctrl-C is for whoever asked, who then closes the pipe
    )
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # a user may have too many such
            fcntl.fcntl(_pipe(process.stdout), fcntl.F_SETPIPE_SZ, _PIPE)
    return process


def _pipe(pipe: IO[bytes] | None) -> Any:
    assert pipe is not None  # both are asked for
    return pipe
