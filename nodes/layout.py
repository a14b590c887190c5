"""Nodes for layouts: what shall be where in a picture."""

from __future__ import annotations

from typing import Annotated, Any

from backend.media.pixels import boxes as drawn
from backend.sdk import (
    Boxes,
    Context,
    Facts,
    Image,
    Layout,
    Mask,
    Multiline,
    Range,
    UserError,
    facts_of,
    node,
)
from backend.values.layout import BadBoxes, read_text

Side = Annotated[int, Range(1, 16384, 8)]


@node(category="Image/Layout", aliases=("boxes", "bounding boxes", "regions", "gligen", "place"))
def layout(ctx: Context, boxes: Boxes = (), width: Side = 1024, height: Side = 1024) -> Layout:
    """Say what shall be where in a picture: boxes with captions.

    Each of the `boxes` has a place and a caption of its own. `width` and `height` are those of the
    picture in pixels; boxes are kept as shares of it, so that they fit any size. In a file, or for
    `--set layout.boxes=...` or `@boxes.json`, they are
    [{"box": [x, y, width, height], "caption": "..."}] with numbers from 0 to 1. What reaches over
    the edge of the picture is cut there.

    Example: a box on the left "a red circle", one on the right "a blue star" -> regional_prompts,
    layout_guidance or layout_adapter.
    """
    try:
        return Layout(tuple(boxes), width, height)
    except BadBoxes as error:
        raise UserError(f"The layout {error}.") from error


@layout.facts
def _(p: Any) -> Facts:
    count = len(p.boxes) if p.boxes is not None else None
    return facts_of("Layout", width=p.width, height=p.height, count=count)


@node(category="Image/Layout", aliases=("parse boxes", "json", "boxes from text", "llm layout"))
def layout_from_json(
    ctx: Context, text: Multiline = "", width: Side = 1024, height: Side = 1024
) -> Layout:
    """Read a layout from text, such as what a language model writes.

    The text holds a JSON list of {"box": [x, y, width, height], "caption": "..."}, or an object
    with such a list as "boxes"; words around it do not matter. Numbers are shares of the picture,
    0 to 1; what reaches over its edge is cut there.

    Example: plan_boxes(caption="a red circle above a blue square") -> layout_from_json ->
    layout_adapter.
    """
    try:
        return Layout(read_text(text), width, height)
    except BadBoxes as error:
        raise UserError(f"The text {error}.") from error


@layout_from_json.facts
def _(p: Any) -> Facts:
    return facts_of("Layout", width=p.width, height=p.height)


@node(category="Image/Layout", aliases=("boxes to mask", "region mask"))
def layout_to_mask(
    ctx: Context, layout: Layout, feather: Annotated[float, Range(0, 1024, 1)] = 0.0
) -> Mask:
    """Make a mask of each box of a layout, in order, at the layout's size.

    `feather` is the width in pixels of the soft edge, half of it inside the box.

    Example: layout -> layout_to_mask -> batch_item(index=0) -> inpaint_mask.
    """
    return drawn.masks(layout, feather, ctx.check)


@layout_to_mask.facts
def _(p: Any, layout: Facts | None) -> Facts:
    known = layout or facts_of("Layout")
    return facts_of("Mask", width=known.width, height=known.height, count=known.count)


@node(category="Image/Layout", aliases=("show boxes", "annotate", "bounding boxes", "overlay"))
def draw_layout(ctx: Context, layout: Layout, image: Image | None = None) -> Image:
    """Draw the boxes of a layout and their captions, over a picture or an empty ground.

    Without `image` the result has the layout's size, with it the picture's.

    Example: layout -> draw_layout, with the sampled picture as `image`: what went where.
    """
    return drawn.draw(layout, image, ctx.check)


@draw_layout.facts
def _(p: Any, layout: Facts | None, image: Facts | None = None) -> Facts:
    known = image or layout or facts_of("Layout")
    count = image.count if image else 1
    channels = (4 if image.channels == 4 else 3) if image and image.channels else 3
    if image and not image.channels:
        return facts_of("Image", width=known.width, height=known.height, count=count)
    return facts_of("Image", width=known.width, height=known.height, channels=channels, count=count)
