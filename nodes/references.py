"""Nodes for models that look at other pictures while they make one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.models import reference
from backend.models.agree import runs_in_steps, same_latent_space, size_fits
from backend.models.costs import coding, encoding, in_turn
from backend.models.explain import explained
from backend.models.family import SeeingFamily, describe, family_of
from backend.sdk import (
    VAE,
    Conditioning,
    Context,
    Facts,
    Image,
    Model,
    Multiline,
    Peak,
    TextEncoder,
    UserError,
    facts_of,
    node,
)
from nodes.conditioning import conditioning_facts


@node(
    category="Conditioning",
    lane="device",
    aliases=("reference latent", "kontext", "edit image", "image prompt", "klein"),
)
def reference_image(
    ctx: Context,
    conditioning: Conditioning,
    vae: VAE,
    image: Image,
    model: Model | None = None,
) -> Conditioning:
    """Show a model a picture to work from: to edit it, or to take something out of it.

    For models that were trained to, such as FLUX.1 Kontext and FLUX.2 Klein. Put the node behind
    the positive and the negative text, with the same picture; several in a row show several
    pictures. The picture may have another size than the latent: about a megapixel is what these
    models were trained with, and its sides are multiples of what the model can make (16 for a
    Flux), which the node resize brings about. Attention grows with each. A model that learnt it
    from a LoRA (Train adapter, reference) is linked to `model`.

    Example: encode_text(text="make it snow") -> reference_image -> sample.positive, with an empty
    latent.
    """
    with explained():
        family = family_of(vae)
        heeds = reference.ABILITY in describe(vae).capabilities
        if not (heeds or (model is not None and reference.heeded(model))):
            raise UserError(
                f"This {family.card.title} model does not look at reference pictures. Choose a "
                "model that does, such as FLUX.1 Kontext, and its VAE; or lay on a LoRA that "
                "teaches it, and link its model here."
            )
        latent = family.encode_image(vae, image, ctx.load, ctx.device)
        return reference.add(conditioning, latent)


@node(
    category="Conditioning",
    lane="device",
    title="Encode edit text",
    aliases=("text encode qwen image edit", "instruct", "edit image", "vision"),
)
def encode_edit_text(
    ctx: Context, text_encoder: TextEncoder, vae: VAE, text: Multiline = "", *images: Image
) -> Conditioning:
    """Say what to do with pictures, to a model whose text encoder sees them too.

    For Qwen-Image-Edit: its language model looks at the pictures while it reads the text, and the
    model itself has them as references, so no `reference_image` is needed. The first version takes
    one picture, later ones several, which the text may call "Picture 1", "Picture 2" and so on.
    The negative text needs the same pictures. They should have about a megapixel each, with sides
    that are multiples of 16, which the node resize brings about.

    Example: encode_edit_text(text="make it snow", images=[photo]) -> sample.positive, and
    encode_edit_text(text="", images=[photo]) -> sample.negative.
    """
    with explained():
        family, capabilities = family_of(text_encoder), describe(text_encoder).capabilities
        if not isinstance(family, SeeingFamily) or "sees" not in capabilities:
            raise UserError(
                f"The text encoder of this {family.card.title} model does not see pictures. Use "
                "encode text, and reference image behind it where the model takes references."
            )
        place = (ctx.load, ctx.device)
        told = family.encode_seen(text_encoder, [text], images, {}, *place)
        for image in images:
            told = reference.add(told, family_of(vae).encode_image(vae, image, *place))
        return told


@encode_edit_text.facts
def _(
    p: Any, text_encoder: Facts | None, vae: Facts | None, images: Sequence[Facts | None] = ()
) -> Facts:
    for image in images:
        _takes(vae, image)
    return conditioning_facts(text_encoder)


@encode_edit_text.peak
def _(
    p: Any, text_encoder: Facts | None, vae: Facts | None, images: Sequence[Facts | None] = ()
) -> Peak:
    return in_turn(encoding(text_encoder, None, False), *(_coding(vae, image) for image in images))


@reference_image.facts
def _(
    p: Any,
    conditioning: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    model: Facts | None = None,
) -> Facts:
    runs_in_steps(model)
    same_latent_space(vae, model)
    _takes(vae, image)
    return conditioning or facts_of("Conditioning")


@reference_image.peak
def _(
    p: Any,
    conditioning: Facts | None,
    vae: Facts | None,
    image: Facts | None,
    model: Facts | None = None,
) -> Peak:
    return _coding(vae, image)


def _takes(vae: Facts | None, image: Facts | None) -> None:
    """Refuse a picture whose sides the VAE cannot take, while the graph is edited."""
    if image is not None:
        size_fits(image.width, image.height, vae)


def _coding(vae: Facts | None, image: Facts | None) -> Peak:
    """The peak of encoding pictures."""
    known = image or facts_of("Image")
    return coding(vae, known.width, known.height, known.count)
