"""Nodes for models that look at other pictures while they make one."""

from __future__ import annotations

from typing import Any

from backend.models import reference
from backend.models.explain import explained
from backend.models.family import describe, family_of
from backend.sdk import VAE, Conditioning, Context, Facts, Image, UserError, facts_of, node


@node(
    category="Conditioning",
    lane="device",
    aliases=("reference latent", "kontext", "edit image", "image prompt", "klein"),
)
def reference_image(
    ctx: Context, conditioning: Conditioning, vae: VAE, image: Image
) -> Conditioning:
    """Show a model a picture to work from: to edit it, or to take something out of it.

    For models that were trained to, such as FLUX.1 Kontext and FLUX.2 Klein. Put the node behind
    the positive and the negative text, with the same picture; several in a row show several
    pictures. The picture may have another size than the latent: about a megapixel is what these
    models were trained with, and its sides are multiples of what the model can make (16 for a
    Flux), which the node resize brings about. Attention grows with each.

    Example: encode_text(text="make it snow") -> reference_image -> sample.positive, with an empty
    latent.
    """
    with explained():
        family = family_of(vae)
        if "references" not in describe(vae).capabilities:
            raise UserError(
                f"This {family.card.title} model does not look at reference pictures. Choose a "
                "model that does, such as FLUX.1 Kontext, and its VAE."
            )
        latent = family.encode_image(vae, image, ctx.load, ctx.device)
        return reference.add(conditioning, latent)


@reference_image.facts
def _(p: Any, conditioning: Facts | None, vae: Facts | None, image: Facts | None) -> Facts:
    return conditioning or facts_of("Conditioning")


@reference_image.peak
def _(p: Any, conditioning: Facts | None, vae: Facts | None, image: Facts | None) -> int:
    if vae is None or image is None:
        return 0
    return (vae.pixel_bytes or 0) * (image.width or 0) * (image.height or 0)
