"""``--set``: parameters that the command line changes before a workflow runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backend.cli.errors import USAGE, Stop, near
from backend.cli.places import built_in_models
from backend.graph.document import Graph, Node, Workflow, node_at
from backend.graph.spec import NodeSpec, Param

Specs = Mapping[str, NodeSpec]

SUBGRAPH = "subgraph:"
_YES_NO = {"true": True, "yes": True, "on": True, "1": True,
           "false": False, "no": False, "off": False, "0": False}  # fmt: skip


class WrongSetting(Stop):
    """What is said of a parameter cannot be; ``said`` tells why without what it was read from."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"--set {name}: {said}", USAGE)
        self.said = said


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``--set``: the node by its ids from the outermost zone inwards, and what it gets."""

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


def set_params(
    workflow: Workflow, specs: Specs, settings: Sequence[str], base: Path
) -> tuple[Workflow, tuple[Path, ...]]:
    """The workflow with every ``NODE.PARAM=VALUE`` of ``settings`` in it, later ones winning.

    ``NODE`` may be a path into zones (``loop/blur``), and an exposed parameter is named alone. A
    file or folder is relative to the current folder, or else to ``base``, the workflow's folder.
    Also returned are the files that were named this way, which the user has thereby granted.

    Raises:
        Stop: a setting is malformed, names something that is not there, or has a wrong value.
    """
    granted: list[Path] = []
    for text in settings:
        setting = read_setting(workflow, specs, text, base)
        workflow = _with_param(workflow, setting)
        if setting.file is not None:
            granted.append(setting.file)
    return workflow, tuple(granted)


def read_setting(workflow: Workflow, specs: Specs, text: str, base: Path) -> Setting:
    """Find what one ``--set`` speaks of and read its value by the parameter's kind.

    Raises:
        Stop: see ``set_params``.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise WrongSetting(text, "write NODE.PARAM=VALUE, like sample.steps=20.")
    return setting_at(find_param(workflow, specs, name), value, name, base)


def find_param(workflow: Workflow, specs: Specs, name: str) -> Place:
    """What ``NODE.PARAM``, or the name of an exposed parameter, speaks of.

    Raises:
        WrongSetting: there is no such parameter, or a link feeds it.
    """
    path, param = _place(workflow, name)
    node = _node_at(workflow, path, name)
    spec = param_spec(workflow, specs, node, param, name)
    if param in node.inputs:
        fed = node.inputs[param]
        raise WrongSetting(name, f"this parameter is fed by a link from {fed}; set that.")
    return Place(path, param, spec)


def setting_at(place: Place, text: str, name: str, base: Path) -> Setting:
    """What ``text`` means for a parameter; see ``set_params`` for files and ``base``.

    Raises:
        WrongSetting: it means nothing there, or a value outside the parameter's limits.
    """
    found = _named(place.spec, text)
    if found is not None:
        return Setting(place.path, place.param, _relative(found, base), found)
    return Setting(place.path, place.param, read_value(place.spec, text, name))


def _named(spec: Param, value: str) -> Path | None:
    """The file or folder of the current folder that a value names, if it names one."""
    if spec.kind not in ("file", "folder", "model") or not value:
        return None
    if spec.kind == "model" and value in built_in_models():
        return None
    path = Path(value).absolute()
    return path if path.exists() else None


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
    raise WrongSetting(name, f"the workflow exposes no parameter of this name.{hint}")


def _node_at(workflow: Workflow, path: Sequence[str], name: str) -> Node:
    graph, node, walked = workflow.graph, None, ""
    for part in path:
        if part not in graph.nodes:
            where = f"in {walked}" if walked else "in the workflow"
            hint = near(part, graph.nodes)
            raise WrongSetting(name, f"there is no node {part} {where}.{hint}")
        node = graph.nodes[part]
        graph = node.body or Graph()
        walked = f"{walked}/{part}" if walked else part
    if node is None:
        raise WrongSetting(name, "name a node before the dot.")
    return node


def param_spec(workflow: Workflow, specs: Specs, node: Node, param: str, name: str) -> Param:
    """The declaration of a parameter, through subgraphs to the node that has it.

    Raises:
        Stop: there is no such parameter, or its node type is missing.
    """
    seen: set[tuple[str, str]] = set()
    while node.type.startswith(SUBGRAPH):
        if (node.type, param) in seen:
            raise WrongSetting(name, "the subgraphs around it contain themselves.")
        seen.add((node.type, param))
        subgraph = workflow.subgraphs.get(node.type.removeprefix(SUBGRAPH))
        if subgraph is None:
            raise WrongSetting(name, f"the workflow has no {node.type}.")
        exposed = subgraph.params.get(param)
        inner = None if exposed is None else node_at(subgraph.graph, exposed.node)
        if exposed is None or inner is None:
            hint = near(param, subgraph.params)
            raise WrongSetting(name, f"{node.type} exposes no parameter {param}.{hint}")
        node, param = inner, exposed.param
    spec = specs.get(node.type)
    if spec is None:
        raise WrongSetting(name, f"its node type {node.type} is missing.{near(node.type, specs)}")
    found = spec.param(param)
    if found is None:
        known = [p.name for p in spec.params]
        hint = near(param, known) or (f" It has {', '.join(known)}." if known else "")
        raise WrongSetting(name, f"{node.type} has no parameter {param}.{hint}")
    return found


def read_value(spec: Param, text: str, name: str) -> Any:
    """The value that ``text`` means for a parameter of this kind.

    Raises:
        Stop: it means none, or one outside the parameter's limits.
    """
    readers: Mapping[str, Callable[[Param, str], Any]] = {
        "number": _number,
        "integer": _integer,
        "seed": _seed,
        "boolean": _boolean,
        "choice": _choice,
        "color": _color,
        "values": _values,
    }
    try:
        return readers.get(spec.kind, _text)(spec, text)
    except ValueError as error:
        said = str(error)
        raise WrongSetting(name, f"{said}{'' if said.endswith('?') else '.'}") from None


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


def _with_param(workflow: Workflow, setting: Setting) -> Workflow:
    chain: list[Node] = []
    graph = workflow.graph
    for part in setting.path:
        chain.append(graph.nodes[part])
        graph = chain[-1].body or Graph()
    params = MappingProxyType({**chain[-1].params, setting.param: setting.value})
    node = replace(chain[-1], params=params)
    for outer, part in zip(reversed(chain[:-1]), reversed(setting.path[1:]), strict=True):
        body = outer.body or Graph()
        node = replace(outer, body=replace(body, nodes=_put(body.nodes, part, node)))
    return workflow.with_node(setting.path[0], node)


def _put(nodes: Mapping[str, Node], key: str, node: Node) -> Mapping[str, Node]:
    return MappingProxyType({**nodes, key: node})


def inner_graphs(graph: Graph) -> Iterator[Graph]:
    """A graph and all zone bodies in it, each before those inside it."""
    todo = [graph]
    while todo:
        each = todo.pop()
        yield each
        todo.extend(node.body for node in each.nodes.values() if node.body is not None)
