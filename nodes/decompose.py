"""Nodes that take a finished picture apart into layers."""

from __future__ import annotations

from typing import Annotated, Any

from backend.models.agree import runs_in_steps, same_latent_space, same_text_space, size_fits
from backend.models.costs import branches_of, calls_of, coding, encoding, in_turn, sampling
from backend.models.decompose import PANELS, Asked
from backend.models.decompose import decompose as take_apart
from backend.models.explain import explained
from backend.models.lora.fit import check_fits
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import (
    VAE,
    Context,
    Facts,
    FilePath,
    Image,
    Layers,
    Model,
    Multiline,
    Peak,
    Range,
    SeedParam,
    TextEncoder,
    facts_of,
    node,
)


@node(
    category="Layers",
    lane="device",
    title="Decompose into layers",
    aliases=("diffdecompose", "layer decompose", "separate", "unmerge", "matting", "split layers"),
)
def decompose(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    vae: VAE,
    image: Image,
    layers: Multiline = "",
    file: FilePath = "",
    prompt: str = "layer: {}",
    fit: bool = True,
    steps: Annotated[int, Range(1, 150, 1)] = 28,
    cfg: Annotated[float, Range(0, 30, 0.1)] = 2.0,
    seed: SeedParam = 0,
) -> Layers:
    """Take a picture apart into layers, each whole even where another covers it (DiffDecompose).

    `layers` has a line for each, from the back to the front; the first fills the picture. `file`
    was trained with Train adapter, form layers, and `prompt` is what its captions are like, with
    the words of a layer at `{}`. A layer's colours and its alpha are sampled as two panels, which
    look at each other and at the picture, with equal positions. `fit` changes the colours that
    show as little as makes the layers the picture again.

    Example: layers="the background" and "the red circle" on two lines -> flatten_layers gives the
    picture back, set_layer hides the circle and shows what lies behind it.
    """
    path = ctx.read(file)
    words = tuple(line.strip() for line in layers.splitlines() if line.strip())
    asked = Asked(words, prompt, fit, steps, cfg, seed)
    asked.check()
    with explained():
        refuse_whole(model)
        check_fits(path, model)
        return take_apart(ctx, model, text_encoder, vae, image, path, asked)


@decompose.facts
def _(
    p: Any,
    model: Facts | None,
    text_encoder: Facts | None,
    vae: Facts | None,
    image: Facts | None,
) -> Facts:
    runs_in_steps(model)
    same_latent_space(vae, model)
    if text_encoder is not None:
        same_text_space(model, (facts_of("Conditioning", space=text_encoder.space),))
    known = image or facts_of("Image")
    size_fits(known.width, known.height, vae)
    count = None
    if p.layers is not None and p.prompt is not None:
        words = tuple(line for line in p.layers.splitlines() if line.strip())
        Asked(words, p.prompt, True, 1, 1.0, 0).check()
        count = len(words)
    return facts_of("Layers", width=known.width, height=known.height, count=count)


@decompose.peak
def _(
    p: Any,
    model: Facts | None,
    text_encoder: Facts | None,
    vae: Facts | None,
    image: Facts | None,
) -> Peak:
    known, own = image or facts_of("Image"), model or facts_of("Model")
    count = len([line for line in (p.layers or "").splitlines() if line.strip()]) or 1
    wide = known.width * PANELS if known.width else None
    factor = (vae.factor if vae is not None else None) or 0
    latent = facts_of(
        "Latent",
        # The tokens of the picture stand behind those of its panels.
        width=(wide + (known.width or 0)) // factor if wide and factor else None,
        height=known.height // factor if known.height and factor else None,
        count=count,
    )
    branches = 1 if p.cfg == 1 else branches_of(own.own_guider, 2)
    calls = calls_of(own.own_solver, p.steps) if p.steps is not None else None
    return in_turn(
        encoding(text_encoder, None, weighted=False),
        coding(vae, known.width, known.height, 1),
        sampling("model", model, latent, branches, calls),
        coding(vae, wide, known.height, count, half="decoder"),
    )
