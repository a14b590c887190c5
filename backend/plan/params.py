"""Parameters in the form in which a node's function gets them."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from backend.graph.params import canonical
from backend.graph.spec import NodeSpec, Param
from backend.values import Color
from backend.values.layout import BadBoxes, read_boxes


def namespace(spec: NodeSpec, params: Mapping[str, Any], **more: Any) -> SimpleNamespace:
    """Parameters as attributes, as hooks get them.

    A parameter that is not in ``params`` reads as ``None``; one that does not fit its kind stays
    as it is (the check says so).
    """
    values = {p.name: coerce(p, params[p.name]) if p.name in params else None for p in spec.params}
    return SimpleNamespace(**values, **more)


def coerce(param: Param, value: Any) -> Any:
    """A parameter's value as the node's function gets it: colours as ``Color``, lists as tuples,
    boxes as ``Box``."""
    if param.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if param.kind == "color" and isinstance(value, str):
        try:
            return Color.parse(value)
        except ValueError:
            return value
    if param.kind == "values" and isinstance(value, list | tuple):
        return tuple(float(v) if isinstance(v, int) else v for v in value)
    if param.kind == "boxes":
        try:
            return read_boxes(value)
        except BadBoxes:
            return value
    return value


def fit(param: Param, value: Any) -> Any:
    """A value that came by a link, as the node's function gets it.

    Raises:
        backend.graph.params.Unfit: it is out of range or of the wrong kind.
    """
    if param.kind == "color" and isinstance(value, Color):
        return value
    return coerce(param, canonical(param, value))
