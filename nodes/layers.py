"""Nodes that build stacks of layers, change them, and turn them into pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, cast

from backend.media.pixels import layering
from backend.media.pixels.batches import require_size
from backend.media.pixels.flatten import flatten
from backend.media.pixels.knowledge import NO_IMAGE
from backend.sdk import (
    Context,
    Facts,
    Image,
    Layer,
    Layers,
    Mask,
    Multiline,
    Range,
    ScalarList,
    UserError,
    facts_of,
    node,
)
from backend.values import LayerMode
from backend.values.layers import MODES

SIDE = 32768
NO_LAYERS = facts_of("Layers")
if TYPE_CHECKING:
    ModeOrSame: TypeAlias = str
else:
    ModeOrSame = Literal[("as it is", *MODES)]
Offset: TypeAlias = Annotated[int, Range(-SIDE, SIDE, 1)]
Opacity: TypeAlias = Annotated[float, Range(0, 1, 0.01)]


class Picked(NamedTuple):
    """A layer's picture and coverage, and what it is called and where it lies."""

    image: Image
    mask: Mask
    name: str
    x: int
    y: int


class Row(NamedTuple):
    """The pictures of layers, from the bottom up, and their names."""

    images: list[Image]
    names: list[str]


@node(category="Layers", aliases=("stack", "layer stack", "psd", "images to layers"))
def make_layers(ctx: Context, images: list[Image], names: Multiline = "") -> Layers:
    """Make a stack of layers of pictures: the first is the lowest.

    Each picture of a list, and of a batch in it, becomes a layer at the top left of the canvas,
    which is as large as the largest of them. `names` has a line for each; the others are called
    Layer 1, Layer 2 and so on. Colours are sRGB from 0 to 1; what lies outside is clipped.

    Example: make_list of a background and two cut-outs, names="Sky / Hill / Tree" on three lines
    -> make_layers -> save_layers(format="ora").
    """
    if not images:
        raise UserError("There is nothing to make layers of. Link at least one picture.")
    given = names.split("\n") if names.strip() else []
    layers: list[Layer] = []
    for image in images:
        for index in range(image.count):
            ctx.check()
            number = len(layers)
            name = given[number].strip() if number < len(given) else ""
            layers.append(layering.layer_of(image, index, name=name or f"Layer {number + 1}"))
    if len(given) > len(layers):
        raise UserError(f"There are {len(given)} names for {len(layers)} layers. Leave some out.")
    width, height = max(each.width for each in layers), max(each.height for each in layers)
    return layering.stacked(width, height, layers)


@make_layers.facts
def _(p: Any, images: Facts | None) -> Facts:
    if images is None:
        return NO_LAYERS
    count = images.count * images.length if images.count and images.length else None
    return NO_LAYERS.but(width=images.width, height=images.height, count=count)


@node(category="Layers", aliases=("new layer", "put on top", "compose"))
def add_layer(
    ctx: Context,
    image: Image,
    layers: Layers | None = None,
    mask: Mask | None = None,
    name: str = "",
    mode: LayerMode = "normal",
    opacity: Opacity = 1.0,
    x: Offset = 0,
    y: Offset = 0,
    visible: bool = True,
) -> Layers:
    """Put a picture on top of a stack of layers, or begin a stack with it.

    `x`, `y` is where its top left corner lies on the canvas; it may hang over or lie outside, and
    keeps its pixels there. Its alpha times `mask` (as large as the picture; 1 shows it) is how much
    it covers. With no `layers` linked the canvas is as large as the picture. Of a batch each
    picture becomes a layer.

    Example: load_image(file="hill.jpg") -> add_layer(name="Hill") -> add_layer.layers of a second
    one with a cut-out, mode="multiply", opacity=0.5, x=40.
    """
    called = name.strip() or f"Layer {(layers.count if layers else 0) + 1}"
    new = []
    for index in range(image.count):
        ctx.check()
        own = called if image.count == 1 else f"{called} {index + 1}"
        new.append(layering.layer_of(image, index, mask, own, mode, opacity, x, y, visible))
    if layers is None:
        return layering.stacked(image.width, image.height, new)
    return layering.stacked(layers.width, layers.height, (*layers.layers, *new))


@add_layer.facts
def _(p: Any, image: Facts | None, layers: Facts | None = None, mask: Facts | None = None) -> Facts:
    known = image or NO_IMAGE
    if mask is not None:
        require_size(mask=(mask.width, mask.height), image=(known.width, known.height))
    if layers is None:
        return NO_LAYERS.but(width=known.width, height=known.height, count=known.count)
    count = layers.count + known.count if layers.count and known.count else None
    return layers.but(count=count)


@node(category="Layers", aliases=("pick layer", "get layer", "extract"))
def layer(
    ctx: Context, layers: Layers, which: str = "1", place: Literal["own", "canvas"] = "own"
) -> Picked:
    """Take one layer out of a stack as a picture with alpha.

    `which` is its name, or its number: 1 is the lowest, -1 the topmost. The picture is the layer's
    `own` pixels, without its opacity and blend mode, or these at their place on the whole
    `canvas`. `x`, `y` is where its top left corner lies; on the canvas that is 0, 0.

    Example: load_layers(file="poster.psd") -> layer(which="Logo") -> save_image.
    """
    found = layers.layers[layering.place_of(layers, which)]
    if place == "canvas":
        image, x, y = layering.on_canvas(layers, found, ctx.check), 0, 0
    else:
        image, x, y = Image(found.pixels[None]), found.x, found.y
    return Picked(image, Mask(image.pixels[..., 3]), found.name, x, y)


