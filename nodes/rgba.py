"""Nodes that make pictures with alpha."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from backend.media.pixels.cutout import Cut
from backend.models.agree import runs_in_steps, same_latent_space, same_text_space
from backend.models.costs import calls_of, coding, encoding, in_turn, sampling
from backend.models.explain import explained
from backend.models.rgba import Asked, draw_rgba
from backend.sdk import (
    VAE,
    Context,
    Facts,
    Image,
    Latent,
    Mask,
    Model,
    Multiline,
    Peak,
    Range,
    SeedParam,
    TextEncoder,
    UserError,
    facts_of,
    node,
)
from nodes.sampling import Steps

Height = Annotated[float, Range(0, 1, 0.01)]


class CutPicture(NamedTuple):
    """A picture with alpha, and what its alpha was made of."""

    image: Image
    whole: Image
    trimap: Image
    heat: Mask


@node(
    category="Sampling",
    lane="device",
    title="Generate RGBA",
    aliases=("alfie", "transparent", "cut out", "remove background", "sticker", "alpha", "layer"),
)
def generate_rgba(
    ctx: Context,
    model: Model,
    text_encoder: TextEncoder,
    vae: VAE,
    latent: Latent,
    prompt: Multiline = "",
    subject: str = "",
    background: str = "plain white background",
    negative: str = "",
    steps: Steps = 28,
    cfg: Annotated[float, Range(0, 30, 0.1)] = 2.0,
    seed: SeedParam = 0,
    border: Annotated[float, Range(0, 0.4, 0.005)] = 0.125,
    sure: Height = 0.8,
    maybe: Height = 0.3,
    doubtful: Height = 0.1,
    holes: bool = True,
    edge: Annotated[int, Range(0, 32, 1)] = 2,
) -> CutPicture:
    """Make a picture of a subject with a transparent background, by any model that makes pictures.

    The model follows `prompt` in the middle and `background` in a border of that fraction of each
    side, so that the subject is not cut off; write the same plain background in the prompt too. Its
    own attention to `subject` (a part of the prompt; empty takes all of it) says where that is:
    from `sure` of the highest on a place is the subject, from `maybe` likely so, below `doubtful`
    it is background, and GrabCut decides between. With `holes`, what has the colour of the plain
    border is background, also inside the subject. Within `edge` pixels of the outline alpha and
    colours are measured anew, so that nothing of the old background is left; 0 gives a hard edge.

    `whole` is the picture before the cut, `trimap` shows the four kinds of places and `heat` where
    the subject was looked at (Alfie).

    Example: prompt="a red ring on the left, on a white background", subject="red ring",
    background="white background" -> add_layer over any picture.
    """
    _check_heights(sure, maybe, doubtful)
    asked = Asked(prompt, subject, background, negative, border, steps, cfg, seed)
    cut = Cut(sure, maybe, doubtful, border / 2, holes, edge=edge)
    with explained():
        image, whole, marks, heat = draw_rgba(ctx, model, text_encoder, vae, latent, asked, cut)
    return CutPicture(image, whole, marks, Mask(heat))


def _check_heights(sure: float | None, maybe: float | None, doubtful: float | None) -> None:
    if sure is None or maybe is None or doubtful is None:
        return
    if not doubtful <= maybe <= sure:
        raise UserError(
            f"Sure is {sure:g}, maybe {maybe:g} and doubtful {doubtful:g}; each must be at least "
            "the next. The usual ones are 0.8, 0.3 and 0.1."
        )


@generate_rgba.facts
def _(
    p: Any,
    model: Facts | None,
    text_encoder: Facts | None,
    vae: Facts | None,
    latent: Facts | None,
) -> dict[str, Facts]:
    _check_heights(p.sure, p.maybe, p.doubtful)
    runs_in_steps(model)
    same_latent_space(latent, model)
    same_latent_space(vae, model)
    if text_encoder is not None:
        same_text_space(model, (facts_of("Conditioning", space=text_encoder.space),))
    known = latent or facts_of("Latent")
    factor = known.factor
    size = {
        name: getattr(known, name) * factor if factor and getattr(known, name) else None
        for name in ("width", "height")
    }
    return {
        "image": facts_of("Image", channels=4, count=known.count, **size),
        "whole": facts_of("Image", channels=3, count=known.count, **size),
        "trimap": facts_of("Image", channels=1, count=known.count, **size),
        "heat": facts_of("Mask", count=known.count, **size),
    }


@generate_rgba.peak
def _(
    p: Any,
    model: Facts | None,
    text_encoder: Facts | None,
    vae: Facts | None,
    latent: Facts | None,
) -> Peak:
    known = latent or facts_of("Latent")
    factor = known.factor or 0
    solver = model.own_solver if model is not None else None
    calls = calls_of(solver, p.steps) if p.steps is not None else None
    texts = 2 if p.cfg == 1 else 3
    told = encoding(text_encoder, None, weighted=False)
    return in_turn(
        Peak(told.activation, (("text_encoder", texts),)),
        sampling("model", model, latent, texts if p.border else texts - 1, calls),
        coding(vae, (known.width or 0) * factor, (known.height or 0) * factor, known.count,
               half="decoder"),
    )  # fmt: skip
