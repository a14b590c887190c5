"""Bars that show how far a command is, on a terminal alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

Tell: TypeAlias = Callable[[str, int, int], None]
"""What to say before the bar, how much is done, and of how much (0: not known)."""


@contextmanager
def bar(what: Literal["bytes", "steps"], total: int = 0, *, json: bool) -> Iterator[Tell]:
    """A bar on a terminal; nothing elsewhere, and nothing with ``--json``."""
    if json or not sys.stderr.isatty():
        yield lambda words, done, of: None
        return
    from rich import progress
    from rich.console import Console

    middle: tuple[progress.ProgressColumn, ...] = (
        (progress.DownloadColumn(), progress.TransferSpeedColumn())
        if what == "bytes"
        else (progress.MofNCompleteColumn(), progress.TimeRemainingColumn())
    )
    words = progress.TextColumn("{task.description}", markup=False)
    shown = progress.Progress(
        words, progress.BarColumn(), *middle, console=Console(stderr=True), transient=True
    )
    with shown as bars:
        task = bars.add_task("", total=total or None)
        yield lambda said, done, of: bars.update(
            task, description=said, completed=done, total=of or total or None
        )
