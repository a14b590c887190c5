"""What a run shows while it goes on: bars on a terminal, short lines elsewhere, or JSON."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from backend.cli.streams import put, tell
from backend.engine.events import (
    Event,
    KeptFile,
    Note,
    Preview,
    Progress,
    RunFinished,
    RunStarted,
    SavedFile,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    to_json,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

MOST_CHARACTERS = 2000
"""Characters of a text that are shown."""
MOST_TEXTS = 20
"""Texts of a list that are shown."""


class Report(Protocol):
    """Takes every event of a run, then is closed once."""

    def event(self, event: Event) -> None:
        """Show an event; called from the thread that runs the engine."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def name_of(event: Any) -> str:
    """A step as people read it: its path, and the turns of the zones around it."""
    turns = "".join(f"[{turn}]" for turn in event.turns)
    return f"{event.step}{turns}"


def ended(event: StepDone) -> str:
    """One line for a step that has its result: how long it took, and what it gave."""
    how = "from the cache" if event.cached else f"{event.seconds:.2f} s"
    gave = "; ".join(" ".join(text.split()) for text in event.outputs.values())
    return f"{name_of(event)}: {how}" + (f" ({gave})" if gave else "")


def failure(event: StepFailed | StepSkipped) -> str:
    """One sentence for a step that gave nothing."""
    if isinstance(event, StepFailed):
        return f"{name_of(event)} failed: {event.sentence}"
    return f"{name_of(event)} was left out because {event.cause} failed."


def note(event: Note) -> str:
    """One line for what a step, or the run, has to say."""
    said = " ".join(event.text.split())
    return f"{name_of(event)}: {said}" if event.step else said


def summary(event: RunFinished) -> str:
    """The last line."""
    parts = [
        f"{number} {word}"
        for number, word in (
            (event.ran, "run"),
            (event.cached, "from the cache"),
            (event.failed, "failed"),
            (event.skipped, "left out"),
            (event.saved, "saved"),
        )
        if number
    ]
    status = event.status.capitalize()
    nothing = "nothing to do" if event.status == "done" else "nothing was done"
    return f"{status} in {event.seconds:.1f} s: {', '.join(parts) or nothing}."


def texts(values: Mapping[str, Mapping[str, Any]], width: int = 0) -> Iterator[str]:
    """Lines that show the texts among the outputs of steps, whole, by step and output.

    Lines longer than ``width`` characters are wrapped where it is not 0.
    """
    for step, outputs in values.items():
        for output, value in outputs.items():
            name = step if len(outputs) == 1 else f"{step}.{output}"
            if isinstance(value, str):
                yield from _text(name, value, width)
            elif isinstance(value, list) and value and isinstance(value[0], str):
                for number, item in enumerate(value[:MOST_TEXTS], 1):
                    yield from _text(f"{name}[{number}]", item, width)
                if len(value) > MOST_TEXTS:
                    yield f"{name}: {len(value) - MOST_TEXTS} more; Save text writes them all."


def _text(name: str, text: str, width: int) -> Iterator[str]:
    """A text behind its name, or below it if it has several lines."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    lines = [
        part
        for line in shown[:MOST_CHARACTERS].splitlines()
        for part in (textwrap.wrap(line, width) if width else [line]) or [""]
    ]
    first = f"{name}: {lines[0]}" if len(lines) == 1 else ""
    if first and (not width or len(first) <= width):
        lines = [first]
    else:
        yield f"{name}:"
    yield from lines
    if len(text) > MOST_CHARACTERS:
        yield f"{name}: {len(text) - MOST_CHARACTERS} more characters; Save text writes them all."


class JsonReport:
    """One JSON object per line on standard output; previews stay out.

    When the reader has gone, ``gone`` is called once and the rest is not written.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        self._open = True

    def event(self, event: Event) -> None:
        """Write an event; of a failure the sentence only, the trace is for the log."""
        if isinstance(event, Preview) or not self._open:
            return
        if isinstance(event, StepFailed):
            event = msgspec.structs.replace(event, trace="")
        # Plain ASCII, so that no terminal or pipe can spoil it.
        self._open = put(_ascii(to_json(event)))
        if not self._open:
            self._gone()

    def close(self) -> None:
        """Nothing is left to do."""


def _ascii(data: bytes) -> str:
    """The same JSON with every other character as an escape of its UTF-16 units."""
    text = data.decode()
    if text.isascii():
        return text
    units = (char.encode("utf-16-be") for char in text)
    return "".join(
        unit.decode("utf-16-be")
        if len(unit) == 2 and unit[0] == 0 and unit[1] < 128
        else "".join(f"\\u{unit[i : i + 2].hex()}" for i in range(0, len(unit), 2))
        for unit in units
    )


class LineReport:
    """Short lines on standard error, and the path of each output on standard output."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def event(self, event: Event) -> None:
        """Write a line for what has ended; what is under way stays quiet."""
        if isinstance(event, StepDone):
            tell(ended(event))
        elif isinstance(event, StepFailed | StepSkipped):
            tell(failure(event))
        elif isinstance(event, Note):
            tell(note(event))
        elif isinstance(event, SavedFile | KeptFile):
            put(str(self._out / event.path))
        elif isinstance(event, RunFinished):
            tell(summary(event))

    def close(self) -> None:
        """Nothing is left to do."""


class BarReport:
    """A bar for the whole run and one for each step that says how far it is."""

    def __init__(self, out: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._out = out
        self._saved: list[str] = []
        self._last: RunFinished | None = None
        self._steps: dict[str, TaskID] = {}
        self._whole: TaskID | None = None
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
            redirect_stdout=False,
        )
        self._bars.start()

    def event(self, event: Event) -> None:
        """Move the bars."""
        if isinstance(event, RunStarted):
            self._whole = self._bars.add_task("run", total=event.steps)
        elif isinstance(event, StepStarted) and self._whole is not None:
            self._bars.update(self._whole, description=name_of(event))
        elif isinstance(event, Progress):
            self._advance(event)
        elif isinstance(event, SavedFile | KeptFile):
            self._saved.append(event.path)
        elif isinstance(event, RunFinished):
            self._last = event
        if isinstance(event, StepFailed | StepSkipped | Note):
            said = note(event) if isinstance(event, Note) else failure(event)
            self._bars.console.print(said, markup=False, soft_wrap=True)
        if isinstance(event, StepDone | StepFailed | StepSkipped):
            self._end(event)

    def _advance(self, event: Progress) -> None:
        name = name_of(event)
        if name not in self._steps:
            self._steps[name] = self._bars.add_task(f"  {name}", total=event.total)
        self._bars.update(self._steps[name], completed=event.done, total=event.total)

    def _end(self, event: StepDone | StepFailed | StepSkipped) -> None:
        task = self._steps.pop(name_of(event), None)
        if task is not None:
            self._bars.remove_task(task)
        if self._whole is not None and not event.turns:
            self._bars.advance(self._whole)

    def close(self) -> None:
        """Take the bars away and say what came of the run."""
        self._bars.stop()
        for path in self._saved:
            put(str(self._out / path))
        if self._last is not None:
            tell(summary(self._last))


def report_for(*, json: bool, out: Path, gone: Callable[[], None]) -> Report:
    """The report that suits where the output goes."""
    if json:
        return JsonReport(gone)
    return BarReport(out) if sys.stderr.isatty() else LineReport(out)
