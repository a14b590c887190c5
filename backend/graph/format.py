"""Workflow files: reading and writing ``NAME.weft.json``. The format is told in docs/format.md."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.graph.caps import MAX_BYTES
from backend.graph.diagnostics import on_a_line
from backend.graph.document import Workflow
from backend.graph.jsontext import JsonError, read_json, write_json
from backend.graph.migrate import FORMAT_STEPS, FormatStep, format_version, lift_document
from backend.graph.shape import Misfit, named, read, write

SUFFIX = ".weft.json"
_BOM = b"\xef\xbb\xbf"


class FormatError(Exception):
    """A file that cannot be read or written: a code, a sentence, and the place it speaks of."""

    def __init__(self, code: str, sentence: str, place: str) -> None:
        super().__init__(on_a_line(sentence))
        self.code = code
        self.sentence = on_a_line(sentence)
        self.place = on_a_line(place)


def load(path: str | os.PathLike[str]) -> Workflow:
    """Read a workflow file.

    Raises:
        FormatError: it cannot be read, is too large, or is no workflow.
    """
    where = Path(path).name or str(path)
    try:
        with open(path, "rb", opener=_open_to_read) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise FormatError("W001", f"{where} is no file; name a {SUFFIX} file.", where)
            if found.st_size > MAX_BYTES:
                raise _too_large(found.st_size, where)
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        sentence = f"{where} cannot be read: {reason}. Check its name and permissions."
        raise FormatError("W001", sentence, where) from None
    return parse(data, where)


def _open_to_read(path: str, flags: int) -> int:
    # A pipe without a writer would block for ever when opened in the ordinary way.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse(text: str | bytes, where: str, steps: Sequence[FormatStep] = FORMAT_STEPS) -> Workflow:
    """Read a workflow from the text of a file; ``where`` is how errors call it.

    Raises:
        FormatError: it is too large, not UTF-8, no strict JSON, or no workflow of this version.
    """
    if len(text) > MAX_BYTES:
        raise _too_large(len(text), where)
    try:
        raw = read_json(_decoded(text, where))
    except JsonError as error:
        place = f"{where}:{error.line}:{error.column}" if error.line else where
        sentence = f"{place}: {error.said}. Correct the file there, or take it from a backup."
        raise FormatError(error.code, sentence, place) from None
    version = _version(raw, where, format_version(steps))
    try:
        lifted = lift_document(raw, version, steps)
        lifted.pop("weft")
        made: Workflow = read(Workflow, lifted)
        return made
    except Misfit as misfit:
        raise _misfit(misfit, where) from None


def _decoded(text: str | bytes, where: str) -> str:
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    if text.startswith(_BOM):
        sentence = f"{where} begins with a byte order mark; save it as UTF-8 without one."
        raise FormatError("W004", sentence, f"{where}:1:1")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        column = error.start - text.rfind(b"\n", 0, error.start)
        place = f"{where}:{line}:{column}"
        sentence = f"{place}: byte 0x{text[error.start]:02x} is not UTF-8; save the file as UTF-8."
        raise FormatError("W003", sentence, place) from None


def _version(raw: Any, where: str, current: int) -> int:
    if not isinstance(raw, dict) or "weft" not in raw:
        found = "has no" if isinstance(raw, dict) else f"is {named(raw)} without"
        sentence = (
            f'{where} is no Weft workflow: it {found} "weft": {current}; choose another file.'
        )
        raise FormatError("W009", sentence, where)
    version = raw["weft"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        said = f'"weft" is {named(version)}, where the format version stands, 1 to {current}'
        raise FormatError("W009", f"{where}: {said}; correct it.", f"{where}: weft")
    if version > current:
        said = f"was made by a newer Weft (format {named(version)}, this one reads {current})"
        raise FormatError("W010", f"{where} {said}; update Weft.", f"{where}: weft")
    return version


def _too_large(size: int, where: str) -> FormatError:
    limit = MAX_BYTES // 2**20
    sentence = (
        f"{where} has {size / 2**20:.0f} MB, and a workflow has {limit} MB at most; is it one?"
    )
    return FormatError("W002", sentence, where)


def _misfit(misfit: Misfit, where: str) -> FormatError:
    path = ".".join(misfit.path)
    place = f"{where}: {path}" if path else where
    return FormatError(misfit.code, f"{place}: {misfit.said}. Correct it in the file.", place)


def dump(workflow: Workflow) -> str:
    """The text of a workflow file; the same document always gives the same text.

    Raises:
        FormatError: the document holds something that a file cannot (NaN, a bad id).
    """
    try:
        return write_json({"weft": format_version(), **write(workflow)}) + "\n"
    except JsonError as error:
        raise FormatError(
            error.code, f"The workflow cannot be written: {error.said}.", ""
        ) from None
    except Misfit as misfit:
        raise _misfit(misfit, "the workflow") from None


def save(workflow: Workflow, path: str | os.PathLike[str]) -> None:
    """Write a workflow file: all of it or nothing, keeping the permissions of an older one.

    Raises:
        FormatError: the document or the folder does not allow it; an older file is unharmed.
    """
    text = dump(workflow).encode("utf-8")
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        _write_durably(draft, text, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        sentence = f"{target.name} cannot be saved: {error.strerror}. Choose another folder."
        raise FormatError("W014", sentence, target.name) from None


def _write_durably(draft: Path, data: bytes, target: Path) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "wb") as file:
        if target.exists():
            os.chmod(draft, stat.S_IMODE(target.stat().st_mode))
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
