"""Parameters as people type them: which one a name means, and what value a text is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.graph.document import Graph, Node, Workflow, node_at
from backend.graph.near import near
from backend.graph.shape import SUBGRAPH
from backend.graph.spec import NodeSpec, Param

Specs = Mapping[str, NodeSpec]

_MOST_TEXT = 1_000_000
_YES_NO = {"true": True, "yes": True, "on": True, "1": True,
           "false": False, "no": False, "off": False, "0": False}  # fmt: skip


class Untypable(Exception):
    """What is typed for a parameter cannot be: ``name`` is how it was called, ``said`` a sentence
    that tells why."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"{name}: {said}")
        self.name = name
        self.said = said


@dataclass(frozen=True, slots=True)
class Setting:
    """What a parameter gets: the node by its ids from the outermost zone inwards, and the value.

    ``file`` is the file or folder that the value names, where it was found by the text alone.
    """

    path: tuple[str, ...]
    param: str
    value: Any
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Which parameter a name means: the node as in ``Setting``, and what is declared of it."""

    path: tuple[str, ...]
    param: str
    spec: Param


@dataclass(frozen=True, slots=True)
class Files:
    """What a typed path is relative to: the folder ``here`` if the file is there, or else ``base``,
    that of the workflow. ``models`` are the names of models that are no paths."""

    here: Path
    base: Path
    models: Collection[str] = ()


def find_param(workflow: Workflow, specs: Specs, name: str) -> Place:
    """What ``NODE.PARAM``, or the name of an exposed parameter, speaks of.

    Raises:
        Untypable: there is no such parameter, or a link feeds it.
    """
    path, param = _place(workflow, name)
    node = _node_at(workflow, path, name)
    spec = param_spec(workflow, specs, node, param, name)
    if param in node.inputs:
        fed = node.inputs[param]
        raise Untypable(name, f"this parameter is fed by a link from {fed}; set that.")
    return Place(path, param, spec)


def setting_at(place: Place, text: str, name: str, files: Files) -> Setting:
    """What ``text`` means for a parameter.

    Raises:
        Untypable: it means nothing there, or a value outside the parameter's limits.
    """
    found = _named(place.spec, text, files)
    if found is not None:
        return Setting(place.path, place.param, _relative(found, files.base), found)
    return Setting(place.path, place.param, read_value(place.spec, text, name))


def _named(spec: Param, value: str, files: Files) -> Path | None:
    """The file or folder below ``here`` that a value names, if it names one."""
    if spec.kind not in ("file", "folder", "model") or not value:
        return None
    if spec.kind == "model" and value in files.models:
        return None
    try:
        path = (files.here / value).absolute()
        return path if path.exists() else None
    except (OSError, ValueError):  # no path of this system, such as one with a NUL
        return None


def _relative(path: Path, base: Path) -> str:
    """A path as the workflow writes it: relative to its folder where it lies below that."""
    inside = path.is_relative_to(base)
    return path.relative_to(base).as_posix() if inside else path.as_posix()


def _place(workflow: Workflow, name: str) -> tuple[tuple[str, ...], str]:
    node, dot, param = name.partition(".")
    if dot:
        return tuple(node.split("/")), param
    if name in workflow.expose:
        exposed = workflow.expose[name]
        return tuple(exposed.node.split("/")), exposed.param
    hint = near(name, [*workflow.expose, *workflow.graph.nodes])
    if name in workflow.graph.nodes:
        hint = f" {name} is a node: write {name}.PARAM=VALUE."
    raise Untypable(name, f"the workflow exposes no parameter of this name.{hint}")


def _node_at(workflow: Workflow, path: Sequence[str], name: str) -> Node:
    graph, node, walked = workflow.graph, None, ""
    for part in path:
        if part not in graph.nodes:
            where = f"in {walked}" if walked else "in the workflow"
            hint = near(part, graph.nodes)
            raise Untypable(name, f"there is no node {part} {where}.{hint}")
        node = graph.nodes[part]
        graph = node.body or Graph()
        walked = f"{walked}/{part}" if walked else part
    if node is None:
        raise Untypable(name, "name a node before the dot.")
    return node


def param_spec(workflow: Workflow, specs: Specs, node: Node, param: str, name: str) -> Param:
    """The declaration of a parameter, through subgraphs to the node that has it.

    Raises:
        Untypable: there is no such parameter, or its node type is missing.
    """
    seen: set[tuple[str, str]] = set()
    while node.type.startswith(SUBGRAPH):
        if (node.type, param) in seen:
            raise Untypable(name, "the subgraphs around it contain themselves.")
        seen.add((node.type, param))
        subgraph = workflow.subgraphs.get(node.type.removeprefix(SUBGRAPH))
        if subgraph is None:
            raise Untypable(name, f"the workflow has no {node.type}.")
        exposed = subgraph.params.get(param)
        inner = None if exposed is None else node_at(subgraph.graph, exposed.node)
        if exposed is None or inner is None:
            hint = near(param, subgraph.params)
            raise Untypable(name, f"{node.type} exposes no parameter {param}.{hint}")
        node, param = inner, exposed.param
    spec = specs.get(node.type)
    if spec is None:
        raise Untypable(name, f"its node type {node.type} is missing.{near(node.type, specs)}")
    found = spec.param(param)
    if found is None:
        known = [p.name for p in spec.params]
        hint = near(param, known) or (f" It has {', '.join(known)}." if known else "")
        raise Untypable(name, f"{node.type} has no parameter {param}.{hint}")
    return found


def read_value(spec: Param, text: str, name: str) -> Any:
    """The value that ``text`` means for a parameter of this kind.

    Raises:
        Untypable: it means none, or one outside the parameter's limits.
    """
    readers: Mapping[str, Callable[[Param, str], Any]] = {
        "number": _number,
        "integer": _integer,
        "seed": _seed,
        "boolean": _boolean,
        "choice": _choice,
        "color": _color,
        "values": _values,
        "boxes": _boxes,
    }
    try:
        return readers.get(spec.kind, _text)(spec, text)
    except ValueError as error:
        said = str(error)
        raise Untypable(name, f"{said}{'' if said.endswith('?') else '.'}") from None


def _text(_: Param, text: str) -> str:
    return text


def _number(spec: Param, text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return _within(spec, value)


def _integer(spec: Param, text: str) -> int:
    # Longer numbers are refused before they are read: that takes quadratic time.
    if len(text) > 40 or not text.strip().lstrip("+-").isdecimal():
        raise ValueError(f"{text[:40]!r} is not a whole number")
    return int(_within(spec, int(text)))


def _seed(spec: Param, text: str) -> int | str:
    return text if text == "random" else _integer(spec, text)


def _within(spec: Param, value: Any) -> Any:
    low, high = spec.minimum, spec.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{value:g} is outside {low:g} to {high:g}")
    return value


def _boolean(_: Param, text: str) -> bool:
    if text.lower() not in _YES_NO:
        raise ValueError(f"{text!r} is neither true nor false")
    return _YES_NO[text.lower()]


def _choice(spec: Param, text: str) -> str:
    if text not in spec.choices:
        hint = near(text, spec.choices)
        raise ValueError(f"{text!r} is none of {', '.join(spec.choices)}{hint and '.' + hint}")
    return text


def _color(_: Param, text: str) -> str:
    from backend.values import Color

    return Color.parse(text).hex()


def _values(_: Param, text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    fine = isinstance(found, list) and all(isinstance(v, str | int | float | bool) for v in found)
    if not fine or any(isinstance(v, float) and not math.isfinite(v) for v in found):
        raise ValueError(f"{text[:40]!r} is not a JSON list of numbers or texts, like [1, 2.5]")
    return list(found)


def _boxes(_: Param, text: str) -> list[Any]:
    """Boxes as JSON, or ``@FILE`` with such JSON in it."""
    from backend.values.layout import BadBoxes, read_boxes, write_boxes

    if text.startswith("@"):
        text = _contents(Path(text[1:]))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{text[:40]!r} is no JSON ({str(error)[:60]}); write "
            '[{"box": [0.1, 0.1, 0.4, 0.5], "caption": "a cat"}], or @FILE with such JSON'
        ) from None
    try:
        return write_boxes(read_boxes(found))
    except BadBoxes as error:
        raise ValueError(f"it {error}") from None


def _contents(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_MOST_TEXT + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ValueError(f"{path} cannot be read ({why})") from None
    if len(text) > _MOST_TEXT:
        raise ValueError(f"{path} is longer than the {_MOST_TEXT} characters that boxes take")
    return text
