"""Commands ``python -m backend.train language``, ``captioner`` and ``refiner``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.train.console import fresh, log

Out = Annotated[Path, typer.Option(help="Folder for checkpoints and what is made of them.")]
Resume = Annotated[bool, typer.Option(help="Go on where an earlier run stopped.")]
Steps = Annotated[int | None, typer.Option(help="Steps; the recipe's own if left out.", min=1)]


def language(out: Out, resume: Resume = False, steps: Steps = None) -> None:
    """Train the language model of the world: captions, rewritten prompts, boxes.

    Example: python -m backend.train language --out language-run
    """
    fresh(out, resume)
    from dataclasses import replace

    from backend.train.language.causal import CausalPlan, train_causal

    plan = CausalPlan()
    if steps:
        plan = replace(plan, loop=replace(plan.loop, steps=steps))
    typer.echo(train_causal(out, plan, log))


def captioner(out: Out, resume: Resume = False, steps: Steps = None) -> None:
    """Train the image-text model of the world: it describes a scene.

    Example: python -m backend.train captioner --out captioner-run
    """
    fresh(out, resume)
    from dataclasses import replace

    from backend.train.language.captioner import CaptionerPlan, train_captioner

    plan = CaptionerPlan()
    if steps:
        plan = replace(plan, loop=replace(plan.loop, steps=steps))
    typer.echo(train_captioner(out, plan, log))


def refiner(
    out: Out,
    model: Annotated[Path, typer.Option(help="The folder of the model that is conditioned.")],
    language: Annotated[Path, typer.Option(help="The folder of the language model.")],
    layers: Annotated[str, typer.Option(help="Layers that are taken, with commas.")] = "1,3",
    join: Annotated[str, typer.Option(help="concat or mean.")] = "concat",
    template: Annotated[str, typer.Option(help="What stands around {text}.")] = "{text}",
    blocks: Annotated[int, typer.Option(help="Bidirectional blocks; 0: none.", min=0)] = 3,
    resume: Resume = False,
    steps: Steps = None,
) -> None:
    """Train a refiner, by which a language model conditions a model of the Flux family.

    Example: python -m backend.train refiner --out refiner-run --model resources/models/primer
    --language resources/models/primer-language
    """
    from dataclasses import replace

    from backend.catalog.errors import CatalogError
    from backend.diffusion.errors import DiffusionError
    from backend.train.language.refiner import RefinerPlan, shortened, train_refiner

    if join not in ("concat", "mean"):
        raise typer.BadParameter(f"states are joined by concat or mean, not by {join!r}")
    try:
        numbers = tuple(int(part) for part in layers.split(","))
    except ValueError:
        raise typer.BadParameter(f"layers are whole numbers with commas, not {layers!r}") from None
    if template.count("{text}") != 1:
        raise typer.BadParameter("a template says {text} once, where the prompt goes")
    fresh(out, resume)
    plan = replace(
        RefinerPlan(),
        layers=numbers,
        join="mean" if join == "mean" else "concat",
        template=template,
        blocks=blocks,
    )
    if steps:
        plan = shortened(plan, steps)
    try:
        typer.echo(train_refiner(model, language, out, plan, log))
    except (CatalogError, DiffusionError) as error:
        raise typer.BadParameter(str(error)) from error
