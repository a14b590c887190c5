"""Random documents, and a naive interpreter that says what they should give."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

OUTPUT = {
    "number": "number",
    "row": "integers",
    "add": "number",
    "clip": "number",
    "total": "number",
    "collect": "number",
    "fail_if": "number",
    "choose": "value",
    "repeat": "x",
    "for_each": "out",
}
LENGTH = 3


class Broken(Exception):
    """The step failed; its argument is the step."""


@dataclass
class Drawn:
    """One node: its type, its parameters and the numbers of its sources."""

    kind: str
    params: dict[str, Any]
    sources: list[int] = field(default_factory=list)
    is_list: bool = False


small = st.integers(-3, 3).map(float)


@st.composite
def graphs(draw: st.DrawFn, failing: bool = True, largest: int = 12) -> list[Drawn]:
    """A list of nodes; each has sources before it, and lists only where the type takes them."""
    nodes = [Drawn("number", {"value": draw(small)}), Drawn("row", _row(draw), [], True)]
    kinds = [kind for kind in OUTPUT if failing or kind != "fail_if"]
    for _ in range(draw(st.integers(1, largest))):
        kind = draw(st.sampled_from(kinds))
        single = [i for i, n in enumerate(nodes) if not n.is_list]
        lists = [i for i, n in enumerate(nodes) if n.is_list]
        nodes.append(_node(draw, kind, single, lists, nodes))
    return nodes


def _row(draw: st.DrawFn) -> dict[str, Any]:
    return {"count": LENGTH, "first": draw(st.integers(-2, 2))}


def _node(
    draw: st.DrawFn, kind: str, single: list[int], lists: list[int], nodes: list[Drawn]
) -> Drawn:
    one, some, any_one = (
        st.sampled_from(single), st.sampled_from(lists), st.sampled_from(range(len(nodes)))
    )  # fmt: skip
    if kind == "number":
        return Drawn(kind, {"value": draw(small)})
    if kind == "row":
        return Drawn(kind, _row(draw), [], True)
    if kind == "add":
        row = draw(st.lists(any_one, min_size=1, max_size=2))
        return Drawn(kind, {"by": draw(small)}, row, any(nodes[i].is_list for i in row))
    if kind == "clip":
        source = draw(any_one)
        return Drawn(kind, {"most": abs(draw(small))}, [source], nodes[source].is_list)
    if kind == "total":
        return Drawn(kind, {}, draw(st.lists(any_one, max_size=3)))
    if kind == "collect":
        return Drawn(kind, {}, [draw(some)])
    if kind == "fail_if":
        source = draw(any_one)
        return Drawn(kind, {"above": draw(small)}, [source], nodes[source].is_list)
    if kind == "choose":
        numbers = [i for i in lists if nodes[i].kind != "row"]  # both sides are of one type
        of = st.sampled_from(numbers) if numbers and draw(st.booleans()) else one
        row = [draw(of), draw(of)]
        return Drawn(kind, {"which": draw(st.booleans())}, row, nodes[row[0]].is_list)
    if kind == "repeat":
        return Drawn(kind, {"times": draw(st.integers(0, 3))}, [draw(one), draw(one)])
    return Drawn(kind, {}, [draw(some), draw(one)], True)


def as_file(nodes: list[Drawn]) -> dict[str, Any]:
    """The nodes as they stand in a file."""
    return {f"n{i}": _written(node, nodes) for i, node in enumerate(nodes)}


def _written(node: Drawn, nodes: list[Drawn]) -> dict[str, Any]:
    links = [f"n{i}.{OUTPUT[nodes[i].kind]}" for i in node.sources]
    names = {
        "add": ("left", "right"), "clip": ("number",), "collect": ("items",),
        "fail_if": ("number",), "choose": ("yes", "no"),
    }  # fmt: skip
    made: dict[str, Any] = {"type": node.kind, "params": node.params}
    if node.kind == "total":
        made["inputs"] = {"numbers": links}
    elif node.kind in ("repeat", "for_each"):
        name = "x" if node.kind == "repeat" else "item"
        group = "carry" if node.kind == "repeat" else "items"
        inner = {"type": "add", "inputs": {"left": f"$.{name}", "right": links[1]}}
        made["inputs"] = {group: {name: links[0]}}
        made["body"] = {"nodes": {"in": inner}, "outputs": {OUTPUT[node.kind]: "in.number"}}
    else:
        made["inputs"] = dict(zip(names.get(node.kind, ()), links, strict=False))
    return made


def interpret(nodes: list[Drawn]) -> tuple[dict[int, Any], set[int], set[int]]:
    """The values of the steps that run, the steps that fail, and those left out for a failure.

    Only what the ends need runs. This is as plain as can be: by recursion, without a memory beside
    the values themselves.
    """
    values: dict[int, Any] = {}
    failed: set[int] = set()
    skipped: set[int] = set()

    def get(i: int) -> Any:
        if i in failed or i in skipped:
            raise Broken
        if i not in values:
            try:
                given = [get(s) for s in _needed(nodes[i])]
            except Broken:
                for s in _needed(nodes[i]):  # a failure does not keep the other inputs from running
                    with suppress(Broken):
                        get(s)
                skipped.add(i)
                raise
            try:
                values[i] = _apply(nodes[i], given)
            except Broken:
                failed.add(i)
                raise
        return values[i]

    used = {s for node in nodes for s in node.sources}
    for i in range(len(nodes)):
        if i not in used:
            with suppress(Broken):
                get(i)
    return values, failed, skipped


def _needed(node: Drawn) -> list[int]:
    if node.kind == "choose":
        return [node.sources[0 if node.params["which"] else 1]]
    return node.sources


def _apply(node: Drawn, given: list[Any]) -> Any:
    if node.kind == "total":
        return float(sum(sum(v) if isinstance(v, list) else v for v in given))
    if node.kind == "collect":
        return float(sum(given[0]))
    if node.kind == "repeat":
        return given[0] + given[1] * node.params["times"]
    if node.kind == "for_each":
        return [item + given[1] for item in given[0]]
    if any(isinstance(v, list) for v in given):
        rows = [v if isinstance(v, list) else [v] * LENGTH for v in given]
        return [_call(node, list(row)) for row in zip(*rows, strict=True)]
    return _call(node, given)


def _call(node: Drawn, given: list[Any]) -> Any:
    if node.kind == "number":
        return node.params["value"]
    if node.kind == "row":
        return [node.params["first"] + n for n in range(LENGTH)]
    if node.kind == "add":
        return sum(given) + node.params["by"]
    if node.kind == "clip":
        return min(given[0], node.params["most"])
    if node.kind == "fail_if" and given[0] > node.params["above"]:
        raise Broken
    return given[0]
