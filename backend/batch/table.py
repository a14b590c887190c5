"""Tables of a batch: CSV and JSON lines, read whole and strictly.

Every row has a cell for every column. A cell is text, as it would stand behind ``--set``, or
``None`` where the workflow's own value is to stay: an empty cell of a CSV, a null in JSON lines.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.batch.errors import BatchError
from backend.batch.rows import MOST_JOBS
from backend.media.grants import open_regular
from backend.sdk import UserError

MOST_BYTES = 256 * 2**20
"""Bytes of the largest table that is read."""

MOST_COLUMNS = 1000

_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK": "a spreadsheet or an archive"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number from 1 (the header is none), the line of the file it begins on, and its
    cells in the order of the columns."""

    number: int
    line: int
    cells: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read; ``file`` is what sentences call it."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def at(self, row: Row, column: str = "") -> str:
        """Where a cell or a row stands, to begin a sentence with."""
        return _at(self.file, row.number, row.line, column)


def read_table(path: Path, title: str = "") -> Table:
    """Read ``.csv`` or ``.jsonl``, UTF-8 with or without a byte order mark.

    ``title`` is what sentences about the whole file begin with; else the option and the path.

    Raises:
        BatchError: it cannot be read, is neither, has no rows or too many, or a column or a cell
            is doubled, missing or too much.
    """
    title = title or f"--table {path}"
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise BatchError(f"{title}: a table is a .csv or a .jsonl file.")
    text = _text(path, title)
    return (read_csv if suffix == ".csv" else read_jsonl)(text, path.name)


def read_csv(text: str, file: str) -> Table:
    """A table of comma-separated values, cells in double quotes where they need it.

    Raises:
        BatchError: see ``read_table``.
    """
    # The lines are split by the reader itself, since a quoted cell may hold line ends.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: tuple[str, ...] | None = None
    rows: list[Row] = []
    end = 0
    try:
        for cells in reader:
            line, end = end + 1, reader.line_num
            if not cells:
                continue
            if columns is None:
                columns = _columns([cell.strip() for cell in cells], file, f", line {line}")
                continue
            row = _row(file, columns, cells, len(rows) + 1, line)
            rows.append(row)
            _check_count(file, len(rows))
    except csv.Error as error:
        raise BatchError(f"{file}, line {reader.line_num}: {_why(error)}.") from None
    return _whole(file, columns, rows)


def read_jsonl(text: str, file: str) -> Table:
    """A table of one JSON object per line, all with the keys of the first.

    Texts are cells as they are; numbers, true, false and lists are read as ``--set`` reads them.

    Raises:
        BatchError: see ``read_table``.
    """
    columns: tuple[str, ...] | None = None
    rows: list[Row] = []
    for line, written in enumerate(text.split("\n"), 1):
        if not written.strip():
            continue
        number = len(rows) + 1
        pairs = _pairs(written, _at(file, number, line))
        names = [name for name, _ in pairs]
        if columns is None:
            columns = _columns(names, file, f", line {line}")
        where = _at(file, number, line)
        _check_doubled(names, where)
        given = dict(pairs)
        for name in names:
            if name not in columns:
                raise BatchError(f"{where}: the first row has no column {name!r}. Every row has "
                                 "the same columns.")  # fmt: skip
        for name in columns:
            if name not in given:
                raise BatchError(f"{where}: the column {name!r} is missing. Write null for the "
                                 "workflow's own value.")  # fmt: skip
        cells = (_cell(given[name], _at(file, number, line, name)) for name in columns)
        rows.append(Row(number, line, tuple(cells)))
        _check_count(file, len(rows))
    return _whole(file, columns, rows)


