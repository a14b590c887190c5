"""The decoding worker: ``python -P -m backend.media.film FILE PARENT``.

``FILE`` is a handle that it was given, or a path; ``PARENT`` is the process that asks. Lines of
JSON come in, numbers go out (``backend.values.worker``).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from backend.media.apart.limits import allow, confine
from backend.media.caps import MediaCaps
from backend.media.errors import Damaged, Unsupported

_ROOM = 2 * 2**30
"""Bytes of address space beside those of frames; threads map much that they do not use."""
_HELD = 40
"""Frames that a decoder may hold, at up to 8 bytes for a pixel."""
_LOOKS = 2.0
"""Seconds between looks for the process that asks."""


def serve(file: BinaryIO, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer what is asked until the pipe is closed."""
    opening = json.loads(source.readline())
    sizes = [opening, *opening.get("steps", ())]
    pixels = max(int(size.get("width", 0)) * int(size.get("height", 0)) for size in sizes)
    # How large frames are is only known behind the probe: until then the cap holds.
    _allow(pixels or MediaCaps().pixels // 4)
    tasks: dict[str, Callable[[BinaryIO, Mapping[str, Any]], Iterator[Any]]] = {
        "probe": _probed,
        "track": _frames,
        "frames": _frames,
        "sound": _sound,
    }
    answer = tasks[opening["task"]](file, {**opening, "asked": source})
    try:
        for piece in answer:
            told = piece if isinstance(piece, dict) else {}
            sink.write(json.dumps(told).encode() + b"\n")
            if not isinstance(piece, dict):
                sink.write(memoryview(piece).cast("B"))
            sink.flush()
    except (Damaged, Unsupported) as error:
        name = opening["name"]
        damaged = isinstance(error, Damaged)
        sentence = (
            f"{name!r} is damaged: {error}." if damaged else f"{name!r} is not read: {error}."
        )
        sink.write(json.dumps({"sentence": sentence}).encode() + b"\n")
        sink.flush()
    except MemoryError:
        sentence = f"{opening['name']!r} needs more memory than a file of its size may take."
        sink.write(json.dumps({"sentence": sentence}).encode() + b"\n")
        sink.flush()


def _allow(pixels: int) -> None:
    allow(_ROOM + pixels * 8 * _HELD, 0)  # how long it may take, the other side says


def _probed(file: BinaryIO, told: Mapping[str, Any]) -> Iterator[Any]:
    from backend.media.film.probe import probe

    yield probe(file, told["repair"])


def _frames(file: BinaryIO, told: Mapping[str, Any]) -> Iterator[Any]:
    from backend.media.film.track import Frames, Track

    film = Track(file, told) if told["task"] == "track" else Frames(file, told)
    for line in told["asked"]:
        for number in json.loads(line)["frames"]:
            yield film.frame(number)


def _sound(file: BinaryIO, told: Mapping[str, Any]) -> Iterator[Any]:
    from backend.media.film.sound import Sound

    sound = Sound(file, told)
    for line in told["asked"]:
        yield sound.samples(*json.loads(line)["samples"])


def _end_with(parent: int) -> None:
    """End when the process that asks is gone: a decoder that never comes back reads no pipe."""
    while os.getppid() == parent:
        time.sleep(_LOOKS)
    os._exit(1)


def main() -> None:
    """Serve on standard input and output; whatever prints by itself goes nowhere."""
    where = sys.argv[1]
    file = open(int(where) if where.isdigit() else where, "rb")  # noqa: SIM115
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    import numpy  # noqa: F401 - before the limits: its threads take address space

    if sys.platform != "win32":  # where no process loses its parent
        threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    confine()
    try:
        serve(file, source, sink)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
