"""What a batch would be: found out beside the window, from what is asked of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from app.words import tr
from backend.batch.drafts import templates_of
from backend.batch.errors import BatchError
from backend.batch.names import shown_name
from backend.batch.plan import Batch, Order, plan_batch
from backend.batch.read import Reader, Varied, target_of
from backend.batch.rows import SEED, Part, Point
from backend.batch.table import Table, read_table
from backend.engine.seeds import settle_seeds
from backend.graph.document import Workflow
from backend.graph.spec import NodeSpec
from backend.graph.typed import Files, Place
from backend.media.grants import Grants
from backend.media.name_fields import scalars_of
from backend.sdk import UserError

LISTED = 8
"""Jobs that are shown before they are queued, beside the last."""

_MAGIC = "*?["
_ESCAPED = re.compile(r"\[([*?[])\]")


@dataclass(frozen=True, slots=True)
class Vary:
    """A parameter that varies, by its name: over the values that are said, or over the files of a
    pattern."""

    name: str
    said: str = ""
    files: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a batch in the dock."""

    table: str = ""
    varies: tuple[Vary, ...] = ()
    template: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and all that the answer depends on.

    ``roots`` are the files and folders that the graph may read, ``base`` is its own folder;
    ``titles`` are what people call its parameters, by name. ``draw`` is where seeds at random come
    from.
    """

    wanted: Wanted
    workflow: Workflow
    specs: Mapping[str, NodeSpec]
    base: Path
    roots: tuple[Path, ...]
    models: Collection[str]
    out: Path
    title: str
    titles: Mapping[str, str]
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: what it sets, or what is wrong with it."""

    name: str
    sets: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one parameter that varies: how many jobs it gives, or what is wrong."""

    count: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A job as it is listed: its number, the name of its output, its values in words."""

    index: int
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a batch would be.

    ``table`` is what is wrong with the table as a whole, ``name`` with the name, ``problem`` with
    what they are together. ``batch`` is there where nothing is wrong; ``lines`` are its first jobs
    and its last, ``heads`` what varies in them.
    """

    columns: tuple[Column, ...] = ()
    rows: int = 0
    varies: tuple[Said, ...] = ()
    table: str = ""
    name: str = ""
    problem: str = ""
    batch: Batch | None = None
    heads: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    fields: tuple[str, ...] = ()


def look_ahead(question: Question, check: Callable[[], None]) -> Outlook:
    """What a batch would be; ``check`` is called often, and may raise to give it up."""
    wanted = question.wanted
    grants = Grants(question.base, question.roots)
    files = Files(question.base, question.base, question.models)
    reader = Reader(question.workflow, question.specs, grants, files)
    found, part = _table(reader, wanted.table, question, check)
    parts = [part] if part is not None else []
    said = []
    for vary in wanted.varies:
        check()
        try:
            parts.append(_part(reader, vary, question, grants))
            said.append(Said(len(parts[-1].choices)))
        except BatchError as error:
            said.append(Said(problem=str(error)))
    found = replace(found, varies=tuple(said), fields=_fields(parts))
    wrong = found.table or any(column.problem for column in found.columns)
    wrong = wrong or any(each.problem for each in said)
    if wrong or not parts:
        return found
    order = Order(
        question.title, Path(os.path.realpath(question.out)), wanted.template,
        name_called=tr("The name"),
    )  # fmt: skip
    may = replace(grants, roots=(*grants.roots, *reader.granted))
    return _whole(found, parts, order, may, question, check)


def _whole(
    found: Outlook,
    parts: Sequence[Part],
    order: Order,
    grants: Grants,
    question: Question,
    check: Callable[[], None],
) -> Outlook:
    workflow, specs = question.workflow, question.specs
    try:  # without its name first, so that it is told which of the two is wrong
        batch = plan_batch(workflow, specs, grants, parts, replace(order, template=""))
    except BatchError as error:
        return replace(found, problem=str(error))
    try:
        if order.template:
            batch = plan_batch(workflow, specs, grants, parts, order)
        batch = replace(batch, recipe=replace(batch.recipe, draw=question.draw))
        check()
        batch.check_names(check)
        lines = tuple(_line(batch, point) for point in _listed(batch.points))
    except BatchError as error:
        return replace(found, name=str(error))
    heads = _heads([name for part in parts for name in part.names], question.titles)
    return replace(found, batch=batch, heads=heads, lines=lines)


def _heads(names: Sequence[str], titles: Mapping[str, str]) -> tuple[str, ...]:
    """What stands above the columns: parameters, and their nodes where two are called alike."""
    said = [titles.get(name, name) for name in names]
    bare = [each.partition(" · ")[0] for each in said]
    return tuple(own if bare.count(own) == 1 else full
                 for own, full in zip(bare, said, strict=True))  # fmt: skip


def _table(
    reader: Reader, name: str, question: Question, check: Callable[[], None]
) -> tuple[Outlook, Part | None]:
    """What the columns of the table set; the part only where all is well."""
    if not name:
        return Outlook(), None
    path = Path(os.path.expanduser(name))
    path = path if path.is_absolute() else question.base / path
    try:
        table = read_table(path, path.name)
    except BatchError as error:
        return Outlook(table=str(error)), None
    check()
    columns = tuple(_column(reader, table, column, question, check) for column in table.columns)
    found = Outlook(columns=columns, rows=len(table.rows))
    if any(column.problem for column in columns):
        return found, None
    try:
        return found, reader.table(table)
    except BatchError as error:  # the file it names has gone meanwhile
        return replace(found, table=str(error)), None


def _column(
    reader: Reader, table: Table, name: str, question: Question, check: Callable[[], None]
) -> Column:
    try:
        place = reader.place(name, tr("Column {name}", name=name))
        for row in table.rows:
            check()
            reader.cell(table, row, name, place)
    except BatchError as error:
        return Column(name, problem=str(error))
    return Column(name, _sets(place, name, question))


def _sets(place: Place, name: str, question: Question) -> str:
    """What people call the parameter that a name means."""
    target = target_of(place)
    titles = question.titles
    return titles.get(name) or titles.get(target) or target


def _part(reader: Reader, vary: Vary, question: Question, grants: Grants) -> Part:
    """One parameter that varies.

    Raises:
        BatchError: there is nothing of it, or something of it is wrong.
    """
    title = question.titles.get(vary.name, vary.name)
    if not vary.said.strip():
        raise BatchError(
            tr("Say which files: a folder, or a pattern like photos/*.png.")
            if vary.files
            else tr("Say its values: a,b,c, or lo:hi:n for evenly spaced numbers.")
        )
    if not vary.files:
        return reader.sweep(Varied(vary.name, vary.said, title))
    _check_folder(vary.said, grants)
    return reader.each(Varied(vary.name, vary.said, title))


def _check_folder(pattern: str, grants: Grants) -> None:
    """See that a pattern begins where the graph may read: others are never searched.

    Raises:
        BatchError: it does not.
    """
    parts = pattern.split("/")[:-1]
    plain = takewhile(lambda part: not set(_MAGIC) & set(_ESCAPED.sub("", part)), parts)
    folder = "/".join(_ESCAPED.sub(r"\1", part) for part in plain)
    try:
        grants.read(folder or ("/" if pattern.startswith("/") else "."))
    except UserError as error:
        raise BatchError(str(error)) from None


def _listed(points: Sequence[Point]) -> Sequence[Point]:
    return points if len(points) <= LISTED + 1 else (*points[:LISTED], points[-1])


def _line(batch: Batch, point: Point) -> Line:
    shown = point.shown
    names = batch.recipe.columns
    values = (shown.get(name) for name in names)
    return Line(point.index, _output(batch, point), tuple(map(_words, values)))


def _words(value: object) -> str:
    if value is None:
        return ""
    said = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(said.split())[:200]


def _output(batch: Batch, point: Point) -> str:
    """What the first output of a job would be called, as far as that is known before it runs."""
    recipe = batch.recipe
    workflow = recipe.settled(point)
    place, template = next(iter(templates_of(workflow, recipe.specs).items()), ("", ""))
    seeds = set(_seeds(workflow, recipe.specs))
    fields = {
        **scalars_of(workflow, recipe.specs, batch.grants),
        **({SEED: seeds.pop()} if len(seeds) == 1 else {}),
        "node": place.rpartition(".")[0],
        "date": time.strftime("%Y-%m-%d"),
    }
    return shown_name(template, fields) if place else ""


def _seeds(workflow: Workflow, specs: Mapping[str, NodeSpec]) -> list[int]:
    """The seeds of the nodes of a graph that no link feeds."""
    found = []
    for place in settle_seeds(workflow, specs, 0)[1]:
        node, _, param = place.rpartition(".")
        at = workflow.graph.nodes.get(node)
        value = at.params.get(param) if at is not None else None
        if isinstance(value, int):
            found.append(value)
    return found


def _fields(parts: Sequence[Part]) -> tuple[str, ...]:
    """What a name can hold that the batch knows."""
    return tuple(dict.fromkeys(("index", "row", *(n for part in parts for n in part.names))))
