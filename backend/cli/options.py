"""Arguments and options that more than one command has, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Flow = Annotated[
    str,
    typer.Argument(
        metavar="FLOW",
        help="A workflow file, an output that Weft made, or the name of a shipped example.",
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object per line on standard output, nothing else.")
]
Allow = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-read",
        metavar="PATH",
        help="Let the workflow read this file or folder too. May be repeated.",
        show_default=False,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NODE.PARAM=VALUE",
        help="Set a parameter; an exposed one by its name alone. May be repeated.",
        show_default=False,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NODE",
        help="Run only this node and what it needs. May be repeated.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Where outputs are written.",
        show_default="the setting folders.output",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda:N",
        help="Where models compute.",
        show_default="the setting run.device",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory of the device for models and what they compute in, such as 8GiB.",
        show_default="the setting run.memory",
    ),
]
HostMemory = Annotated[
    str | None,
    typer.Option(
        "--host-memory",
        metavar="SIZE",
        help="Host memory in which weights wait for a GPU, such as 24GiB.",
        show_default="the setting run.host_memory",
    ),
]
