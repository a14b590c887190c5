"""``weft run --isolated``: the run takes place in a process of its own, which may die."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.flow import Flow
from backend.cli.streams import tell
from backend.graph.document import Workflow

if TYPE_CHECKING:
    from backend.engine.cancel import Cancel
    from backend.engine.client import HostClient, JobOutcome
    from backend.engine.engine import RunResult
    from backend.engine.events import Event
    from backend.engine.wire import RunJob


def order_of(
    flow: Flow, workflow: Workflow, out: Path, only: tuple[str, ...], seed: int | None, cache: bool
) -> RunJob:
    """The job for a host; the arguments are as for a run in this process."""
    from backend.engine.wire import RunJob
    from backend.graph.format import dump

    return RunJob(
        id=secrets.token_hex(8),
        workflow=dump(workflow),
        base=str(flow.grants.base.absolute()),
        grants=tuple(str(root.absolute()) for root in flow.grants.roots),
        output=str(out.absolute()),
        only=only,
        seed=seed,
        use_cache=cache,
    )


def run_apart(
    client: HostClient, job: RunJob, on_event: Callable[[Event], None], cancel: Cancel
) -> RunResult:
    """Run a job in a host. A crash is a failure, which is told here where it is no step's."""
    from backend.engine.engine import RunResult

    outcome = client.run(job, on_event, cancel)
    crash = outcome.crash
    if crash is not None and (outcome.status == "cancelled" or not crash.steps):
        tell(crash.cause)
    if outcome.error is not None:
        tell(outcome.error.sentence)
        if outcome.error.trace:
            _log(outcome.error.trace)
    return RunResult(
        status="failed" if outcome.status == "crashed" else outcome.status,
        values=_texts(client, job, outcome),
        failures=outcome.failures,
        saved=outcome.saved,
        kept=outcome.kept,
        seconds=outcome.seconds,
        seeds=outcome.seeds,
        diagnostics=outcome.diagnostics,
    )


def _texts(client: HostClient, job: RunJob, outcome: JobOutcome) -> Mapping[str, dict[str, Any]]:
    """The outputs of a run that a command shows; the others stay where they are."""
    from backend.engine.client.values import NoValue

    found: dict[str, dict[str, Any]] = {}
    for step, output, kind in outcome.outputs:
        held = found.setdefault(step, {})
        if kind not in ("str", "list[str]"):
            held[output] = None
            continue
        try:
            held[output] = client.value(job.id, step, output)
        except NoValue as error:
            tell(f"{step}.{output} cannot be shown. {error}")
    return found


def _log(trace: str) -> None:
    from backend.cli.guard import write_log

    log = write_log(trace)
    if log is not None:
        tell(f"The details are in {log}.")
