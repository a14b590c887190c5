"""From what a node returned to a checked result with digests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from backend.engine.words import summary, type_title
from backend.graph.spec import NodeSpec, Socket
from backend.graph.types import is_generic
from backend.plan.keys import result_digest
from backend.plan.result import Result
from backend.sdk import Saved
from backend.values import Data, Value, nbytes
from backend.values.wire import KINDS

_SMALL = (bool, int, float, type(None))


class WrongResult(Exception):
    """A node returned what its declaration does not say; the text is a sentence."""


def outputs_of(spec: NodeSpec, returned: Any) -> dict[str, Data]:
    """The outputs by name, checked against the declared types.

    Raises:
        WrongResult: there are too few or too many, or one is of another type.
    """
    outputs = spec.outputs
    if not outputs:
        if returned is not None:
            raise WrongResult(_wrong(spec, "", "nothing", returned))
        return {}
    fields = getattr(returned, "_fields", None) if isinstance(returned, tuple) else None
    if len(outputs) == 1 and fields is None:
        row: tuple[Any, ...] = (returned,)
    elif isinstance(returned, tuple) and len(returned) == len(outputs):
        row = returned
    else:
        names = ", ".join(socket.name for socket in outputs)
        raise WrongResult(_wrong(spec, "", f"a tuple of {names}", returned))
    return {s.name: _checked(spec, s, value) for s, value in zip(outputs, row, strict=True)}


def make_result(
    values: Mapping[str, Data],
    seconds: float,
    remembers: bool,
    saved: tuple[Saved, ...] = (),
    preview: bytes = b"",
    check: Callable[[], None] = lambda: None,
) -> Result:
    """A result of checked values; digests and sizes are taken only where they are remembered.
    ``check`` is called meanwhile, and may raise."""
    if not remembers:
        words = {name: summary(value) for name, value in values.items()}
        return Result(MappingProxyType(dict(values)), {}, words, seconds, 0, saved, preview)
    digests, words, size = {}, {}, len(preview)
    for name, value in values.items():
        digests[name] = result_digest(value, check)
        words[name] = summary(value)
        size += sys.getsizeof(value) if isinstance(value, _SMALL) else nbytes(value)
    return Result(MappingProxyType(dict(values)), digests, words, seconds, size, saved, preview)


def _checked(spec: NodeSpec, socket: Socket, value: Any) -> Data:
    if socket.arity == "list":
        if not isinstance(value, list | tuple):
            wanted = f"a list ({type_title(socket.type)} each)"
            raise WrongResult(_wrong(spec, socket.name, wanted, value))
        return [_single(spec, socket, item) for item in value]
    return _single(spec, socket, value)


def _single(spec: NodeSpec, socket: Socket, value: Any) -> Data:
    if isinstance(value, np.generic):
        value = value.item()
    kind = socket.type
    if kind == "Number":
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind == "Integer":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind == "Text":
        if isinstance(value, str):
            return value
    elif kind == "Boolean":
        if isinstance(value, bool):
            return value
    elif is_generic(kind):
        if isinstance(value, list | str | int | float) or _travels(value):
            return value
    elif _travels(value) and type(value).__name__ == kind:
        return value
    raise WrongResult(_wrong(spec, socket.name, type_title(kind), value))


def _travels(value: Any) -> bool:
    return isinstance(value, Value) and KINDS.get(type(value).__name__) is type(value)


def _wrong(spec: NodeSpec, output: str, wanted: str, value: Any) -> str:
    where = f" as {output}" if output else ""
    got = "nothing" if value is None else f"a {type(value).__name__}"
    said = f"{spec.title} should give {wanted}{where}, but returned {got}."
    return said + " This is a fault of the node."