@layer.facts
def _(p: Any, layers: Facts | None) -> dict[str, Facts]:
    image, mask = NO_IMAGE.but(channels=4, count=1), facts_of("Mask", count=1)
    if p.place == "canvas" and layers is not None:
        size = {"width": layers.width, "height": layers.height}
        image, mask = image.but(**size), mask.but(**size)
    names = {"name": facts_of("Text"), "x": facts_of("Integer"), "y": facts_of("Integer")}
    return {"image": image, "mask": mask, **names}


@node(category="Layers", aliases=("split layers", "explode", "list of layers"))
def layers_to_images(
    ctx: Context, layers: Layers, place: Literal["own", "canvas"] = "canvas", hidden: bool = True
) -> Row:
    """Give the layers of a stack as a list of pictures with alpha, from the bottom up.

    Each is the layer's `own` pixels, or these at their place on the whole `canvas`; opacity and
    blend mode are left out. `hidden` layers come too, unless that is off.

    Example: load_layers -> layers_to_images -> save_image(name="parts/{counter:2}").
    """
    chosen = [each for each in layers.layers if hidden or each.visible]
    if not chosen:
        raise UserError("All layers are hidden. Switch hidden on, or show one by Set layer.")
    images = []
    for index, each in enumerate(chosen):
        ctx.progress(index, len(chosen))
        own = place == "own"
        images.append(
            Image(each.pixels[None]) if own else layering.on_canvas(layers, each, ctx.check)
        )
    return Row(images, [each.name for each in chosen])


@layers_to_images.facts
def _(p: Any, layers: Facts | None) -> dict[str, Facts]:
    image, length = NO_IMAGE.but(channels=4, count=1), None
    if layers is not None and p.hidden:
        length = layers.count
    if layers is not None and p.place == "canvas":
        image = image.but(width=layers.width, height=layers.height)
    return {"images": image.listed(length), "names": facts_of("Text").listed(length)}


@node(category="Layers", aliases=("merge", "recompose", "layers to image", "composite layers"))
def flatten_layers(ctx: Context, layers: Layers) -> Image:
    """Lay all visible layers over each other: the picture of a stack, with alpha.

    The lowest comes first. Modes, opacities and alpha follow W3C Compositing and Blending Level 1
    on sRGB values, as paint programs do. What no layer covers stays transparent; composite puts
    a background beneath.

    Example: load_layers(file="poster.ora") -> flatten_layers -> save_image.
    """
    return flatten(layers, ctx.check)


@flatten_layers.facts
def _(p: Any, layers: Facts | None) -> Facts:
    known = layers or NO_LAYERS
    return NO_IMAGE.but(width=known.width, height=known.height, channels=4, count=1)


@node(category="Layers", aliases=("layer properties", "opacity", "blend mode", "hide", "move"))
def set_layer(
    ctx: Context,
    layers: Layers,
    which: str = "-1",
    name: str = "",
    mode: ModeOrSame = "as it is",
    opacity: Opacity = 1.0,
    x: Offset = 0,
    y: Offset = 0,
    visible: Literal["as it is", "shown", "hidden"] = "as it is",
) -> Layers:
    """Change one layer of a stack: its name, mode, opacity, place or visibility.

    `which` is its name, or its number: 1 is the lowest, -1 the topmost. An empty `name` keeps the
    name. `opacity` multiplies the layer's own, and `x`, `y` move it, to the right and down. As they
    stand at first, all of them change nothing.

    Example: set_layer(which="Shadow", mode="multiply", opacity=0.6, y=4).
    """  # fmt: skip
    at = layering.place_of(layers, which)
    old = layers.layers[at]
    try:
        new = old.but(
            name=layering.checked_name(name) or old.name,
            mode=old.mode if mode == "as it is" else cast(LayerMode, mode),
            opacity=old.opacity * opacity,
            x=old.x + x,
            y=old.y + y,
            visible=old.visible if visible == "as it is" else visible == "shown",
        )
    except ValueError as error:
        raise UserError(f"The layer {old.name!r} cannot be moved so far: {error}.") from error
    return layers.but(layers=(*layers.layers[:at], new, *layers.layers[at + 1 :]))


@set_layer.facts
def _(p: Any, layers: Facts | None) -> Facts:
    return layers or NO_LAYERS


@node(category="Layers", aliases=("reorder", "sort layers", "remove layer", "delete layer"))
def order_layers(ctx: Context, layers: Layers, order: ScalarList = ()) -> Layers:
    """Put layers into another order, and leave some out.

    `order` has the numbers of the layers to keep, from the bottom up; 1 is the lowest now. An empty
    order keeps all as they are.

    Example: order=[3, 1] keeps the third layer and lays the first one over it.
    """
    return layering.ordered(layers, order) if order else layers


@order_layers.facts
def _(p: Any, layers: Facts | None) -> Facts:
    known = layers or NO_LAYERS
    order: Sequence[float] | None = p.order
    return known if not order else known.but(count=len(order))
