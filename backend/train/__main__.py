"""Commands: ``python -m backend.train NAME``; ``--help`` lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from backend.train.console import fresh, log
from backend.train.language.commands import captioner, language, refiner

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

STEPS = ("bank", "vae", "transformer", "export", "score")
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Seed of the scenes and of the noise.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def _device_name(wanted: str) -> str:
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.split(":")[0] not in ("cpu", "cuda"):
        raise typer.BadParameter(f"no device is called {wanted!r}: use auto, cpu or cuda")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise typer.BadParameter("torch sees no CUDA device here: use --device cpu")
    return wanted


@app.command()
def primer(
    out: Annotated[Path, typer.Option(help="Folder for scenes, checkpoints and the model.")],
    device: Device = "auto",
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run stopped.")] = False,
    step: Annotated[
        list[str] | None, typer.Option(help=f"Only these of {', '.join(STEPS)}; repeatable.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw scenes.")] = 2,
    count: Annotated[int, typer.Option(help="Captions to score at the end.")] = 500,
) -> None:
    """Train Primer from nothing: draw scenes, train VAE and transformer, export, score.

    Example: python -m backend.train primer --out primer-run --resume
    """
    wanted = step or list(STEPS)
    if unknown := [name for name in wanted if name not in STEPS]:
        raise typer.BadParameter(f"no step is called {unknown[0]!r}: use {', '.join(STEPS)}")
    fresh(out, resume)
    import torch

    from backend.train.pipeline import Workplace
    from backend.train.recipe import Recipe

    place = Workplace(out, Recipe(), torch.device(_device_name(device)), log)
    if "bank" in wanted:
        place.draw(workers)
    if "vae" in wanted:
        place.train_vae()
    if "transformer" in wanted:
        place.train_flow()
    if "export" in wanted:
        place.export()
    if "score" in wanted:
        score(model=place.model, count=count, device=device)


@app.command()
def score(
    model: Annotated[Path, typer.Option(help="An exported model folder.")],
    count: Annotated[int, typer.Option(help="Captions to draw and judge.")] = 500,
    seed: Seed = 2026,
    steps: Annotated[int, typer.Option(help="Euler steps.")] = 28,
    cfg: Annotated[float, typer.Option(help="True classifier-free guidance.")] = 2.0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a model: scenes right on captions of held-out pairs, and the VAE's round trip.

    Example: python -m backend.train score --model resources/models/primer --count 500
    """
    import torch

    from backend.train.generate import Settings, load, with_pipeline
    from backend.train.measure import model_report, report_lines

    pipeline = load(model, torch.device(_device_name(device)))
    settings = Settings(steps=steps, cfg=cfg)
    report = model_report(with_pipeline(pipeline, settings), pipeline.vae, model, count, seed)
    report |= {"steps": steps, "cfg": cfg, "shift": float(pipeline.scheduler.config.shift)}
    typer.echo(json.dumps(report) if as_json else "\n".join(report_lines(report)))


@app.command("scorer-check")
def scorer_check(
    count: Annotated[int, typer.Option(help="True scenes to judge.")] = 1000,
    seed: Seed = 2026,
    model: Annotated[
        Path | None, typer.Option(help="A model folder: judge after its VAE's round trip too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the scorer: true scenes found right, scenes with one fact wrong refused.

    Example: python -m backend.train scorer-check --model resources/models/primer
    """
    from backend.train.measure import report_lines, scorer_report

    report = scorer_report(count, seed, model)
    typer.echo(json.dumps(report) if as_json else "\n".join(report_lines(report)))


@app.command()
def preview(
    model: Annotated[Path, typer.Option(help="An exported model folder.")],
    count: Annotated[int, typer.Option(help="Scenes to fit to.")] = 64,
    seed: Seed = 2026,
) -> None:
    """Fit the colours of previews to a model's latents, and write them into its folder.

    Example: python -m backend.train preview --model resources/models/primer
    """
    from backend.train.preview import fit_previews

    found = fit_previews(model, count, seed)
    typer.echo(f"fitted {found.channels} channels to {found.cells} cells")


@app.command()
def keys(
    model: Annotated[Path, typer.Option(help="A model folder; it stays as it is.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and keys.safetensors.")],
    ratio: Annotated[int, typer.Option(help="Tokens a side that become one: 2, 4 or 8.")] = 2,
    steps: Annotated[int, typer.Option(help="Steps, each of 64 scenes.")] = 255,
    scenes: Annotated[int, typer.Option(help="Scenes to draw.")] = 6000,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run stopped.")] = False,
) -> None:
    """Tune a model for compressed keys; the node compress_keys takes the file that it writes.

    Example: python -m backend.train keys --model resources/models/primer --out keys-run
    """
    fresh(out, resume)
    if ratio not in (2, 4, 8):
        raise typer.BadParameter(f"keys are compressed by 2, 4 or 8, not by {ratio}")
    from backend.train.keys import KeysPlan, train
    from backend.train.tuning import TunePlan

    plan = KeysPlan(ratio, TunePlan(steps=steps, scenes=scenes))
    typer.echo(train(model, out, plan, _device_name(device), log))


@app.command()
def experts(
    model: Annotated[Path, typer.Option(help="A model folder; it stays as it is.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the copies.")],
    boundary: Annotated[
        float, typer.Option(help="Noise level below which the low one runs.")
    ] = 0.65,
    steps: Annotated[int, typer.Option(help="Steps of each copy, each of 64 scenes.")] = 250,
    scenes: Annotated[int, typer.Option(help="Scenes to draw.")] = 6000,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run stopped.")] = False,
) -> None:
    """Tune copies of a model for high and low noise, and one for all noise to compare with.

    The node expert_switch joins the first two. Example: python -m backend.train experts
    --model resources/models/primer --out experts-run
    """
    fresh(out, resume)
    if not 0 < boundary < 1:
        raise typer.BadParameter(f"the boundary lies between 0 and 1, not at {boundary:g}")
    from backend.train.experts import ExpertsPlan, train
    from backend.train.tuning import TunePlan

    plan = ExpertsPlan(boundary, TunePlan(steps=steps, scenes=scenes))
    for name, folder in train(model, out, plan, _device_name(device), log).items():
        typer.echo(f"{name} {folder}")


@app.command()
def grid(
    model: Annotated[Path, typer.Option(help="An exported model folder.")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")],
    count: Annotated[int, typer.Option(help="Pictures.")] = 12,
    columns: Annotated[int, typer.Option(help="Pictures in a row.")] = 4,
    seed: Seed = 1,
    device: Device = "auto",
) -> None:
    """Draw pictures of held-out captions as one labelled PNG.

    Example: python -m backend.train grid --model resources/models/primer --out grid.png
    """
    import torch

    from backend.train.figures import held_captions
    from backend.train.generate import load, with_pipeline
    from backend.train.grid import save_grid

    captions = held_captions(seed, count)
    pictures = with_pipeline(load(model, torch.device(_device_name(device))))(captions, seed)
    save_grid(out, list(pictures), captions, columns)


for more in (language, captioner, refiner):
    app.command()(more)

if __name__ == "__main__":
    app()
