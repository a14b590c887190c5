"""What the commands of training have in common: lines of progress, and the folder to work in."""

from __future__ import annotations

import time
from pathlib import Path

import typer


def log(line: str) -> None:
    """A line of progress on standard error, with the time."""
    typer.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)


def fresh(out: Path, resume: bool) -> None:
    """Refuse a folder that holds something, unless an earlier run is to be gone on with.

    Raises:
        BadParameter: it is so.
    """
    if out.exists() and any(out.iterdir()) and not resume:
        raise typer.BadParameter(f"{out} is not empty: add --resume to go on with what is there")
