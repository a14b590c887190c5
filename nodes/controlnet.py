"""Nodes that let a model follow a picture through a ControlNet."""

from __future__ import annotations

from typing import Annotated, Any

from backend.catalog.controlnets import PART, check_controlnet, read_controlnet
from backend.catalog.errors import CatalogError
from backend.models.agree import runs_in_steps, same_latent_space, size_fits
from backend.models.controlnet.file import NetFacts, facts_of_net, net_facts, reference
from backend.models.controlnet.fit import check_family, check_fits
from backend.models.controlnet.patch import MASK, PICTURE, controlnet_patch
from backend.models.costs import coding
from backend.models.explain import explained
from backend.models.family import describe, families, family_of
from backend.models.pipelines.reference import refuse_whole
from backend.models.pixels import colours
from backend.sdk import (
    VAE,
    Context,
    ControlNet,
    Facts,
    Image,
    Mask,
    Model,
    ModelRef,
    Peak,
    Range,
    UserError,
    facts_of,
    node,
)
from backend.values import Float32


@node(
    category="Model/Loaders",
    title="Load ControlNet",
    aliases=("controlnet loader", "canny", "depth", "openpose", "union"),
)
def load_controlnet(ctx: Context, controlnet: ModelRef = "") -> ControlNet:
    """Name a ControlNet: a network that reads a picture and makes a model follow it.

    `controlnet` is a folder as diffusers saves it, or a safetensors file under diffusers' names or
    those of the first ControlNets; for Stable Diffusion, SDXL or FLUX.1. Pickles (.pth) are
    refused, since reading one can run code. Nothing is loaded yet.

    Example: load_controlnet(controlnet="control_v11p_sd15_canny.safetensors") -> apply_controlnet.
    """
    with explained():
        return reference(read_controlnet(ctx.model_folder(controlnet)))


@load_controlnet.facts
def _(p: Any) -> Facts:
    known = facts_of("ControlNet")
    folder = p.lookup.model(p.controlnet) if p.controlnet else None
    if folder is None:
        return known
    try:
        check_controlnet(folder)
        said = net_facts(folder)
    except CatalogError as error:
        raise UserError(str(error)) from error
    return known.but(
        family=said.family,
        identity=folder.identity((PART,)),
        bytes=folder.nbytes,
        token_bytes=said.token_bytes,
    )


@node(
    category="Model/Patches",
    title="Apply ControlNet",
    lane="device",
    aliases=("controlnet", "control net apply", "canny", "depth", "pose", "tile"),
)
def apply_controlnet(
    ctx: Context,
    model: Model,
    controlnet: ControlNet,
    image: Image,
    strength: Annotated[float, Range(0, 4, 0.05)] = 1.0,
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
    mode: Annotated[int, Range(0, 63)] = 0,
    mask: Mask | None = None,
    vae: VAE | None = None,
) -> Model:
    """Let a model follow a picture through a ControlNet.

    `image` is a picture of the kind that the net was trained for: edges from control_edges, depth,
    a blurred copy from blur. One picture serves all that are made, or there are as many. For Stable
    Diffusion and SDXL it is brought to the size that is made, if its proportions are the same; for
    FLUX.1 it has that size already, and `vae` is the model's. Chain several nodes for several nets:
    they add up. `strength` 0 gives the same bits as no ControlNet. `begin` and `end` keep it to a
    part of the steps, `mask` to a part of the picture: grey is half as strong. `mode` is the number
    of the kind of picture for a union net.

    Example: load_image -> control_edges -> apply_controlnet(strength=0.8) -> sample.model.
    """
    with explained():
        refuse_whole(model)
        net = facts_of_net(controlnet)
        check_fits(net, model)
        _check_mode(net, mode)
        tensors = {PICTURE: _picture(ctx, net, model, image, vae)}
        if mask is not None:
            tensors[MASK] = _fitting(mask, image)
            if not mask.coverage.any():
                ctx.note("The mask is empty, so this ControlNet changes nothing.")
                return model
        patch = controlnet_patch(controlnet, strength, (begin, end), mode, tensors)
    return model.with_(patch) if strength else model


@apply_controlnet.gives
def _(
    p: Any,
    ctx: Context,
    model: Model,
    controlnet: ControlNet,
    image: Any,
    mask: Any = None,
    vae: Any = None,
) -> Model:
    """The same without the picture, which a plan of memory does not need."""
    patch = controlnet_patch(controlnet, p.strength, (p.begin, p.end), p.mode, {})
    return model.with_(patch) if p.strength else model


@apply_controlnet.facts
def _(
    p: Any,
    model: Facts | None,
    controlnet: Facts | None,
    image: Facts | None,
    mask: Facts | None = None,
    vae: Facts | None = None,
) -> Facts:
    runs_in_steps(model)
    same_latent_space(vae, model)
    known = model or facts_of("Model")
    if controlnet is None or not controlnet.family:
        return known
    if known.family and known.family != controlnet.family:
        with explained():
            check_family(controlnet.family, _title(controlnet), known.family, _title(known))
    if controlnet.family == "flux" and image is not None:
        size_fits(image.width, image.height, model)
    if not p.strength or not known.token_bytes:
        return known
    return known.but(token_bytes=known.token_bytes + (controlnet.token_bytes or 0))


@apply_controlnet.peak
def _(
    p: Any,
    model: Facts | None,
    controlnet: Facts | None,
    image: Facts | None,
    mask: Facts | None = None,
    vae: Facts | None = None,
) -> Peak:
    if vae is None or controlnet is None or controlnet.family != "flux":
        return Peak(0)
    known = image or facts_of("Image")
    return coding(vae, known.width, known.height, known.count)


def _title(known: Facts) -> str:
    family = families().get(str(known.family))
    return family.card.title if family else str(known.family)


def _check_mode(net: NetFacts, mode: int) -> None:
    if net.modes and mode >= net.modes:
        raise UserError(
            f"This ControlNet knows the kinds of picture 0 to {net.modes - 1}, not {mode}. Its "
            "page tells which is which."
        )


def _picture(ctx: Context, net: NetFacts, model: Model, image: Image, vae: VAE | None) -> Float32:
    """The picture as the net sees it: sRGB pixels, or its clean latent."""
    if net.sees == "pixels":
        return colours(image).clip(0, 1)
    if vae is None:
        raise UserError(
            f"A ControlNet for {net.title} sees pictures through the model's VAE. Link the VAE "
            "that came with the model."
        )
    if describe(vae).latent_space != describe(model).latent_space:
        raise UserError(
            "The VAE is of another model. Link the one that came with the model which is to follow "
            "the picture."
        )
    return family_of(vae).encode_image(vae, image, ctx.load, ctx.device).samples


def _fitting(mask: Mask, image: Image) -> Float32:
    """The mask's coverage, if it lies over the picture."""
    high, wide = mask.coverage.shape[1:]
    if abs(wide * image.height - high * image.width) > max(wide, high, image.width, image.height):
        raise UserError(
            f"The mask is {wide}x{high} pixels, and the picture {image.width}x{image.height}: "
            "other proportions. Make the mask from the same picture."
        )
    return mask.coverage
