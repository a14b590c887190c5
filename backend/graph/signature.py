"""Reading a node function's signature into sockets and parameters."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from backend.graph.spec import Arity, Param, ParamKind, Socket
from backend.graph.types import TYPES
from backend.values import Color


@dataclass(frozen=True, slots=True)
class Range:
    """The limits of a number, and the step of its widget."""

    minimum: float
    maximum: float
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """Marks an annotation as a parameter kind other than the plain one of its Python type."""

    name: ParamKind


@dataclass(frozen=True, slots=True)
class Signature:
    """Sockets and parameters as read from a function."""

    inputs: tuple[Socket, ...]
    params: tuple[Param, ...]
    outputs: tuple[Socket, ...]


_SCALARS: Mapping[type, str] = {str: "Text", float: "Number", int: "Integer", bool: "Boolean"}
_PLAIN: Mapping[type, ParamKind] = {
    str: "text",
    float: "number",
    int: "integer",
    bool: "boolean",
    Color: "color",
}


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read the sockets and parameters of a node function from its annotations.

    Raises:
        TypeError: an annotation is missing or no socket type, or the first argument is not ``ctx``.
    """
    hints = get_type_hints(function, include_extras=True)
    arguments = list(inspect.signature(function).parameters.values())
    if not arguments or arguments[0].name != "ctx":
        raise TypeError(f"{function.__name__}: the first argument of a node is ctx")
    inputs: list[Socket] = []
    params: list[Param] = []
    for argument in arguments[1:]:
        if argument.name not in hints:
            raise TypeError(f"{function.__name__}: {argument.name} has no type")
        entry = _argument(function.__name__, argument, hints[argument.name])
        if isinstance(entry, Param):
            params.append(entry)
        else:
            inputs.append(entry)
    return Signature(tuple(inputs), tuple(params), _outputs(function.__name__, hints))


def _argument(node_name: str, argument: inspect.Parameter, hint: Any) -> Socket | Param:
    where = f"{node_name}({argument.name})"
    if argument.kind is inspect.Parameter.VAR_POSITIONAL:
        return Socket(argument.name, _type_name(where, hint), "many", optional=True)
    if argument.kind is inspect.Parameter.VAR_KEYWORD:
        return Socket(argument.name, _type_name(where, hint), "named", optional=True)
    bare, optional = _without_none(hint)
    has_default = argument.default is not inspect.Parameter.empty
    if has_default and argument.default is not None:
        return _param(where, argument, bare)
    if optional != has_default:
        raise TypeError(f"{where}: an open socket is written `X | None = None`")
    arity: Arity = "one"
    if get_origin(bare) is list:
        bare, arity = get_args(bare)[0], "list"
    elif get_origin(bare) is dict:
        bare, arity = get_args(bare)[1], "named"
    return Socket(argument.name, _type_name(where, bare), arity, optional)


def _param(where: str, argument: inspect.Parameter, hint: Any) -> Param:
    limits, kind = Range(-(2**63), 2**63, None), None
    bare, default = hint, argument.default
    if get_origin(hint) is Annotated:
        bare, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, Range):
                limits = note
            elif isinstance(note, Kind):
                kind = note.name
    if get_origin(bare) is Literal:
        return Param(argument.name, "choice", default, choices=tuple(map(str, get_args(bare))))
    kind = kind or _PLAIN.get(bare)
    if kind is None:
        raise TypeError(f"{where}: {bare!r} is no parameter type")
    if isinstance(default, Color):
        default = default.hex()
    if kind not in ("number", "integer", "seed"):
        return Param(argument.name, kind, default)
    bounded = limits.minimum > -(2**63) or kind == "seed"
    low, high = (limits.minimum, limits.maximum) if bounded else (None, None)
    return Param(argument.name, kind, default, low, high, limits.step)


def _outputs(node_name: str, hints: Mapping[str, Any]) -> tuple[Socket, ...]:
    result = hints.get("return", type(None))
    if result in (None, type(None)):
        return ()
    if hasattr(get_origin(result), "_fields"):  # a generic NamedTuple: Pairs[T, U]
        result = get_origin(result)
    if isinstance(result, type) and issubclass(result, tuple) and hasattr(result, "_fields"):
        fields = get_type_hints(result, include_extras=True)
        return tuple(_output(node_name, name, hint) for name, hint in fields.items())
    return (_output(node_name, "", result),)


def _output(node_name: str, name: str, hint: Any) -> Socket:
    arity: Arity = "one"
    if get_origin(hint) is list:
        hint, arity = get_args(hint)[0], "list"
    type_name = _type_name(f"{node_name} -> {name or 'result'}", hint)
    if not name:
        name = "value" if type_name.startswith("*") else _snake(type_name)
        name += "s" if arity == "list" else ""
    return Socket(name, type_name, arity)


def _type_name(where: str, hint: Any) -> str:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if isinstance(hint, TypeVar):
        return "*" + hint.__name__
    name = _SCALARS.get(hint) or str(getattr(hint, "__name__", ""))
    if name not in TYPES:
        raise TypeError(f"{where}: {hint!r} is no socket type")
    return name


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        kept = [a for a in get_args(hint) if a is not type(None)]
        if len(kept) == 1:
            return kept[0], True
    return hint, False


def _snake(name: str) -> str:
    if name.isupper():
        return name.lower()
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))