def _text(path: Path, title: str) -> str:
    try:
        if path.is_dir():
            raise BatchError(f"{title}: this is a folder, not a file.")
        with open_regular(path, path.name) as file:  # a pipe would be waited for
            data = file.read(MOST_BYTES + 1)
    except (UserError, ValueError) as error:
        raise BatchError(f"{title}: the file cannot be read: {error}") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise BatchError(f"{title}: the file cannot be read: {why}.") from None
    if len(data) > MOST_BYTES:
        raise BatchError(f"{title}: the file is larger than {MOST_BYTES >> 20} MiB.")
    for mark, what in _MARKS.items():
        if data.startswith(mark):
            raise BatchError(f"{path.name} is {what}, not UTF-8 text. Save it as CSV in UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BatchError(
            f"{path.name}, line {line}: this is not UTF-8 text. Save the table in UTF-8."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BatchError(f"{path.name}, line {line}: a NUL character is in the text.")
    return text


def _columns(names: Sequence[str], file: str, where: str) -> tuple[str, ...]:
    if len(names) > MOST_COLUMNS:
        raise BatchError(f"{file} has {len(names)} columns, and at most {MOST_COLUMNS} can be.")
    for place, name in enumerate(names, 1):
        if not name:
            raise BatchError(f"{file}{where}: column {place} has no name. Write NODE.PARAM or the "
                             "name of an exposed parameter.")  # fmt: skip
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise BatchError(f"{file}{where}: the columns are not separated by commas. Write a comma "
                         "between cells.")  # fmt: skip
    _check_doubled(names, f"{file}{where}")
    return tuple(names)


def _check_doubled(names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BatchError(f"{where}: the column {name!r} is there twice. Leave one of them out.")
        seen.add(name)


def _row(
    file: str, columns: Sequence[str], cells: Sequence[str], number: int, line: int
) -> Row:  # fmt: skip
    if len(cells) < len(columns):
        missing = columns[len(cells)]
        raise BatchError(
            f"{_at(file, number, line, missing)}: the cell is missing; the row has {len(cells)} of "
            f"{len(columns)} cells. An empty cell is a comma with nothing behind it."
        )
    if len(cells) > len(columns):
        raise BatchError(
            f"{_at(file, number, line)}: the row has {len(cells)} cells, but there are only "
            f"{len(columns)} columns. Put a cell that holds a comma into double quotes."
        )
    return Row(number, line, tuple(cell or None for cell in cells))


def _pairs(written: str, where: str) -> list[tuple[str, Any]]:
    try:
        found = json.loads(written, object_pairs_hook=_Pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, _Pairs):
        raise BatchError(f'{where}: this line is no JSON object, like {{"sample.steps": 20}}.')
    return list(found)


class _Pairs(tuple[Any, ...]):
    """The pairs of a JSON object as they are written, doubled ones too."""


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _cell(value: Any, where: str) -> str | None:
    """What stands behind ``--set`` for a value of JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, _Pairs) or (
        isinstance(value, list) and any(isinstance(each, _Pairs) for each in value)
    ):
        raise BatchError(f"{where}: a JSON object is no value of a parameter.")
    return json.dumps(value)


def _check_count(file: str, count: int) -> None:
    if count > MOST_JOBS:
        raise BatchError(f"{file} has more than {MOST_JOBS} rows. Split it.")


def _whole(file: str, columns: tuple[str, ...] | None, rows: Sequence[Row]) -> Table:
    if columns is None:
        raise BatchError(f"{file} is empty. Write the parameters in the first line, and a row for "
                         "each job.")  # fmt: skip
    if not rows:
        raise BatchError(f"{file} has columns and no rows. Write a row for each job.")
    return Table(file, columns, tuple(rows))


def _at(file: str, number: int, line: int, column: str = "") -> str:
    named = f", column {column}" if column else ""
    return f"{file}, row {number} (line {line}){named}"


def _why(error: csv.Error) -> str:
    """The reader's words, where it has better ones than its own."""
    said = str(error)
    if "unexpected end of data" in said:
        return "a double quote is opened and never closed"
    if "expected after" in said:
        return 'text stands behind a closing double quote; write "" for a quote inside a cell'
    return said
