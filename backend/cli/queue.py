"""``weft queue``: jobs that wait to be run, whatever happens meanwhile."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from backend.cli.errors import wrong_usage
from backend.cli.options import Allow, Device, Flow, HostMemory, Json, Memory, Only, Out, Sets
from backend.cli.streams import Output

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Number = Annotated[
    int,
    typer.Argument(
        metavar="ID", help="A job, as `weft queue list` numbers it.", show_default=False
    ),
]
Numbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="[ID]...", help="Jobs, as `weft queue list` numbers them.",
                   show_default=False),
]  # fmt: skip
Wait = Annotated[bool, typer.Option("--wait", help="Stay when the queue is empty.")]


@app.callback()
def queue_root() -> None:
    """Queue workflows and work through them. What was queued survives a kill of everything.

    \b
    Example:
      weft queue add text-to-image --count 4
      weft queue run
    """


@app.command("add")
def add(
    flow: Flow,
    sets: Sets = None,
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="Queue N jobs that differ in their seeds.")
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**63 - 1,
            help="Use this seed for every seed that no link feeds; with --count N, N+1, ...",
            show_default=False,
        ),
    ] = None,
    priority: Annotated[
        int, typer.Option("--priority", metavar="P", help="Higher runs first; -1000 to 1000.")
    ] = 0,
    out: Out = None,
    only: Only = None,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="How the job is called.")
    ] = "",
    allow_read: Allow = None,
    json: Json = False,
) -> None:
    """Queue a workflow as it is now; later changes of the file do not matter.

    Random seeds are drawn now. With --count, each job draws its own; where no seed is random, the
    first job has the workflow's. Exit status 3 when the workflow has errors.

    \b
    Example:
      weft queue add text-to-image --set prompt="a red circle" --count 8
    """
    from backend.cli.queue_run import Order, add_flow

    order = Order(tuple(sets or ()), out, tuple(only or ()), seed, count, priority, title)
    add_flow(flow, order, tuple(allow_read or ()), json=json)


@app.command("list")
def list_jobs(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="At most N jobs; 0 shows all.")
    ] = 100,
    ended: Annotated[
        bool, typer.Option("--all", help="Also those that have ended and were not cleared.")
    ] = False,
    json: Json = False,
) -> None:
    """List what runs, and what waits in the order in which it will run.

    \b
    Example:
      weft queue list
    """
    from backend.cli.queue_show import show_jobs, the_queue

    output = Output(json)
    with the_queue(output) as queue:
        show_jobs(queue, limit, ended=ended, output=output)


@app.command("pause")
def pause(ids: Numbers = None, json: Json = False) -> None:
    """Pause the whole queue, or some jobs.

    Of the whole queue, what runs goes on to its end and nothing else begins. A single job that
    runs is stopped and put back; what it has computed stays in the cache.

    \b
    Example:
      weft queue pause
    """
    from backend.cli.queue_show import the_queue

    output = Output(json)
    with the_queue(output) as queue:
        queue.pause(ids or None)
    _said(output, "paused", ids, f"Paused {_jobs(ids)}.")


@app.command("resume")
def resume(ids: Numbers = None, json: Json = False) -> None:
    """Let the whole queue, or some jobs, go on.

    \b
    Example:
      weft queue resume
    """
    from backend.cli.queue_show import the_queue

    output = Output(json)
    with the_queue(output) as queue:
        queue.resume(ids or None)
    _said(output, "resumed", ids, f"Resumed {_jobs(ids)}.")


@app.command("cancel")
def cancel(
    ids: Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait or run.")] = False,
    json: Json = False,
) -> None:
    """Cancel jobs that wait or run. What they have saved stays.

    \b
    Example:
      weft queue cancel 12 13
      weft queue cancel --all
    """
    from backend.cli.queue_show import the_queue

    if bool(ids) == every:
        raise wrong_usage("Name the jobs to cancel, or write --all.")
    output = Output(json)
    with the_queue(output) as queue:
        count = queue.cancel(ids or None)
    output.record({"event": "cancelled", "jobs": count})
    output.line(f"Cancelled {count} {'job' if count == 1 else 'jobs'}.")


@app.command("retry")
def retry(number: Number, json: Json = False) -> None:
    """Queue a copy of a job that failed or was cancelled, with the same seeds.

    \b
    Example:
      weft queue retry 12
    """
    from backend.cli.queue_show import the_queue

    output = Output(json)
    with the_queue(output) as queue:
        new = queue.retry(number)
    output.record({"event": "queued", "id": new, "retry_of": number})
    output.line(f"Queued job {new}, a copy of job {number}.")


@app.command("move")
def move(
    number: Number,
    first: Annotated[bool, typer.Option("--first", help="Before all others.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Behind all others.")] = False,
    before: Annotated[
        int | None,
        typer.Option("--before", metavar="ID", help="Just before this job.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Change when a waiting job will run. It takes on a priority that fits its new place.

    \b
    Example:
      weft queue move 12 --first
      weft queue move 12 --before 7
    """
    from backend.cli.queue_show import the_queue

    if first + last + (before is not None) != 1:
        raise wrong_usage("Write one of --first, --last and --before ID.")
    output = Output(json)
    with the_queue(output) as queue:
        queue.move(number, before if before is not None else "first" if first else "last")
    _said(output, "moved", [number], f"Moved job {number}.")


@app.command("clear")
def clear(json: Json = False) -> None:
    """Take the jobs that have ended off `weft queue list --all`; the history keeps them.

    \b
    Example:
      weft queue clear
    """
    from backend.cli.queue_show import the_queue

    output = Output(json)
    with the_queue(output) as queue:
        count = queue.clear()
    output.record({"event": "cleared", "jobs": count})
    output.line(f"Cleared {count} {'job' if count == 1 else 'jobs'}.")


@app.command("watch")
def watch(wait: Wait = False, json: Json = False) -> None:
    """Show how the queue goes on, whoever works through it, until no job waits or runs.

    \b
    Example:
      weft queue watch
    """
    from backend.cli.queue_show import the_queue, watch_jobs

    output = Output(json)
    with the_queue(output) as queue:
        watch_jobs(queue, output, wait=wait, sleep=time.sleep)


@app.command("run")
def run(
    wait: Wait = False,
    device: Device = None,
    memory: Memory = None,
    host_memory: HostMemory = None,
    json: Json = False,
) -> None:
    """Work through the queue until it is empty, in a host process that may die without harm.

    Several of these may run at once; each job is run by one of them. Ctrl-C stops the running job
    and puts it back. Exit status: 0 done, 1 a job failed, 130 stopped.

    \b
    Example:
      weft queue run --wait
    """  # fmt: skip
    from backend.cli.queue_run import run_queue

    raise typer.Exit(run_queue(device, memory, host_memory, wait=wait, json=json))


def _jobs(ids: list[int] | None) -> str:
    if not ids:
        return "the queue"
    return f"{'job' if len(ids) == 1 else 'jobs'} {', '.join(map(str, ids))}"


def _said(output: Output, event: str, ids: list[int] | None, line: str) -> None:
    output.record({"event": event, "ids": ids or []})
    output.line(line)
