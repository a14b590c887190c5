"""``weft train``: small networks that teach a model something more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.options import Device, Json

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def train_root() -> None:
    """Teach a model something more, in a small file beside it.

    \b
    Example:
      weft train adapter drawings --out ink.safetensors
    """


@app.command("adapter")
def adapter(
    examples: Annotated[
        Path,
        typer.Argument(
            metavar="SET",
            help="A folder of pictures, each with its caption in a text file of the same name.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file to write (.safetensors).")
    ],
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="A built-in model, a folder or a name.")
    ] = "primer",
    form: Annotated[
        str,
        typer.Option(
            "--form",
            metavar="FORM",
            help="text: learn pictures and captions. reference: make each from the pictures "
            "beside it, as the caption says. control: follow the picture beside it. layout: put "
            "things into boxes, from a table with boxes and captions.",
        ),
    ] = "text",
    targets: Annotated[
        str,
        typer.Option("--targets", metavar="attention|blocks|all", help="Which layers learn."),
    ] = "blocks",
    rank: Annotated[int, typer.Option("--rank", metavar="N", help="Rank of the factors.")] = 16,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", min=1, help="Steps from the beginning on.")
    ] = 500,
    rate: Annotated[float, typer.Option("--rate", metavar="R", help="Learning rate.")] = 2e-3,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, help="Pictures at each noise level.")
    ] = 8,
    levels: Annotated[
        int, typer.Option("--levels", metavar="N", min=1, help="Noise levels in each step.")
    ] = 4,
    size: Annotated[
        int,
        typer.Option(
            "--size",
            metavar="PX",
            min=0,
            help="Side of a square of the pictures' area; 0: the model's own.",
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="Seed.")
    ] = 0,
    samples: Annotated[
        int,
        typer.Option(
            "--samples",
            metavar="N",
            min=0,
            help="Show sample pictures every N steps; 0: at the end alone.",
        ),
    ] = 0,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work",
            metavar="DIR",
            help="Where the checkpoint lies.",
            show_default="a folder of the cache that follows from the other options",
        ),
    ] = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Train an adapter for a model, whose own files stay as they are.

    What was broken off goes on with the same command. Beside FILE stand its sample pictures and
    the course of its loss. More steps than last time go on from there.

    \b
    Example:
      weft train adapter drawings --model primer --out ink.safetensors --steps 300
    """  # fmt: skip
    from backend.cli.train_adapter import Wish, train_adapter

    wish = Wish(examples, out, model, form, targets, rank, steps, rate, batch, levels, size, seed,
                samples, work, device)  # fmt: skip
    raise typer.Exit(train_adapter(wish, json=json))


@app.command("set")
def world_set(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="What the examples teach.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="An empty or new folder.")],
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="Examples.")] = 1000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="Seed.")
    ] = 0,
    json: Json = False,
) -> None:
    """Draw a set of Primer's world to train on: edits, panels, edges and more.

    A kind that is not there is answered with those that are.

    \b
    Example:
      weft train set edges --out edges --count 5000
      weft train adapter edges --form control --out edges.safetensors
    """
    from backend.cli.train_set import draw_set

    raise typer.Exit(draw_set(kind, out, count, seed, json=json))
