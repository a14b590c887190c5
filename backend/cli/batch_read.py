"""What ``weft batch`` is told: tables, sweeps and files become typed values of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.batch.each import matching
from backend.batch.errors import BatchError
from backend.batch.rows import SEED, Choice, Part, Value
from backend.batch.sweep import split_sweep, sweep_values
from backend.batch.table import Row, Table, read_table
from backend.cli.flow import Flow
from backend.cli.params import Place, WrongSetting, find_param, read_value, setting_at
from backend.engine.queue.submit import MAX_SEED
from backend.graph.document import Workflow
from backend.graph.spec import Param
from backend.sdk import UserError

_SEEDS = Place((), SEED, Param(SEED, "integer", 0, 0, MAX_SEED))
_PATHS = ("file", "folder", "model")


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a batch as the command line names them."""

    table: Path | None = None
    sweeps: tuple[str, ...] = ()
    eaches: tuple[str, ...] = ()


class Reader:
    """Reads values for the parameters of one workflow."""

    def __init__(self, flow: Flow, workflow: Workflow) -> None:
        self._flow = flow
        self._workflow = workflow
        self.granted: list[Path] = []
        """Files that were named on the command line itself, and so may be read."""

    def parts(self, asked: Asked) -> list[Part]:
        """The table, the sweeps and the files, in this order.

        Raises:
            BatchError: something of it cannot be.
        """
        found = [] if asked.table is None else [self._table(read_table(asked.table))]
        found += [self._sweep(text) for text in asked.sweeps]
        found += [self._each(text) for text in asked.eaches]
        return found

    def _place(self, name: str, where: str) -> Place:
        if name == SEED:
            return _SEEDS
        try:
            return find_param(self._workflow, self._flow.registry.specs, name)
        except WrongSetting as wrong:
            raise BatchError(f"{where}: {wrong.said}") from None

    def _value(self, name: str, place: Place, text: str, where: str, *, named: bool) -> Value:
        """The value of one parameter; with ``named`` a file of it is granted by that, else it must
        have been."""
        base = self._flow.grants.base
        try:
            if place is _SEEDS:
                return Value(name, SEED, "seed", read_value(place.spec, text, name))
            setting = setting_at(place, text, name, base)
        except WrongSetting as wrong:
            raise BatchError(f"{where}: {wrong.said}") from None
        if setting.file is not None and named:
            self.granted.append(setting.file)
        elif setting.file is not None or (place.spec.kind in ("file", "folder") and text):
            try:
                self._flow.grants.read(setting.value)
            except UserError as error:
                raise BatchError(f"{where}: {error}") from None
        return Value(name, target_of(place), place.spec.kind, setting.value)

    def _table(self, table: Table) -> Part:
        places = [self._place(name, f"{table.file}, column {name}") for name in table.columns]
        choices = tuple(
            Choice(tuple(self._cells(table, row, places)), row.number) for row in table.rows
        )
        return Part(table.file, table.columns, tuple(map(target_of, places)), choices)

    def _cells(self, table: Table, row: Row, places: Sequence[Place]) -> Iterator[Value]:
        for name, place, cell in zip(table.columns, places, row.cells, strict=True):
            if cell is not None:
                yield self._value(name, place, cell, table.at(row, name), named=False)

    def _sweep(self, text: str) -> Part:
        name, said = split_sweep(text)
        title = f"--sweep {name}"
        place = self._place(name, title)
        kind = "seed" if place is _SEEDS else place.spec.kind
        choices = tuple(
            Choice((self._value(name, place, each, title, named=True),))
            for each in sweep_values(name, said, kind)
        )
        return Part(title, (name,), (target_of(place),), choices)

    def _each(self, text: str) -> Part:
        name, pattern = split_sweep(text, "--each")
        title = f"--each {name}"
        place = self._place(name, title)
        if place.spec.kind not in _PATHS:
            raise BatchError(
                f"{title}: this parameter takes no file. Use --sweep {name}=a,b,c for its values."
            )
        folders = place.spec.kind == "folder"
        try:
            found = matching(name, pattern, folders=folders)
        except BatchError:
            # As for --set, what is not in the current folder may be in the workflow's.
            base = self._flow.grants.base
            found = matching(name, pattern, str(base), folders=folders)
        choices = tuple(
            Choice((self._value(name, place, each, f"{title}, {each}", named=False),))
            for each in found
        )
        return Part(title, (name,), (target_of(place),), choices)


def target_of(place: Place) -> str:
    """Where a parameter lies, such as ``loop/blur.radius``; ``seed`` for all seeds."""
    return f"{'/'.join(place.path)}.{place.param}" if place.path else place.param


def check_seeds(parts: Sequence[Part], seed: int | None, seeds: Sequence[str]) -> None:
    """See that each seed is set once.

    Args:
        parts: The parts of the batch.
        seed: What ``--seed`` says.
        seeds: The places of the workflow's seeds that no link feeds.

    Raises:
        BatchError: two set one seed, or there is none to set.
    """
    titles = {t: part.title for part in parts for t in part.targets}
    every = "--seed" if seed is not None else titles.get(SEED, "")
    if seed is not None and SEED in titles:
        raise BatchError(f"--seed and {titles[SEED]} both set every seed. Leave one out.")
    if not every:
        return
    if not seeds:
        raise BatchError(f"{every}: no node of the workflow has a seed that no link feeds.")
    for target in seeds:
        if target in titles and titles[target] != "":
            raise BatchError(
                f"{titles[target]} sets {target}, and {every} sets every seed. Leave one out."
            )
