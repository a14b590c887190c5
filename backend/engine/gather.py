"""From a step's links to the arguments of its calls: lists, lengths, linked parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.engine.words import Failure
from backend.graph.document import Each
from backend.graph.params import Unfit
from backend.plan.keys import value_digest
from backend.plan.params import fit
from backend.plan.program import Link, Unit
from backend.plan.survey import Survey
from backend.values import Data


class Misuse(Exception):
    """Inputs that a step cannot take; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Given:
    """One link with its value, and what it is in keys (empty where nothing is remembered)."""

    link: Link
    value: Data
    token: str

    @property
    def axis(self) -> bool:
        """Whether its list maps the node: one call per item."""
        return self.link.maps and isinstance(self.value, list)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a node's function wants its inputs: what stands before ``*many``, and ``**named``."""

    before: tuple[str, ...]
    many: str
    spread: str


def shape_of(function: Callable[..., Any]) -> Shape:
    """Read the shape of a node function."""
    before: list[str] = []
    many = spread = ""
    for argument in list(inspect.signature(function).parameters.values())[1:]:
        if argument.kind is inspect.Parameter.VAR_POSITIONAL:
            many = argument.name
        elif argument.kind is inspect.Parameter.VAR_KEYWORD:
            spread = argument.name
        elif not many:
            before.append(argument.name)
    return Shape(tuple(before) if many else (), many, spread)


def gather(survey: Survey, i: int) -> list[Given]:
    """The values of all links that count for a step; their sources are done."""
    given = []
    for link in survey.links(i):
        found, value = survey.value(link.wire)
        if not found:
            raise Misuse(f"{survey.program.units[i].step.id} lost its input {link.label}.")
        given.append(Given(link, value, survey.token(link.wire) or ""))
    return given


@dataclass(frozen=True, slots=True)
class Meeting:
    """How lists meet on a node: ``count`` calls, and which items each of them gets."""

    lengths: tuple[int, ...]
    each: Each
    count: int

    def places(self, n: int) -> list[int]:
        """The place in each list of call ``n``; in a product the first list turns slowest."""
        if self.each == "zip":
            return [n] * len(self.lengths)
        if self.each == "repeat":
            return [min(n, length - 1) for length in self.lengths]
        places = []
        for length in reversed(self.lengths):
            n, place = divmod(n, length)
            places.append(place)
        return places[::-1]


def meet(names: Sequence[str], lengths: Sequence[int], each: Each, cap: int) -> Meeting:
    """How lists of these lengths meet.

    Raises:
        Misuse: they are unlike and meet item by item, or there are more than ``cap`` calls.
    """
    if each == "product":
        count = 1
        for length in lengths:
            count *= length
    elif each == "repeat":
        count = max(lengths) if all(lengths) else 0
    else:
        count = lengths[0] if lengths else 0
        if any(length != count for length in lengths):
            told = ", ".join(f"{n} has {k}" for n, k in zip(names, lengths, strict=True))
            raise Misuse(
                f"The lists have different lengths ({told}). Make them equally long, or let the "
                "node repeat the shorter or take the product."
            )
    if count > cap:
        raise Misuse(f"The lists make {count} calls, more than {cap}. Make them shorter.")
    return Meeting(tuple(lengths), each, count)


def item_of(given: Sequence[Given], places: Sequence[int], remembers: bool) -> list[Given]:
    """What one call of a mapped node gets."""
    row, at = [], iter(places)
    for entry in given:
        if entry.axis:
            value = entry.value[next(at)]
            entry = Given(entry.link, value, value_digest(value) if remembers else "")
        row.append(entry)
    return row


def known_of(given: Sequence[Given]) -> dict[str, Data]:
    """What a lazy node knows: socket values by the label of their link."""
    return {entry.link.label: entry.value for entry in given if entry.link.param is None}


def parameters(unit: Unit, given: Sequence[Given]) -> dict[str, Any]:
    """All parameters as the function gets them.

    Raises:
        Misuse: a linked value is out of range or of the wrong kind.
    """
    params = dict(unit.base)
    for entry in given:
        param = entry.link.param
        if param is not None:
            try:
                params[param.name] = fit(param, entry.value)
            except Unfit as error:
                raise Misuse(f"{param.name} of {unit.step.id} {error.said}.") from None
    return params


def arguments(
    unit: Unit, shape: Shape, given: Sequence[Given]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and keyword arguments (without ``ctx``) of one call.

    Raises:
        Misuse: as ``parameters``.
    """
    named: dict[str, Any] = parameters(unit, given) if unit.spec.params else {}
    by_label = {entry.link.label: entry.value for entry in given}
    rows: dict[str, list[Any]] = {}
    for link in unit.links:
        socket = link.socket
        if socket is None:
            continue
        value = by_label.get(link.label)  # what a lazy node did not ask for is None
        if socket.arity == "many":
            row = rows.setdefault(link.name, [])
            row.extend(value) if isinstance(value, list) else row.append(value)
        elif socket.arity == "named":
            named.setdefault(link.name, {})[link.part] = value
        elif socket.arity == "list" and not isinstance(value, list):
            named[link.name] = [value]
        else:
            named[link.name] = value
    if shape.spread and shape.spread in named:
        named.update(named.pop(shape.spread))
    many = rows.get(shape.many, ())
    before = [named.pop(name) for name in shape.before if name in named] if many else []
    return (*before, *many), named


def told(error: Misuse) -> Failure:
    """A misuse as a failure of its step."""
    return Failure(str(error))
