"""Parameters: whether a value fits, and the one form in which it goes into keys and to a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from types import MappingProxyType
from typing import Any

from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Json
from backend.graph.shape import named, short
from backend.graph.spec import NodeSpec, Param

RANDOM = "random"
"""A seed that is drawn when a job is submitted."""


class Unfit(Exception):
    """A value that a parameter cannot have: a code and the end of a sentence."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said


def canonical(param: Param, value: Json) -> Any:
    """The value in its one form: ``4`` for ``4.0`` where whole numbers stand, ``#rrggbb`` in lower
    case, tuples for lists.

    Raises:
        Unfit: it is of another kind, out of range, not finite, or none of the choices.
    """
    kind = param.kind
    if kind == "seed" and value == RANDOM:
        return RANDOM
    if kind in ("integer", "seed"):
        return _bounded(param, _whole(value))
    if kind == "number":
        return _bounded(param, _number(value))
    if kind == "boolean":
        if not isinstance(value, bool):
            raise Unfit("W202", f"is {named(value)}, but must be true or false")
        return value
    if kind == "values":
        if not isinstance(value, list | tuple):
            raise Unfit("W202", f"is {named(value)}, but must be a list of numbers")
        return tuple(map(_number, value))
    if kind == "boxes":
        return _boxes(value)
    if not isinstance(value, str):
        raise Unfit("W202", f"is {named(value)}, but must be text")
    if kind == "choice" and value not in param.choices:
        raise Unfit("W205", f"is {short(value)}, but must be one of {', '.join(param.choices)}")
    if kind == "color":
        return _color(value)
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("W202", f"is {named(value)}, but must be a number")
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unfit("W204", f"is {named(value)}, but must be a finite number")
    return number


def _whole(value: Json) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value)
    if not number.is_integer():
        raise Unfit("W202", f"is {named(value)}, but must be a whole number")
    return int(number)


def _bounded(param: Param, number: Any) -> Any:
    low, high = param.minimum, param.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        said = f"is {named(number)}, but must be from {_limit(low)} to {_limit(high)}"
        raise Unfit("W203", said)
    return number


def _limit(limit: float | None) -> str:
    if limit is None:
        return "anywhere"
    return str(int(limit)) if math.isfinite(limit) and limit == int(limit) else str(limit)


def _color(text: str) -> str:
    from backend.values import Color  # numpy comes with it, which no other parameter needs

    try:
        return Color.parse(text).hex()
    except ValueError:
        said = f"is {short(text)}, but must be a colour, #rrggbb or #rrggbbaa"
        raise Unfit("W206", said) from None


def _boxes(value: Json) -> tuple[Mapping[str, Any], ...]:
    from backend.values.layout import BadBoxes, read_boxes, write_boxes

    try:
        return tuple(write_boxes(read_boxes(value)))
    except BadBoxes as error:
        raise Unfit("W209", str(error)) from None


def canonical_params(
    spec: NodeSpec, given: Mapping[str, Json], place: str
) -> tuple[Mapping[str, Any], tuple[Diagnostic, ...]]:
    """All parameters of a node, defaults filled in, and what is wrong with those given.

    A wrong one stands at its default, so that facts can flow on; with the diagnostic no run begins.
    """
    complete: dict[str, Any] = {}
    problems = []
    for param in spec.params:
        complete[param.name] = param.default
        if param.name not in given:
            continue
        try:
            complete[param.name] = canonical(param, given[param.name])
        except Unfit as unfit:
            sentence = f"{param.name} of {short_place(place)} {unfit.said}."
            problems.append(diagnose(unfit.code, f"{place}.params.{param.name}", sentence))
    for name in given:
        if name not in complete:
            problems.append(_unknown(spec, name, place))
    return MappingProxyType(complete), tuple(problems)


def _unknown(spec: NodeSpec, name: str, place: str) -> Diagnostic:
    names = [param.name for param in spec.params]
    sentence = f"{spec.title} has no parameter {short(name)}."
    return diagnose("W201", f"{place}.params.{name}", sentence, near(name, names))


def near(name: str, names: list[str], listed: bool = True) -> str:
    """A fix that names what somebody may have meant, or what there is."""
    close = get_close_matches(name[:100], names, 3, 0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"It has {', '.join(names[:12])}." if listed and 0 < len(names) <= 12 else ""


class Hints:
    """Names what may have been meant, for the first mistakes only: comparing names is slow."""

    def __init__(self, most: int = 50, names: int = 1000) -> None:
        self.left = most
        self.names = names

    def near(self, name: str, names: Iterable[str]) -> str:
        """A fix that names what somebody may have meant, or an empty text."""
        if self.left <= 0:
            return ""
        self.left -= 1
        return near(name, list(islice(names, self.names)), listed=False)


def short_place(place: str) -> str:
    """A place in words: the node's id of ``nodes.blur`` or ``subgraphs.x.nodes.blur``."""
    return place.rpartition(".")[2] or "the workflow"
