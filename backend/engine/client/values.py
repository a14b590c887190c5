"""Values that go from a host to its client as files: written there, mapped here."""

from __future__ import annotations

import contextlib
import json
import mmap
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from backend.engine.client.inbox import Died
from backend.engine.client.process import HostProcess
from backend.engine.wire import GetValue, ValueFile
from backend.values import Data, FrameFile, Video
from backend.values.arrays import Float32
from backend.values.wire import Packed, pack, unpack

PATIENCE = 60.0
"""Seconds within which a host that has nothing else to do answers."""

_HEADER = "value"


class NoValue(Exception):
    """A value cannot be fetched; the text is a sentence that says why."""


def write_value(value: Data, path: Path) -> None:
    """Write a value as a safetensors file: its arrays by number, its header as metadata.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.numpy import save

    packed = pack(value)
    arrays = {str(i): np.ascontiguousarray(a) for i, a in enumerate(packed.arrays)}
    path.write_bytes(save(arrays, {_HEADER: packed.header}))


def take_value(path: Path) -> Data:
    """The value in a file that ``write_value`` wrote, and which is removed.

    Its arrays lie in the file, which stays on the disk as long as one of them is held; where the
    system cannot do so they are read. Frames of a video go when the video does.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no value.
    """
    with path.open("rb") as file:
        if sys.platform == "win32":  # a mapped file cannot be removed there
            data: bytes | mmap.mmap = file.read()
        else:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    path.unlink(missing_ok=True)
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    text = header.pop("__metadata__")[_HEADER]
    arrays = tuple(_array(data, begin, header[str(i)]) for i in range(len(header)))
    value = unpack(Packed(text, arrays))
    for each in value if isinstance(value, list) else [value]:
        for frames in each.files if isinstance(each, Video) else ():
            if isinstance(frames, FrameFile):
                weakref.finalize(frames, _remove, Path(frames.path))
    return value


def fetch(host: HostProcess, job: str, step: str, output: str) -> Data:
    """Ask a host that has no job now for a value of the last one.

    Raises:
        NoValue: it has none, dies or does not answer.
    """
    host.send(GetValue(job, step, output))
    end = time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        message = host.inbox.take(left)
        if isinstance(message, Died):
            host.inbox.end(message)
            raise NoValue("The process that had this value has ended; run the job again.")
        if not isinstance(message, ValueFile):
            continue
        if (message.id, message.step, message.output) != (job, step, output):
            continue
        if message.sentence:
            raise NoValue(message.sentence)
        try:
            return take_value(Path(message.path))
        except (OSError, ValueError) as error:
            raise NoValue(f"The value could not be read back ({error}).") from error
    raise NoValue("The process that has this value does not answer.")


def _array(data: bytes | mmap.mmap, begin: int, entry: dict[str, Any]) -> Float32:
    first, last = entry["data_offsets"]
    count = (last - first) // 4
    flat = np.frombuffer(data, np.float32, count, begin + first) if count else np.empty(0, "f4")
    array: Float32 = flat.reshape(entry["shape"])
    array.flags.writeable = False
    return array


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
