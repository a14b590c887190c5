"""``weft queue add`` and ``weft queue run``: what goes into the queue, and working through it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cli.check import counted
from backend.cli.errors import CANCELLED, DONE, FAILED, Stop, near, wrong_usage
from backend.cli.flow import open_flow
from backend.cli.params import set_params
from backend.cli.places import SUFFIX, user_settings
from backend.cli.queue_show import job_record, the_queue
from backend.cli.run import check_output
from backend.cli.streams import Output, plain, put, tell

if TYPE_CHECKING:
    from backend.engine.cancel import Cancel
    from backend.engine.events import Event
    from backend.engine.queue.job import Ending, Job, State


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks to be queued."""

    sets: tuple[str, ...] = ()
    out: Path | None = None
    only: tuple[str, ...] = ()
    seed: int | None = None
    count: int = 1
    priority: int = 0
    title: str = ""


def add_flow(name: str, order: Order, allowed: Sequence[Path], *, json: bool) -> None:
    """Queue jobs of a workflow.

    Raises:
        Stop: what was asked cannot be, or the workflow has errors.
    """
    from backend.engine.lookup import HeaderLookup
    from backend.engine.queue.job import Draft
    from backend.engine.queue.submit import base_and_grants, checked, drafts
    from backend.settings import expanded

    output = Output(json)
    flow = open_flow(name, allowed)
    workflow, picked = set_params(flow.workflow, flow.registry.specs, order.sets, flow.grants.base)
    flow = flow.granting(picked)
    for node in order.only:
        if node.partition("/")[0] not in workflow.graph.nodes:
            hint = near(node, workflow.graph.nodes)
            raise wrong_usage(f"--only {node}: the workflow has no node of this name.{hint}")
    out = expanded(order.out or user_settings().folders.output)
    check_output(out)
    base, grants = base_and_grants(flow.grants.base, flow.grants.roots)
    title = order.title or workflow.title or flow.path.name.removesuffix(SUFFIX)
    draft = Draft("", base, os.path.realpath(out), grants, {}, order.only, title, order.priority)
    with the_queue(output) as queue:
        workflow = checked(workflow, flow.registry, HeaderLookup(flow.grants), order.only)
        specs = flow.registry.specs
        made = drafts(draft, workflow, specs, count=order.count, seed=order.seed)
        ids = queue.add(made)
        for number, each in zip(ids, made, strict=True):
            seeds = dict(each.seeds)
            output.record({"event": "queued", "id": number, "batch": ids[0], "seeds": seeds})
    span = f"job {ids[0]}" if len(ids) == 1 else f"{len(ids)} jobs, {ids[0]} to {ids[-1]}"
    output.line(f"Queued {span}: {plain(title)}. `weft queue run` works through the queue.")


def run_queue(
    device: str | None,
    memory: str | None,
    host_memory: str | None = None,
    *,
    wait: bool,
    json: bool,
) -> int:
    """Work through the queue in this process; returns the exit status.

    Raises:
        Stop: the queue or the host cannot be used.
    """
    from backend.cli.hosts import host_client
    from backend.cli.signals import stopping
    from backend.engine.cancel import Cancel
    from backend.engine.queue.runner import Runner

    flags = {"run.device": device, "run.memory": memory, "run.host_memory": host_memory}
    settings = user_settings(flags)
    output = Output(json)
    stop = Cancel()
    with the_queue(output) as queue, stopping(stop):
        runner = Runner(
            queue,
            lambda: host_client(settings),
            Report(output, stop),
            attempts=settings.queue.attempts,
        )
        counts = runner.work(stop, wait=wait)
        standing = queue.standing
    said = ", ".join(f"{number} {state}" for state, number in counts.items() if state != "queued")
    tell(f"Jobs: {said or 'none was run'}.")
    if standing.held:
        tell(f"{counted(standing.held, 'job')} paused; `weft queue resume ID` lets them go on.")
    if stop.is_set:
        return CANCELLED
    return FAILED if counts.get("failed") else DONE


class Report:
    """Says how the work goes on: a line when a job begins and ends, and the path of each file."""

    def __init__(self, output: Output, gone: Cancel) -> None:
        """``gone`` is called when nobody reads the output any more."""
        self._output = output
        self._gone = gone
        self._paused = False

    def begun(self, job: Job) -> None:
        """A job begins."""
        self._paused = False
        self._say(f"Job {job.id} {plain(job.title)} begins.", job_record(job))

    def event(self, job: Job, event: Event) -> None:
        """The path of a file that was saved, and what a step has to say."""
        from backend.cli.report import note
        from backend.engine.events import Note, SavedFile

        if isinstance(event, SavedFile):
            path = Path(job.output) / event.path
            self._record({"event": "saved", "job": job.id, "path": str(path), "hash": event.hash})
            if not self._output.json and not put(str(path)):
                self._gone()
        elif isinstance(event, Note) and not self._output.json:
            tell(note(event))

    def ended(self, job: Job, state: State, ending: Ending | None) -> None:
        """A job is over, or back in the line."""
        sentence = ending.sentence if ending is not None else ""
        took = f" in {ending.seconds:.1f} s" if ending is not None and ending.seconds else ""
        if state == "queued":
            said = f"Job {job.id} is queued again. {plain(sentence)}".rstrip()
        elif ending is None:
            said = f"Job {job.id} is {state}."
        else:
            said = f"Job {job.id} {state}{took}. {plain(sentence)}".rstrip()
        self._say(said, {"event": "ended", "job": job.id, "state": state, "sentence": sentence})

    def paused(self) -> None:
        """The queue is paused; said once."""
        if not self._paused:
            self._paused = True
            self._say("The queue is paused; `weft queue resume` goes on.", {"event": "paused"})

    def _say(self, line: str, record: dict[str, Any]) -> None:
        if not self._output.json:
            tell(line)
        self._record(record)

    def _record(self, record: dict[str, Any]) -> None:
        try:
            self._output.record(record)
        except Stop:
            self._gone()  # the job goes back to the queue; then the command ends
            raise
