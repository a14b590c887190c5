"""Nodes for in-paint models, which see the picture that they fill."""

from __future__ import annotations

from typing import Any

from backend.models import fill
from backend.models.agree import size_fits
from backend.models.costs import coding
from backend.models.explain import explained
from backend.models.family import family_of
from backend.sdk import VAE, Conditioning, Context, Facts, Image, Mask, Peak, facts_of, node


@node(
    category="Conditioning",
    title="In-paint model condition",
    lane="device",
    aliases=("inpaint model conditioning", "fill", "outpaint"),
)
def fill_condition(
    ctx: Context, conditioning: Conditioning, vae: VAE, image: Image, mask: Mask
) -> Conditioning:
    """Show an in-paint model the picture that it is to fill, and where: white is new.

    For models that were trained to in-paint, such as Stable Diffusion's and SDXL's in-paint
    versions; others need no more than an in-paint mask on the latent. Put the node behind the
    positive and the negative text, with the same picture. The mask is cut to black and white and
    has the size of the picture, which the latent has too.

    Example: encode_text(text="a bench") -> fill_condition(image, mask) -> sample.positive, with an
    empty latent of the picture's size.
    """
    with explained():
        holed = fill.with_hole(image, mask.coverage)
        latent = family_of(vae).encode_image(vae, holed, ctx.load, ctx.device)
        return fill.add(conditioning, latent, mask.coverage)


@fill_condition.facts
def _(
    p: Any,
    conditioning: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    mask: Facts | None,
) -> Facts:
    if image is not None:
        size_fits(image.width, image.height, vae)
    return conditioning or facts_of("Conditioning")


@fill_condition.peak
def _(
    p: Any,
    conditioning: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    mask: Facts | None,
) -> Peak:
    known = image or facts_of("Image")
    return coding(vae, known.width, known.height, known.count)
