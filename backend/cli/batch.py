"""``weft batch``: many jobs from one workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.options import Allow, Device, Flow, HostMemory, Json, Memory, Out, Sets


def batch(
    flow: Flow,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="A .csv or .jsonl: each row is a job, each column a NODE.PARAM, an exposed "
            "parameter, or seed.",
            show_default=False,
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="NODE.PARAM=a,b,c|lo:hi:n",
            help="A job for each value, or for n evenly spaced ones. May be repeated.",
            show_default=False,
        ),
    ] = None,
    each: Annotated[
        list[str] | None,
        typer.Option(
            "--each",
            metavar="NODE.PARAM=GLOB",
            help="A job for each file that matches. May be repeated.",
            show_default=False,
        ),
    ] = None,
    sets: Sets = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            max=2**63 - 1,
            help="Use this seed for every seed that no link feeds, in every job.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--name",
            metavar="TEMPLATE",
            help="How outputs are called, as in '{index:4}-{prompt:20}'.",
            show_default=False,
        ),
    ] = "",
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="How the batch is called.")
    ] = "",
    out: Out = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE.jsonl",
            help="Where it is written what became of each job.",
            show_default="batch-DATE-TIME.jsonl in the output folder",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE.png",
            help="Show the pictures on a contact sheet at the end.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a manifest: what is done stays.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume, run failed jobs again.")
    ] = False,
    check_files: Annotated[
        bool,
        typer.Option("--check-files", help="With --resume, read the files that are there."),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="Run up to N jobs at once, each in a process with its share of memory and cores.",
        ),
    ] = 1,
    only_queue: Annotated[
        bool, typer.Option("--queue", help="Only queue the jobs; `weft queue run` runs them.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the jobs and what would be loaded.")
    ] = False,
    device: Device = None,
    memory: Memory = None,
    host_memory: HostMemory = None,
    allow_read: Allow = None,
    json: Json = False,
) -> None:
    """Run a workflow once for each row, value or file, or for all their combinations.

    Jobs go through the queue, so a kill loses nothing; --resume goes on where it was. Ctrl-C
    stops and says how to go on; a second one leaves at once. Exit status: 0 all done, 1 a job
    failed, 2 wrong usage, 3 a job has errors, 130 stopped or cancelled.

    \b
    Example:
      weft batch text-to-image --sweep sample.cfg=1:4:4 --sweep seed=1,2,3 --sheet sheet.png
    """
    from backend.cli.batch_plan import Told, Wish
    from backend.cli.batch_run import run_batch

    wish = Wish(
        Told(table, tuple(sweep or ()), tuple(each or ())),
        sets=tuple(sets or ()),
        seed=seed,
        name=name,
        title=title,
        out=out,
        manifest=manifest,
        sheet=sheet,
        resume=resume,
        retry_failed=retry_failed,
        check_files=check_files,
        jobs=jobs,
        only_queue=only_queue,
        dry_run=dry_run,
        device=device,
        memory=memory,
        host_memory=host_memory,
    )
    raise typer.Exit(run_batch(flow, wish, tuple(allow_read or ()), json=json))
