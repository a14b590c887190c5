"""``weft plan``: what a run would do, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from backend.cli.check import counted, show_diagnostics
from backend.cli.errors import DONE, INVALID
from backend.cli.flow import open_flow
from backend.cli.places import user_settings
from backend.cli.run import Wish, make_engine
from backend.cli.streams import Output


def plan_flow(name: str, allowed: Sequence[Path], *, json: bool) -> int:
    """Show the plan of a workflow; returns the exit status.

    Raises:
        Stop: the file is no workflow.
    """
    output = Output(json)
    flow = open_flow(name, allowed)
    engine = make_engine(flow, Wish.of(user_settings()), "cpu")
    try:
        checked = engine.check(flow.workflow)
        if not checked.ok:
            show_diagnostics(output, [one for one in checked.diagnostics if one.level == "error"])
            return INVALID
        plan = engine.plan(flow.workflow)
    finally:
        engine.close()
        engine.cache.close()
    width = max((len(step.id) for step in plan.steps), default=0)
    for number, step in enumerate(plan.steps, 1):
        output.record({"event": "planned", "order": number, **msgspec.to_builtins(step)})
        row = f"{number:4}  {step.id:{width}}  {step.type:20} {step.lane:7} {step.status:9}"
        output.line(f"{row} {step.why}")
    counts = {"run": plan.run, "maybe": plan.maybe, "left out": plan.left_out}
    output.record(
        {"event": "plan", "run": plan.run, "maybe": plan.maybe, "left_out": plan.left_out}
    )
    said = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    output.line(f"{counted(len(plan.steps), 'step')}: {said or 'nothing to do'}.")
    return DONE
