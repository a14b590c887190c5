"""What a command writes: lines for people, or one JSON object per line for programs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from backend.cli.errors import FAILED, Stop

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's results go. With ``json`` only ``record`` reaches standard output."""

    json: bool = False

    def line(self, text: str = "") -> None:
        """A line for people on standard output; nothing with ``--json``."""
        if not self.json:
            put(harmless(text))

    def record(self, fields: Mapping[str, Any]) -> None:
        """One JSON object on a line of its own; nothing without ``--json``.

        The text is plain ASCII, so that no terminal or pipe can spoil it.
        """
        if self.json:
            put(json.dumps(fields, allow_nan=False))

    def stop(self, stop: Stop) -> None:
        """Show why the command ends: always on standard error, and as a record with ``--json``."""
        tell(stop.sentence)
        fields = {"event": "error", "sentence": stop.sentence, "status": stop.status}
        known = {"code": stop.code, "place": stop.place}
        self.record(fields | {name: value for name, value in known.items() if value})


def plain(text: str) -> str:
    """What stands in names and files, without what a terminal would obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def harmless(text: str) -> str:
    """A text of one or more lines without the control characters that a terminal would obey."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def tell(text: str) -> None:
    """A line for people on standard error."""
    with contextlib.suppress(OSError):
        sys.stderr.write(harmless(text) + "\n")
        sys.stderr.flush()


def put(text: str) -> bool:
    """A line on standard output, at once.

    When the reader has gone (``weft nodes | head``), this and all that follows vanishes, and the
    answer is False: whoever reads only the beginning is not to be told of an error.

    Raises:
        Stop: what standard output leads to cannot be written, such as a file on a full disk.
    """
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        return False
    except OSError as error:
        silence(sys.stdout)
        said = f"Standard output cannot be written: {error.strerror or error}."
        raise Stop(said, FAILED) from None
    return True


def soften() -> None:
    """Write what a stream's encoding cannot show as an escape instead of failing.

    A stream that was closed before Weft began becomes one that leads nowhere.
    """
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def flushed(stream: TextIO) -> bool:
    """Flush a stream; if that cannot be, turn it to nowhere and return False.

    Without that the interpreter would complain once more about it when it ends.
    """
    try:
        stream.flush()
    except OSError:
        silence(stream)
        return False
    return True


def silence(stream: TextIO) -> None:
    """Let everything that is still written to a stream vanish."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
