"""The names of a batch's outputs: ``portraits/{row}-{prompt:20}-{sample.steps}``.

A template knows all that name templates know (``backend.media.names``), and beside it ``{row}``,
``{index}`` and the parameters of the batch by the names they were given. What the engine knows
when it saves is left to it; the rest is written out before a job is queued.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from backend.batch.errors import BatchError
from backend.batch.rows import SEED, Point, Value
from backend.media.names import COUNTER, Field, Token, fill, parse_template
from backend.sdk import UserError

ENGINES = (COUNTER, "date", "time", "node", SEED)
"""Fields that only the engine knows, when it saves."""

_PATHS = ("file", "folder", "model")
_SCALARS = (str, int, float, type(None))


def check_template(
    template: str, columns: Collection[str], places: Collection[str], called: str = "--name"
) -> None:
    """See that a template is one, and that somebody knows each of its fields.

    Args:
        template: What ``--name`` says.
        columns: The parameters of the batch by the names they were given.
        places: ``NODE.PARAM`` of all that the engine knows.
        called: What sentences call it.

    Raises:
        BatchError: it is none, or a field is not known.
    """
    try:
        fields = {token.field for token in parse_template(template) if token.field}
        for field in sorted(fields):
            if field not in {"row", "index", *ENGINES, *columns, *places}:
                known = ", ".join(f"{{{name}}}" for name in ("row", "index", *columns, *ENGINES))
                raise BatchError(
                    f"{called} {template}: {{{field}}} is not known. There are {known}, and "
                    "{NODE.PARAM} of any node."
                )
        sample = {field: "x" for field in fields - {COUNTER}}
        fill(template, sample)
    except UserError as error:
        raise BatchError(f"{called}: {error}") from None


def written(
    template: str, point: Point, places: Collection[str], columns: Mapping[str, str]
) -> str:
    """The template of one job, in which only fields are left that the engine knows.

    Of a file, folder or model of the batch the bare name without its suffix is written.

    Args:
        template: What ``--name`` says.
        point: The job.
        places: ``NODE.PARAM`` of all that the engine knows.
        columns: The parameters of the batch by the names they were given, and where they lie.
    """
    values = {each.name: each for each in point.values}
    return "".join(
        _written(token, point, values.get(token.field), places, columns)
        for token in parse_template(template)
    )


def _written(
    token: Token,
    point: Point,
    value: Value | None,
    places: Collection[str],
    columns: Mapping[str, str],
) -> str:
    if not token.field:
        return _literal(token.text)
    if token.field == "row":
        return _filled(point.row_or_index(), token.width)
    if token.field == "index":
        return _filled(point.index, token.width)
    target = columns.get(token.field, token.field)
    if value is not None and value.kind in _PATHS:
        return _filled(PurePosixPath(str(value.value).replace("\\", "/")).stem, token.width)
    if target not in places and target not in ENGINES:
        # In a zone or a subgraph, where the engine does not look; an empty cell says nothing.
        said = value.value if value is not None else None
        return _filled(said if isinstance(said, _SCALARS) else str(said), token.width)
    return f"{{{target}:{token.width}}}" if token.width else f"{{{target}}}"


def _filled(value: Field, width: int) -> str:
    """A value as it stands in a file's name."""
    field = f"{{value:{width}}}" if width else "{value}"
    return _literal(fill(field, {"value": value}).stem(1))


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def shown_name(template: str, fields: Mapping[str, Field]) -> str:
    """A name as far as it is known before a job runs: ``#`` for the counter, and other fields that
    only the engine knows as they are written.

    Raises:
        BatchError: it cannot be a name.
    """
    try:
        unknown = {t.field for t in parse_template(template) if t.field} - {COUNTER, *fields}
        parts = fill(template, {**fields, **{name: f"{{{name}}}" for name in unknown}})
    except UserError as error:
        raise BatchError(str(error)) from None
    counter = "#" * max(1, parts.width) if parts.counted else ""
    return "/".join((*parts.folders, f"{parts.before}{counter}{parts.after}"))


@dataclass(frozen=True, slots=True)
class Saving:
    """A node that saves: its place, its template, and what else its file's name depends on.

    ``rule`` is what becomes of a name that is taken; ``form`` tells file types apart.
    """

    node: str
    template: str
    rule: str
    form: str = ""


class Clashes:
    """Finds jobs that would write the same file, where names are not numbered."""

    def __init__(self, called: str = "--name") -> None:
        """``called`` is what sentences call the template of the batch."""
        self._called = called
        self._seen: dict[tuple[str, str], tuple[int, str]] = {}

    def add(self, point: Point, savings: Sequence[Saving], fields: Mapping[str, Field]) -> None:
        """Take in what a job would save; ``fields`` are what the engine knows of it.

        Raises:
            BatchError: an earlier job would write the same file, or a name cannot be one.
        """
        for saving in savings:
            name = self._name(saving, fields)
            if name is None:
                continue
            key = (name.casefold(), saving.form)
            other, node = self._seen.setdefault(key, (point.index, saving.node))
            if other != point.index:
                also = "" if node == saving.node else f"{node} and "
                raise BatchError(
                    f"Jobs {other} and {point.index} would both write {name} ({also}{saving.node}, "
                    f"whose overwrite is {saving.rule}). Tell them apart, as with {self._called} "
                    "'{index:4}', or set overwrite to number."
                )

    def _name(self, saving: Saving, fields: Mapping[str, Field]) -> str | None:
        """The name a node would write; nothing where it is numbered, or known only later."""
        known = {"date": "date", "time": "time", **fields, "node": saving.node}
        try:
            used = {token.field for token in parse_template(saving.template) if token.field}
            if used - known.keys() - {COUNTER}:
                return None
            parts = fill(saving.template, known)
        except UserError as error:
            raise BatchError(f"{saving.node}: {error}") from None
        if parts.counted or saving.rule == "number":
            return None
        return "/".join((*parts.folders, parts.stem(1)))
