"""Whoever decodes strangers' files holds one of these, and closes it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

import backend
from backend.media.apart.wire import THUMBNAIL, Gone, receive_header, receive_into, send_header
from backend.media.caps import ImageCaps, SoundCaps
from backend.media.grants import open_regular
from backend.sdk import UserError
from backend.values import Audio, Float32, Image, Layer, Layers
from backend.values.layers import MOST_PIXELS

_CHUNK = 1 << 20
_POLL = 0.05


def _go_on() -> None:
    """Nobody asks to stop."""


class Decoder:
    """Reads pictures and sounds in workers, at most as many as are asked at once. Threads may
    share it. A worker starts when it is first needed and waits for the next file."""

    def __init__(self, seconds: float = 120.0) -> None:
        """``seconds`` is how long one file may take."""
        self._seconds = seconds
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._closed = False

    def images(self, path: Path, check: Callable[[], None] = _go_on) -> tuple[Image, ...]:
        """``backend.media.images.read_image``, apart. ``check`` is called often and may raise.

        Raises:
            UserError: as ``read_image``, or it took too long, or the worker died of it.
        """
        most = ImageCaps().pixels * 4
        arrays, _ = self._ask("images", path, ImageCaps().file_bytes, most, check)
        for array in arrays:
            if array.ndim != 4:
                raise _harmful(path.name, "what came of it is no picture")
        return tuple(Image(array) for array in arrays)

    def thumbnail(self, path: Path, check: Callable[[], None] = _go_on) -> Image:
        """The first picture of a file, at most ``THUMBNAIL`` pixels to a side.

        Raises:
            UserError: as for ``images``.
        """
        most = THUMBNAIL * THUMBNAIL * 4
        arrays, _ = self._ask("thumbnail", path, ImageCaps().file_bytes, most, check)
        if len(arrays) != 1 or arrays[0].ndim != 4:
            raise _harmful(path.name, "what came of it is no picture")
        return Image(arrays[0])

    def sound(self, path: Path, check: Callable[[], None] = _go_on) -> Audio:
        """``backend.media.sounds.read_sound``, apart.

        Raises:
            UserError: as ``read_sound``, or it took too long, or the worker died of it.
        """
        arrays, told = self._ask("sound", path, 1 << 32, SoundCaps().samples, check)
        rate = told.get("rate")
        if len(arrays) != 1 or arrays[0].ndim != 2 or not isinstance(rate, int) or rate < 1:
            raise _harmful(path.name, "what came of it is no sound")
        return Audio(arrays[0], rate)

    def layers(
        self, path: Path, unknown_modes: str = "refuse", check: Callable[[], None] = _go_on
    ) -> tuple[Layers, list[str]]:
        """``backend.media.layer_files.read_layers``, apart.

        Raises:
            UserError: as ``read_layers``, or it took too long, or the worker died of it.
        """
        most = MOST_PIXELS * 4
        task = f"layers {unknown_modes}"
        arrays, told = self._ask(task, path, ImageCaps().file_bytes, most, check)
        try:
            rows = zip(arrays, told["of"], strict=True)
            width, height = told["size"]
            stack = Layers(width, height, tuple(Layer(pixels, *row) for pixels, row in rows))
            return stack, [str(note) for note in told["notes"]]
        except (KeyError, TypeError, ValueError) as error:
            raise _harmful(path.name, "what came of it are no layers") from error

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            _end(worker)

    def _ask(
        self, task: str, path: Path, largest: int, most: int, check: Callable[[], None]
    ) -> tuple[list[Float32], dict[str, Any]]:
        name = path.name
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > largest:
                raise UserError(f"{name!r} has {size} bytes, above the {largest} that are read.")
            header = {"task": task, "name": name, "bytes": size, "seconds": self._seconds}
            worker = self._take()
            arrays, told = self._exchange(worker, file, header, most, check)
        if "sentence" in told:
            raise UserError(str(told["sentence"])[:2000])
        return arrays, told

    def _exchange(
        self,
        worker: subprocess.Popen[bytes],
        file: BinaryIO,
        header: dict[str, Any],
        most: int,
        check: Callable[[], None],
    ) -> tuple[list[Float32], dict[str, Any]]:
        stopped: list[BaseException | None] = []
        done = threading.Event()
        watch = threading.Thread(
            target=_watch, args=(worker, done, check, self._seconds, stopped), daemon=True
        )
        watch.start()
        try:
            _hand(worker, file, header)
            answer = _answer(worker, most)
        except BaseException as error:
            done.set()
            watch.join()
            if not isinstance(error, Gone | OSError):
                _end(worker)
                raise
            raise _why(worker, str(header["name"]), stopped) from error
        done.set()
        watch.join()
        self._give(worker)
        return answer

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.poll() is None:
                    return worker
                _end(worker)
        return _start()

    def _give(self, worker: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
                return
        _end(worker)


def _start() -> subprocess.Popen[bytes]:
    root = Path(backend.__file__).resolve().parent.parent
    kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LC_ALL", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "backend.media.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=root,
        start_new_session=True,  # Ctrl-C is for whoever asked, who then closes the pipe
    )
    if sys.platform == "linux":
        import fcntl

        for pipe in (worker.stdin, worker.stdout):
            with contextlib.suppress(OSError, AttributeError):  # a user may have too many such
                fcntl.fcntl(_pipe(pipe), fcntl.F_SETPIPE_SZ, _CHUNK)
    return worker


def _end(worker: subprocess.Popen[bytes]) -> None:
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    worker.kill()
    worker.wait()


def _hand(worker: subprocess.Popen[bytes], file: BinaryIO, header: dict[str, Any]) -> None:
    pipe = _pipe(worker.stdin)
    send_header(pipe, header)
    left = int(header["bytes"])
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise Gone("the file became shorter while it was read")
        pipe.write(chunk)
        left -= len(chunk)
    pipe.flush()


def _answer(worker: subprocess.Popen[bytes], most: int) -> tuple[list[Float32], dict[str, Any]]:
    pipe = _pipe(worker.stdout)
    told = receive_header(pipe)
    arrays: list[Float32] = []
    shapes = told.get("shapes", [])
    total = 0
    for shape in shapes:
        if not all(isinstance(side, int) and side >= 0 for side in shape):
            raise Gone("a shape is no shape")
        count = 1
        for side in shape:
            count *= side
        total += count
        if total > most:
            raise Gone("more numbers than were allowed")
        array = np.empty(shape, np.float32)
        if count:
            receive_into(pipe, array.reshape(-1).view(np.uint8).data)
        array.setflags(write=False)
        arrays.append(array)
    return arrays, told


def _pipe(pipe: IO[bytes] | None) -> Any:
    if pipe is None:
        raise Gone("there is no pipe")
    return pipe


def _watch(
    worker: subprocess.Popen[bytes],
    done: threading.Event,
    check: Callable[[], None],
    seconds: float,
    stopped: list[BaseException | None],
) -> None:
    """End a worker that takes too long, or whose work nobody wants any more."""
    end = time.monotonic() + seconds
    while not done.wait(_POLL):
        try:
            check()
        except BaseException as error:
            stopped.append(error)
        else:
            if time.monotonic() < end:
                continue
            stopped.append(None)
        worker.kill()
        return


def _why(
    worker: subprocess.Popen[bytes], name: str, stopped: list[BaseException | None]
) -> BaseException:
    worker.kill()
    code = worker.wait()
    _end(worker)
    if stopped and stopped[0] is not None:
        return stopped[0]
    if stopped or code == -14:  # its own alarm
        return _harmful(name, "it took too long")
    return _harmful(name, f"the program that read it stopped with status {code}")


def _harmful(name: str, why: str) -> UserError:
    return UserError(
        f"{name!r} could not be read: {why}. The file is damaged, or made to do harm. "
        "If you trust it, open it in another program and save it anew."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open_regular(path, path.name)
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error
    with file:
        yield file
