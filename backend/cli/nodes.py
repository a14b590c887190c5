"""``weft nodes``: the node types and what each takes and gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from backend.cli.errors import near, wrong_usage
from backend.cli.flow import node_types
from backend.cli.streams import Output
from backend.graph.spec import NodeSpec, Param, Socket
from backend.graph.types import title


def show_nodes(name: str | None, *, json: bool) -> None:
    """List all node types by category, or explain one.

    Raises:
        Stop: there is no node type of this name.
    """
    specs = node_types().specs
    output = Output(json)
    if name is not None and name not in specs:
        known = {**specs, **{alias: spec for spec in specs.values() for alias in spec.aliases}}
        hint = near(name, known) or " `weft nodes` lists them all."
        raise wrong_usage(f"There is no node type {name}.{hint}")
    chosen = specs.values() if name is None else [specs[name]]
    for spec in chosen:
        output.record(dataclasses.asdict(spec))
    if name is None:
        _list(output, specs)
    else:
        _explain(output, specs[name])


def _list(output: Output, specs: Mapping[str, NodeSpec]) -> None:
    width = max((len(name) for name in specs), default=0)
    ordered = sorted(specs.values(), key=lambda spec: (spec.category, spec.type))
    category = ""
    for spec in ordered:
        if spec.category != category:
            output.line(f"{'' if not category else chr(10)}{spec.category}")
            category = spec.category
        output.line(f"  {spec.type:{width}}  {first_sentence(spec.help)}")


def first_sentence(text: str) -> str:
    """The first line of a help text, without what follows its first full stop."""
    line = text.strip().split("\n", 1)[0]
    return line.split(". ", 1)[0].rstrip(".")


def _explain(output: Output, spec: NodeSpec) -> None:
    output.line(f"{spec.title} ({spec.type}, version {spec.version}) in {spec.category}")
    output.line()
    output.line(spec.help)
    for heading, rows in (
        ("Inputs", [_socket(socket) for socket in spec.inputs]),
        ("Parameters", [_param(param) for param in spec.params]),
        ("Outputs", [_socket(socket) for socket in spec.outputs]),
    ):
        if rows:
            width = max(len(name) for name, _ in rows)
            output.line(f"\n{heading}")
            for name, text in rows:
                output.line(f"  {name:{width}}  {text}")


_ARITIES: Mapping[str, str] = {
    "one": "{}",
    "list": "list of {}",
    "many": "any number of {}",
    "named": "{} by name",
}


def _socket(socket: Socket) -> tuple[str, str]:
    kind = _ARITIES[socket.arity].format(title(socket.type))
    return socket.name, kind + (", may stay open" if socket.optional else "")


def _param(param: Param) -> tuple[str, str]:
    text: str = param.kind
    if param.choices:
        text = "one of " + ", ".join(param.choices)
    elif param.minimum is not None and param.maximum is not None:
        text += f" from {param.minimum:.15g} to {param.maximum:.15g}"
    return param.name, f"{text}; {_shown(param.default)} by default"


def _shown(value: object) -> str:
    if isinstance(value, str):
        short = value if len(value) <= 60 else value[:57] + "..."
        return repr(short)
    return str(list(value) if isinstance(value, tuple) else value)
