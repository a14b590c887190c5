"""``--set``: parameters that the command line changes before a workflow runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from backend.cli.errors import USAGE, Stop
from backend.cli.places import built_in_models
from backend.graph.document import Graph, Node, Workflow
from backend.graph.typed import Files, Setting, Specs, Untypable, find_param, setting_at


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
    try:
        if not equals or not name:
            raise Untypable(text, "write NODE.PARAM=VALUE, like sample.steps=20.")
        return setting_at(find_param(workflow, specs, name), value, name, typed_files(base))
    except Untypable as wrong:
        raise Stop(f"--set {wrong}", USAGE) from None


def typed_files(base: Path) -> Files:
    """What paths on the command line are relative to: the current folder, or else the workflow's;
    and the built-in models."""
    return Files(Path.cwd(), base, built_in_models())


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
