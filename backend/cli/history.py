"""``weft history``: what ran, how it ended, and what it gave."""

from __future__ import annotations

import contextlib
import csv
import json as text
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from backend.cli.check import counted
from backend.cli.errors import FAILED, Stop, wrong_usage
from backend.cli.options import Json
from backend.cli.streams import Output, put

if TYPE_CHECKING:
    from backend.engine.queue.history import Past

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Limit = Annotated[
    int, typer.Option("--limit", metavar="N", min=0, help="At most N jobs; 0 shows all.")
]


@app.callback()
def history_root() -> None:
    """Look at what the queue has run.

    \b
    Example:
      weft history search "red circle"
    """


@app.command("show")
def show(
    number: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="One job.", show_default=False)
    ] = None,
    limit: Limit = 20,
    workflow: Annotated[
        bool, typer.Option("--workflow", help="Print only the workflow that job ID ran.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the last jobs that ended, or all that is known of one.

    \b
    Example:
      weft history show
      weft history show 12 --workflow > again.weft.json
    """
    from backend.cli.queue_show import show_past, the_queue
    from backend.engine.queue.history import latest, past

    output = Output(json)
    if workflow and number is None:
        raise wrong_usage("--workflow needs the number of a job.")
    with the_queue(output) as queue:
        if number is None:
            _show_all(latest(queue, limit or -1), output)
        elif workflow:
            put(queue.document(number).rstrip("\n"))
        else:
            show_past(past(queue, number), output)


@app.command("search")
def search(
    words: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="All must occur.", show_default=False)
    ],
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """Find jobs by a part of a prompt, a title, a node, a file, a model, a seed or a date.

    \b
    Example:
      weft history search "red circle" 2026-01-31
    """
    from backend.cli.queue_show import the_queue
    from backend.engine.queue.history import search as find

    output = Output(json)
    with the_queue(output) as queue:
        _show_all(find(queue, words, limit or -1), output)


@app.command("export")
def export(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Ends in .jsonl or .csv.", show_default=False),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...", help="Only jobs with all of these.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the history to a file: JSON lines with all of it, or a CSV table.

    \b
    Example:
      weft history export runs.csv
    """  # fmt: skip
    from backend.cli.queue_show import the_queue
    from backend.engine.queue.history import search as find

    writers = {".jsonl": _write_lines, ".csv": _write_table}
    write = writers.get(file.suffix.lower())
    if write is None:
        raise wrong_usage(f"{file}: write a name that ends in .jsonl or .csv.")
    output = Output(json)
    with the_queue(output) as queue, _whole(file) as stream:
        count = write(find(queue, words or ()), stream)
    output.record({"event": "exported", "jobs": count, "file": str(file)})
    output.line(f"Wrote {counted(count, 'job')} to {file}.")


def _show_all(pasts: Iterator[Past], output: Output) -> None:
    from backend.cli.queue_show import past_line, past_record

    count = 0
    for count, past in enumerate(pasts, 1):  # noqa: B007  # it is asked for below
        output.record(past_record(past))
        output.line(past_line(past))
    if not count:
        output.line("Nothing.")


def _write_lines(pasts: Iterator[Past], stream: TextIO) -> int:
    from backend.cli.queue_show import past_record

    count = 0
    for past in pasts:
        count += 1
        stream.write(text.dumps(past_record(past), allow_nan=False) + "\n")
    return count


COLUMNS = ("id", "title", "state", "added", "begun", "ended", "seconds", "attempts", "seeds",
           "output", "outputs", "sentence", "crashes")  # fmt: skip


def _write_table(pasts: Iterator[Past], stream: TextIO) -> int:
    table = csv.writer(stream)
    table.writerow(COLUMNS)
    count = 0
    for past in pasts:
        count += 1
        table.writerow(_cell(value) for value in _row(past))
    return count


def _row(past: Past) -> Iterator[Any]:
    job, ending = past.job, past.ending
    told = {
        "seconds": ending.seconds,
        "sentence": ending.sentence,
        "outputs": " ".join(saved.path for saved in ending.outputs),
        "seeds": " ".join(f"{name}={seed}" for name, seed in job.seeds.items()),
        "crashes": " ".join(crash.cause for crash in job.crashes),
    }
    for name in COLUMNS:
        yield told[name] if name in told else getattr(job, name)


def _cell(value: Any) -> Any:
    """A cell that no program that opens the table takes for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[TextIO]:
    """A text file that is written whole or not at all.

    Raises:
        Stop: it cannot be written.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(6)}.tmp")
    try:
        with draft.open("x", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, file)
    except OSError as error:
        raise Stop(f"{file} cannot be written ({error.strerror or error}).", FAILED) from None
    finally:
        draft.unlink(missing_ok=True)
