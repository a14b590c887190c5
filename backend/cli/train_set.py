"""What ``weft train set`` does: draws examples of the procedural world into a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.bars import bar
from backend.cli.errors import DONE, FAILED, Stop, near, wrong_usage
from backend.cli.streams import Output

if TYPE_CHECKING:
    from backend.train.adapter.sets import Drawn


def draw_set(kind: str, out: Path, count: int, seed: int, *, json: bool) -> int:
    """Write ``count`` examples; the table that makes the folder a set comes last.

    Raises:
        Stop: there is no such kind, or the folder holds something or cannot be written.
    """
    from backend.train.adapter.sets import write_set
    from backend.train.task import tasks

    found = tasks().get(kind)
    if found is None:
        hint = near(kind, tasks()) or f" There are {', '.join(tasks())}."
        raise wrong_usage(f"There is no kind of set called {kind!r}.{hint}")
    output = Output(json)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise wrong_usage(f"{out} is not an empty folder. Choose another.")
        with bar("steps", count, json=json) as told:

            def drawn() -> Iterator[Drawn]:
                for number in range(count):
                    yield found.example(seed, number)
                    told(kind, number + 1, count)

            write_set(out, drawn())
    except OSError as error:
        raise Stop(f"{out} cannot be written ({error.strerror or error}).", FAILED) from error
    output.line(f"{out}: {count} examples of {found.title}, for the form {found.form}")
    output.record({"event": "set", "folder": str(out), "count": count, "form": found.form})
    return DONE
