"""Nodes that let a model follow a picture, and that make pictures to follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from backend.media.pixels import outlines
from backend.models.agree import runs_in_steps, same_latent_space, size_fits
from backend.models.costs import coding
from backend.models.explain import explained
from backend.models.family import describe, family_of
from backend.models.lora.adapter import control_patch
from backend.models.lora.fit import check_fits
from backend.models.pipelines.reference import refuse_whole
from backend.sdk import (
    VAE,
    Context,
    Facts,
    FilePath,
    Image,
    Mask,
    Model,
    Peak,
    Range,
    UserError,
    facts_of,
    node,
)


@node(
    category="Model/Patches",
    title="Control LoRA",
    lane="device",
    aliases=("controlnet", "easycontrol", "canny", "follow edges", "control lora"),
)
def control_lora(
    ctx: Context,
    model: Model,
    vae: VAE,
    image: Image,
    file: FilePath = "",
    strength: Annotated[float, Range(0, 4, 0.05)] = 1.0,
    begin: Annotated[float, Range(0, 1, 0.01)] = 0.0,
    end: Annotated[float, Range(0, 1, 0.01)] = 1.0,
    cache: bool = True,
) -> Model:
    """Let a model follow a picture: its edges, its lines, its colours (EasyControl).

    `file` was trained with Train adapter, form control, for one kind of picture, and `image` is one
    of that kind, in the size that is made: chain control_edges or control_colours before it. Chain
    several nodes for several controls. The model looks at the picture's tokens beside its own; at
    `strength` 1 as it learnt to, above it more. 0 gives the same bits as no control. `begin` and
    `end` keep it to a part of the steps. `cache` keeps what the picture's tokens say for the length
    of a run, which changes the time alone.

    Example: load_image -> control_edges -> control_lora(file="edges.safetensors") -> sample.model.
    """
    path = ctx.read(file)
    with explained():
        refuse_whole(model)
        check_fits(path, model)
        facts = describe(model)
        if describe(vae).latent_space != facts.latent_space:
            raise UserError(
                "The VAE is of another model. Link the one that came with the model which is to "
                "follow the picture."
            )
        coded = family_of(vae).encode_image(vae, image, ctx.load, ctx.device)
        span = (begin, end)
        patch = control_patch(path, model.family, strength, span, coded.samples, cache)
    return model.with_(patch) if strength else model


@control_lora.facts
def _(p: Any, model: Facts | None, vae: Facts | None, image: Facts | None) -> Facts:
    runs_in_steps(model)
    same_latent_space(vae, model)
    if image is not None:
        size_fits(image.width, image.height, vae)
    return model or facts_of("Model")


@control_lora.peak
def _(p: Any, model: Facts | None, vae: Facts | None, image: Facts | None) -> Peak:
    known = image or facts_of("Image")
    return coding(vae, known.width, known.height, known.count)


@node(category="Image/Control", aliases=("canny", "edge detect", "outline", "preprocessor"))
def control_edges(
    ctx: Context,
    image: Image,
    low: Annotated[float, Range(0, 1, 0.01)] = 0.4,
    high: Annotated[float, Range(0, 1, 0.01)] = 0.8,
) -> Image:
    """Draw the edges of a picture white on black, one pixel wide (Canny).

    An edge begins where the step between neighbours is above `high` and goes on while it is above
    `low`, in any channel. Lower both for more edges.

    Example: load_image -> control_edges -> control_lora(file="edges.safetensors").
    """
    return outlines.edges(image, low, high, ctx.check)


@control_edges.facts
def _(p: Any, image: Facts | None) -> Facts:
    return _three(image)


@node(category="Image/Control", aliases=("line art", "sketch", "hed", "soft edge", "preprocessor"))
def control_lines(
    ctx: Context, image: Image, radius: Annotated[float, Range(0.5, 16, 0.1)] = 1.5
) -> Image:
    """Turn a picture into a line drawing, light lines on black.

    A line is drawn where a pixel differs from what lies around it; `radius` is about the width of
    the lines in pixels.

    Example: `radius` = 3 keeps the large shapes of a photo and leaves its grain out.
    """
    return outlines.lines(image, radius, ctx.check)


@control_lines.facts
def _(p: Any, image: Facts | None) -> Facts:
    return _three(image)


@node(category="Image/Control", aliases=("colour grid", "color palette", "t2i color", "mosaic"))
def control_colours(
    ctx: Context, image: Image, cells: Annotated[int, Range(1, 64, 1)] = 8
) -> Image:
    """Show the mean colour of each field of a picture: what colours it has where.

    The picture is cut into `cells` by `cells` fields; its size stays.

    Example: `cells` = 8 says where sky, sea and sand are, and nothing of their shapes.
    """
    return outlines.colour_grid(image, cells, ctx.check)


@control_colours.facts
def _(p: Any, image: Facts | None) -> Facts:
    return _three(image)


@node(category="Image/Control", aliases=("depth map", "z order", "layers", "preprocessor"))
def control_depth_order(ctx: Context, masks: list[Mask]) -> Image:
    """Paint masks as grey levels by their order in depth: the first is farthest, the last is white.

    Example: make_list of three shape_mask -> control_depth_order: what lies before what.
    """
    return outlines.depth_order(masks, ctx.check)


@control_depth_order.facts
def _(p: Any, masks: Sequence[Facts | None] | Facts | None) -> Facts:
    return facts_of("Image", channels=3)


def _three(image: Facts | None) -> Facts:
    """The same picture in three channels."""
    known = image or facts_of("Image")
    return facts_of("Image", width=known.width, height=known.height, channels=3, count=known.count)
