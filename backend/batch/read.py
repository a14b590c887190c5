"""What a batch is asked to differ in: tables, sweeps and files become values of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.batch.each import matching
from backend.batch.errors import BatchError
from backend.batch.rows import EACH, SEED, SWEEP, Choice, Part, Value
from backend.batch.sweep import sweep_values
from backend.batch.table import Row, Table, read_table
from backend.engine.queue.submit import MAX_SEED
from backend.graph.document import Workflow
from backend.graph.spec import Param
from backend.graph.typed import (
    Files,
    Place,
    Specs,
    Untypable,
    find_param,
    read_value,
    setting_at,
)
from backend.media.grants import Grants
from backend.sdk import UserError

PATHS = ("file", "folder", "model")
"""Kinds of parameters that take files of a pattern."""

_SEEDS = Place((), SEED, Param(SEED, "integer", 0, 0, MAX_SEED))


@dataclass(frozen=True, slots=True)
class Varied:
    """A parameter and what it is to be: the values of a sweep, or a pattern of files.

    ``title`` begins sentences about it, ``where`` those about what was ``said``.
    """

    name: str
    said: str
    title: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a batch. ``table_title`` begins sentences about a table that cannot be read;
    ``hint`` ends one about a pattern that matches nothing."""

    table: Path | None = None
    sweeps: tuple[Varied, ...] = ()
    eaches: tuple[Varied, ...] = ()
    table_title: str = ""
    hint: str = ""


class Reader:
    """Reads values for the parameters of one workflow."""

    def __init__(self, workflow: Workflow, specs: Specs, grants: Grants, files: Files) -> None:
        """``grants`` are what the workflow may read, ``files`` what typed paths are relative to."""
        self._workflow, self._specs = workflow, specs
        self._grants, self._files = grants, files
        self.granted: list[Path] = []
        """Files that a sweep names, which may be read by that."""

    def parts(self, asked: Asked) -> list[Part]:
        """The table, the sweeps and the files, in this order.

        Raises:
            BatchError: something of it cannot be.
        """
        found = []
        if asked.table is not None:
            found.append(self.table(read_table(asked.table, asked.table_title)))
        found += [self.sweep(varied) for varied in asked.sweeps]
        found += [self.each(varied, asked.hint) for varied in asked.eaches]
        return found

    def place(self, name: str, where: str) -> Place:
        """Which parameter a name means; ``seed`` all seeds.

        Raises:
            BatchError: there is none of this name, or a link feeds it.
        """
        if name == SEED:
            return _SEEDS
        try:
            return find_param(self._workflow, self._specs, name)
        except Untypable as wrong:
            raise BatchError(f"{where}: {wrong.said}") from None

    def cell(self, table: Table, row: Row, name: str, place: Place) -> Value | None:
        """The value in a cell of a table; nothing in one that leaves what the workflow has.

        Raises:
            BatchError: it cannot be a value of its parameter.
        """
        text = row.cells[table.columns.index(name)]
        if text is None:
            return None
        return self._value(name, place, text, table.at(row, name), named=False)

    def table(self, table: Table) -> Part:
        """The rows of a table.

        Raises:
            BatchError: a column is no parameter, or a cell no value of it.
        """
        places = [self.place(name, f"{table.file}, column {name}") for name in table.columns]
        choices = tuple(
            Choice(tuple(self._cells(table, row, places)), row.number) for row in table.rows
        )
        return Part(table.file, table.columns, tuple(map(target_of, places)), choices)

    def _cells(self, table: Table, row: Row, places: Sequence[Place]) -> Iterator[Value]:
        for name, place, cell in zip(table.columns, places, row.cells, strict=True):
            if cell is not None:
                yield self._value(name, place, cell, table.at(row, name), named=False)

    def sweep(self, varied: Varied) -> Part:
        """The values of a sweep.

        Raises:
            BatchError: there is no such parameter, or what is said gives no values of it.
        """
        place = self.place(varied.name, varied.title)
        kind = "seed" if place is _SEEDS else place.spec.kind
        choices = tuple(
            Choice((self._value(varied.name, place, each, varied.title, named=True),))
            for each in sweep_values(varied.where or varied.title, varied.said, kind)
        )
        return Part(varied.title, (varied.name,), (target_of(place),), choices, SWEEP)

    def each(self, varied: Varied, hint: str = "") -> Part:
        """The files of a pattern.

        Raises:
            BatchError: there is no such parameter, it takes no file, or no file matches.
        """
        name, title, where = varied.name, varied.title, varied.where or varied.title
        place = self.place(name, title)
        if place.spec.kind not in PATHS:
            raise BatchError(f"{title}: this parameter takes no file. Use values, like a,b,c.")
        folders = place.spec.kind == "folder"
        here, base = str(self._files.here), str(self._files.base)
        try:
            found = matching(where, varied.said, here, folders=folders, hint=hint)
        except BatchError:
            # As for values, what is not in the current folder may be in the workflow's.
            found = matching(where, varied.said, base, folders=folders, hint=hint)
        choices = tuple(
            Choice((self._value(name, place, each, f"{title}, {each}", named=False),))
            for each in found
        )
        return Part(title, (name,), (target_of(place),), choices, EACH)

    def _value(self, name: str, place: Place, text: str, where: str, *, named: bool) -> Value:
        """The value of one parameter; with ``named`` a file of it is granted by that, else it must
        have been."""
        try:
            if place is _SEEDS:
                return Value(name, SEED, "seed", read_value(place.spec, text, name))
            if place.spec.kind == "boxes" and text.startswith("@") and not named:
                text = f"@{self._grants.read(text[1:])}"
            setting = setting_at(place, text, name, self._files)
        except Untypable as wrong:
            raise BatchError(f"{where}: {wrong.said}") from None
        except UserError as error:
            raise BatchError(f"{where}: {error}") from None
        if setting.file is not None and named:
            self.granted.append(setting.file)
        elif setting.file is not None or (place.spec.kind in ("file", "folder") and text):
            try:
                self._grants.read(setting.value)
            except UserError as error:
                raise BatchError(f"{where}: {error}") from None
        return Value(name, target_of(place), place.spec.kind, setting.value)


def target_of(place: Place) -> str:
    """Where a parameter lies, such as ``loop/blur.radius``; ``seed`` for all seeds."""
    return f"{'/'.join(place.path)}.{place.param}" if place.path else place.param


def check_seeds(
    parts: Sequence[Part], seed: int | None, seeds: Sequence[str], called: str = "--seed"
) -> None:
    """See that each seed is set once.

    Args:
        parts: The parts of the batch.
        seed: The seed of all jobs, if there is one.
        seeds: The places of the workflow's seeds that no link feeds.
        called: What sentences call ``seed``.

    Raises:
        BatchError: two set one seed, or there is none to set.
    """
    titles = {t: part.title for part in parts for t in part.targets}
    every = called if seed is not None else titles.get(SEED, "")
    if seed is not None and SEED in titles:
        raise BatchError(f"{called} and {titles[SEED]} both set every seed. Leave one out.")
    if not every:
        return
    if not seeds:
        raise BatchError(f"{every}: no node of the workflow has a seed that no link feeds.")
    for target in seeds:
        if target in titles and titles[target] != "":
            raise BatchError(
                f"{titles[target]} sets {target}, and {every} sets every seed. Leave one out."
            )
