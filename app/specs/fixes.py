"""What can be done about a diagnostic by one press: a title for the button, and an edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from app.document.edits.bridge import Bridges
from app.document.edits.insert import insert_chain
from app.document.edits.kinds import input_end, output_end
from app.document.edits.nodes import remove_nodes
from app.document.level import Link, graph_of, links_into, node_at, put_graph, put_node
from app.document.session import Change
from app.labels import figure, label
from app.specs.book import SpecBook
from app.specs.places import Place, place_of
from app.words import tr
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import BOUNDARY, Input, Node, Ref, Workflow
from backend.graph.params import Unfit, canonical
from backend.graph.spec import Param


@dataclass(frozen=True)
class Fix:
    """``title`` says what pressing does; ``change`` is given to ``OpenDocument.edit``."""

    title: str
    change: Change


Maker: TypeAlias = Callable[[Workflow, Place, SpecBook], Fix | None]


def fix_for(diagnostic: Diagnostic, workflow: Workflow, book: SpecBook) -> Fix | None:
    """The fix of a diagnostic of this very document, ``None`` where there is none to offer."""
    maker = _MAKERS.get(diagnostic.code)
    if maker is None:
        return None
    try:
        return maker(workflow, place_of(diagnostic.place), book)
    except (LookupError, ValueError):  # the diagnostic is of an older state of the document
        return None


def _unlink(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    name, _, key = place.name.partition(".")
    if place.part != "inputs" or name not in _node(workflow, place).inputs:
        return None

    def change(node: Node) -> Node:
        inputs = dict(node.inputs)
        left = _without(inputs.pop(name), key)
        return replace(node, inputs=MappingProxyType({**inputs, **({name: left} if left else {})}))

    return Fix(tr("Remove the link"), _on_node(place, change))


def _keep_first(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    given = _node(workflow, place).inputs.get(place.name)
    if not isinstance(given, tuple) or not given:
        return _unlink(workflow, place, book)
    inputs = MappingProxyType({**_node(workflow, place).inputs, place.name: given[0]})
    return Fix(
        tr("Keep the first link"), _on_node(place, lambda node: replace(node, inputs=inputs))
    )


def _drop_param(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    if place.name not in _node(workflow, place).params:
        return None
    return Fix(
        tr("Remove {name}", name=label(place.name)),
        _on_node(place, lambda node: _with_params(node, place.name)),
    )


def _nearest_value(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    """The nearest value that is allowed, else the default."""
    if place.part == "inputs":
        return _unlink(workflow, place, book)
    node = _node(workflow, place)
    spec = book.spec_of(workflow, node)
    param = spec.param(place.name) if spec is not None else None
    if param is None or place.name not in node.params:
        return None
    near = _near(param, node.params[place.name])
    if near is None:
        words = tr("Use the default")
        return Fix(words, _on_node(place, lambda node: _with_params(node, place.name)))
    words = tr("Use {value}", value=figure(near))
    return Fix(words, _on_node(place, lambda node: _with_params(node, place.name, near)))


def _bridge(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    """Nodes between the ends of a link whose types do not fit, else no link."""
    name, _, key = place.name.partition(".")
    wanted = [
        link
        for link in links_into(graph_of(workflow, place.level), place.node)
        if link.input == name and (not key or str(link.key) == key)
    ]
    if len(wanted) != 1:
        return _unlink(workflow, place, book)
    link: Link = wanted[0]
    given = output_end(workflow, place.level, link.source, link.output, book.spec_of)
    end = input_end(workflow, place.level, link.target, link.input, book.spec_of)
    chain = Bridges(book.specs).between(given.type, end.type) if end is not None else ()
    if not chain:
        return _unlink(workflow, place, book)
    titles = " + ".join(book.specs[step.type].title for step in chain)
    return Fix(
        tr("Insert {nodes}", nodes=titles),
        lambda now: insert_chain(now, place.level, link, chain, book.specs, book.spec_of),
    )


def _repeat_lists(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    _node(workflow, place)
    words = tr("Repeat the shorter list")
    return Fix(words, _on_node(place, lambda node: replace(node, each="repeat")))


def _plain_each(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    _node(workflow, place)
    words = tr("Take it out")
    return Fix(words, _on_node(place, lambda node: replace(node, each="zip")))


def _no_body(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    _node(workflow, place)
    words = tr("Take the inside out")
    return Fix(words, _on_node(place, lambda node: replace(node, body=None)))


def _give_back(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    """Carried values that the body does not give go on as they came."""
    carried = _node(workflow, place).inputs.get("carry")
    body = _node(workflow, place).body
    if body is None or not isinstance(carried, Mapping):
        return None
    missing = {name: Ref(BOUNDARY, name) for name in carried if name not in body.outputs}
    if not missing:
        return None
    outputs = MappingProxyType({**body.outputs, **missing})

    def change(node: Node) -> Node:
        return replace(node, body=replace(node.body, outputs=outputs)) if node.body else node

    return Fix(tr("Pass it on unchanged"), _on_node(place, change))


def _remove_node(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    _node(workflow, place)
    words = tr("Remove the node")
    return Fix(words, lambda now: remove_nodes(now, place.level, (place.node,), book.spec_of))


def _hide(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    """Take out of what is shown outside what is not there."""
    name, words = place.name, tr("Take it out of the list")
    if place.level and place.part == "params":
        subgraph = workflow.subgraphs[place.level]
        left = MappingProxyType({k: v for k, v in subgraph.params.items() if k != name})
        made = MappingProxyType({**workflow.subgraphs, place.level: replace(subgraph, params=left)})
        return Fix(words, lambda now: replace(now, subgraphs=made))
    if place.part != "expose" or name not in workflow.expose:
        return None
    left = MappingProxyType({k: v for k, v in workflow.expose.items() if k != name})
    return Fix(words, lambda now: replace(now, expose=left))


def _unlist_model(workflow: Workflow, place: Place, book: SpecBook) -> Fix | None:
    index = int(place.name)
    if not 0 <= index < len(workflow.models):
        return None
    left = (*workflow.models[:index], *workflow.models[index + 1 :])
    return Fix(tr("Take it out of the list"), lambda now: replace(now, models=left))


_MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "W109": _no_body,
        "W201": _drop_param,
        **dict.fromkeys(("W202", "W203", "W204", "W205", "W206"), _nearest_value),
        **dict.fromkeys(("W207", "W302", "W303", "W304", "W307", "W309", "W313"), _unlink),
        "W208": _hide,
        "W305": _bridge,
        "W306": _keep_first,
        "W311": _repeat_lists,
        "W314": _plain_each,
        "W402": _remove_node,
        "W405": _unlist_model,
        "W501": _give_back,
    }
)


def _node(workflow: Workflow, place: Place) -> Node:
    """The node of a place.

    Raises:
        KeyError: it is not there.
    """
    return node_at(graph_of(workflow, place.level), place.node)


def _on_node(place: Place, change: Callable[[Node], Node]) -> Change:
    def made(now: Workflow) -> Workflow:
        graph = graph_of(now, place.level)
        node = change(node_at(graph, place.node))
        return put_graph(now, place.level, put_node(graph, place.node, node))

    return made


def _with_params(node: Node, name: str, value: object = None) -> Node:
    """The node with one parameter set, or at its default."""
    left = {key: one for key, one in node.params.items() if key != name}
    if value is not None:
        left[name] = value
    return replace(node, params=MappingProxyType(left))


def _near(param: Param, value: object) -> int | float | None:
    """The nearest number in the range, ``None`` where the value is none or is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    number = value
    if param.minimum is not None and number < param.minimum:
        number = param.minimum
    if param.maximum is not None and number > param.maximum:
        number = param.maximum
    if param.kind in ("integer", "seed") and abs(number) < 2**63:
        number = round(number)
    try:
        found: int | float = canonical(param, number)  # of a number it is one
        return found
    except Unfit:
        return None


def _without(given: Input, key: str) -> Input | None:
    """An input without the link of a key, or without any where none is named."""
    if isinstance(given, tuple) and not isinstance(given, Ref) and key.isdigit():
        return tuple(ref for index, ref in enumerate(given) if index != int(key)) or None
    if isinstance(given, Mapping) and key:
        return MappingProxyType({name: ref for name, ref in given.items() if name != key}) or None
    return None
