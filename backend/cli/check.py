"""``weft check``: diagnostics of a workflow, without running it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.errors import DONE, INVALID
from backend.cli.flow import Flow, open_flow
from backend.cli.streams import Output

if TYPE_CHECKING:
    from backend.graph.check import Checked, Diagnostic


def check_flow(name: str, allowed: Sequence[Path], *, json: bool) -> int:
    """Show every diagnostic of a workflow; returns the exit status.

    Raises:
        Stop: the file is no workflow.
    """
    output = Output(json)
    flow = open_flow(name, allowed)
    checked = checked_flow(flow)
    show_diagnostics(output, checked.diagnostics)
    errors = sum(each.level == "error" for each in checked.diagnostics)
    others = len(checked.diagnostics) - errors
    steps = len(checked.flat.steps) if checked.flat is not None else 0
    output.record({"event": "checked", "ok": checked.ok, "errors": errors, "others": others})
    if checked.ok:
        output.line(f"{flow.path.name} has no errors ({counted(steps, 'step')}).")
    else:
        output.line(f"{flow.path.name} has {counted(errors, 'error')}.")
    return DONE if checked.ok else INVALID


def checked_flow(flow: Flow) -> Checked:
    """Check a workflow, asking the headers of the files that it may read."""
    from backend.engine.lookup import HeaderLookup
    from backend.graph.check import check

    return check(flow.workflow, flow.registry, HeaderLookup(flow.grants))


def show_diagnostics(output: Output, diagnostics: Iterable[Diagnostic]) -> None:
    """Show diagnostics, errors first."""
    order = {"error": 0, "warning": 1}
    for each in sorted(diagnostics, key=lambda one: order.get(one.level, 2)):
        output.line(f"{each.level} {each.code} at {each.place}: {each.sentence}")
        if each.fix:
            output.line(f"  {each.fix}")
        fields = {"level": each.level, "code": each.code, "place": each.place}
        output.record({"event": "diagnostic", **fields, "sentence": each.sentence, "fix": each.fix})


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
