"""``weft info``: what is in a workflow, or how an image was made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.cli.errors import FAILED, wrong_usage
from backend.cli.flow import find_flow, read_workflow
from backend.cli.params import inner_graphs
from backend.cli.pictures import embedded
from backend.cli.streams import Output, plain, put
from backend.graph.document import Workflow, node_at
from backend.graph.format import FormatError, dump, parse

LONGEST = 400
"""Characters of one value that are shown to people."""
LARGEST_SIDECAR = 1 << 26


def show_info(name: str, *, workflow: bool, json: bool) -> None:
    """Summarise a workflow file, or the provenance that an image or its sidecar carries.

    Raises:
        Stop: there is no such file, or it says nothing about Weft.
    """
    path = Path(name) if Path(name).exists() else find_flow(name)
    if path.is_dir():
        raise wrong_usage(f"{path} is a folder; name a workflow or an image.")
    output = Output(json)
    if path.suffix == ".json":
        provenance = _sidecar(path)
        if provenance is None:
            _show_workflow(output, read_workflow(path), text=workflow)
            return
    else:
        provenance = embedded(path, FAILED)
    if workflow:
        put(str(provenance.get("workflow", "")).rstrip("\n"))
        return
    output.record({"event": "provenance", **provenance})
    _show_provenance(output, provenance)


def _sidecar(path: Path) -> dict[str, Any] | None:
    """The provenance in a sidecar; None where the file is something else, such as a workflow."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_SIDECAR:
            return None
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return (
        found if isinstance(found, dict) and "workflow" in found and "weft" not in found else None
    )


def _show_workflow(output: Output, workflow: Workflow, *, text: bool) -> None:
    if text:
        put(dump(workflow).rstrip("\n"))
        return
    graphs = [workflow.graph, *(sub.graph for sub in workflow.subgraphs.values())]
    kinds = Counter(
        node.type
        for graph in graphs
        for each in inner_graphs(graph)
        for node in each.nodes.values()
    )
    exposed = _exposed(workflow)
    output.record(
        {
            "event": "workflow",
            "title": workflow.title,
            "about": workflow.about,
            "nodes": dict(sorted(kinds.items())),
            "subgraphs": sorted(workflow.subgraphs),
            "exposed": exposed,
            "models": [{"name": m.name, "hash": m.hash} for m in workflow.models],
        }
    )
    output.line(workflow.title or "(without a title)")
    if workflow.about:
        output.line(workflow.about)
    _rows(output, "Parameters", exposed)
    _rows(output, "Models", {m.name: m.hash or "any" for m in workflow.models})
    _rows(output, "Nodes", kinds)
    _rows(output, "Subgraphs", {name: sub.title for name, sub in workflow.subgraphs.items()})


def _show_provenance(output: Output, provenance: Mapping[str, Any]) -> None:
    try:
        workflow = parse(str(provenance.get("workflow", "")), "the embedded workflow")
    except FormatError as error:
        output.line(f"The workflow in it cannot be read: {error.sentence}")
        workflow = Workflow()
    if workflow.title:
        output.line(plain(workflow.title))
    _rows(output, "Parameters", _exposed(workflow))
    for heading, key in (
        ("Seeds", "seeds"),
        ("Models", "models"),
        ("Files", "files"),
        ("Nodes", "nodes"),
        ("Versions", "versions"),
        ("Numerics", "numerics"),
    ):
        found = provenance.get(key)
        if isinstance(found, list):
            found = {str(number): each for number, each in enumerate(found, 1)}
        _rows(output, heading, found if isinstance(found, dict) else {})
    if "node" in provenance:
        output.line(f"\nSaved by {plain(str(provenance['node']))}")
    if isinstance(provenance.get("made"), str):
        output.line(f"Made at {plain(provenance['made'])}")
    if isinstance(provenance.get("seconds"), int | float):
        output.line(f"Made in {provenance['seconds']:.1f} s")


def _exposed(workflow: Workflow) -> dict[str, Any]:
    """The exposed parameters and what they are set to; ``default`` where the file says nothing."""
    found: dict[str, Any] = {}
    for name, exposed in workflow.expose.items():
        node = node_at(workflow.graph, exposed.node)
        if node is not None:
            found[name] = node.params.get(exposed.param, "default")
    return found


def _rows(output: Output, heading: str, rows: Mapping[str, Any]) -> None:
    if not rows:
        return
    width = min(40, max(len(name) for name in rows))
    output.line(f"\n{heading}")
    for name, value in rows.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        short = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
        output.line(f"  {plain(name):{width}}  {plain(' '.join(short.split()))}")
