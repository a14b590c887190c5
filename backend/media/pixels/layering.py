"""Pictures into layers, and layers found, ordered and taken out again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from backend.media.pixels.batches import Check, require_size, seal, unchecked
from backend.media.pixels.color import in_space, widen, with_alpha
from backend.media.pixels.flatten import laid
from backend.sdk import UserError
from backend.values import Image, Layer, LayerMode, Layers, Mask
from backend.values.layers import LONGEST_NAME


def layer_of(
    image: Image,
    index: int = 0,
    mask: Mask | None = None,
    name: str = "",
    mode: LayerMode = "normal",
    opacity: float = 1.0,
    x: int = 0,
    y: int = 0,
    visible: bool = True,
) -> Layer:
    """One picture of a batch as a layer: sRGB, clipped to 0..1, its alpha times the mask.

    Raises:
        UserError: the mask is not as large as the picture, or the name is too long.
    """
    pixels = widen(in_space(image.pixels[index], image.space, "srgb"), 4)
    if mask is not None:
        require_size(mask=(mask.width, mask.height), image=(image.width, image.height))
        coverage = mask.coverage[index if mask.count > 1 else 0]
        pixels = with_alpha(pixels[..., :3], pixels[..., 3] * coverage)
    return Layer(seal(np.clip(pixels, 0, 1)), checked_name(name), mode, opacity, x, y, visible)


def checked_name(name: str) -> str:
    """A layer's name, on one line.

    Raises:
        UserError: it is too long.
    """
    short = " ".join(name.split())
    if len(short) > LONGEST_NAME:
        raise UserError(
            f"A layer's name has at most {LONGEST_NAME} letters; {short[:30]!r}... has "
            f"{len(short)}. Shorten it."
        )
    return short


def stacked(width: int, height: int, layers: Iterable[Layer]) -> Layers:
    """Layers on a canvas.

    Raises:
        UserError: there are none, or more layers or pixels than a stack may have.
    """
    try:
        return Layers(width, height, tuple(layers))
    except ValueError as error:
        raise UserError(f"These layers cannot be one stack: {error}.") from error


def place_of(stack: Layers, which: str) -> int:
    """The place of a layer by its name, or by its number from 1, the lowest, on; -1 is the top.

    Raises:
        UserError: there is none, or several have that name.
    """
    asked = which.strip()
    found = [i for i, name in enumerate(stack.names) if name == asked]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(i + 1) for i in found[:10])
        raise UserError(
            f"{len(found)} layers are called {asked!r}: numbers {numbers}. Give the number."
        )
    number = _whole(asked)
    if number is not None and 1 <= number <= stack.count:
        return number - 1
    if number is not None and -stack.count <= number <= -1:
        return stack.count + number
    names = ", ".join(f"{i} {name!r}" for i, name in list(enumerate(stack.names, 1))[:12])
    raise UserError(
        f"There is no layer {asked!r}. The layers are {names}"
        + (f" and {stack.count - 12} more" if stack.count > 12 else "")
        + ". Give a name, or a number from 1 on."
    )


def _whole(text: str) -> int | None:
    try:
        return int(text) if len(text) < 10 else None
    except ValueError:
        return None


def ordered(stack: Layers, order: Sequence[float]) -> Layers:
    """The layers by their numbers, from the bottom up; those not named are left out.

    Raises:
        UserError: a number is of no layer, or comes twice.
    """
    places: list[int] = []
    for number in order:
        if number % 1 or not 1 <= number <= stack.count:
            raise UserError(
                f"There is no layer {number:g}: they are numbered 1 to {stack.count}, from the "
                "bottom up."
            )
        if int(number) - 1 in places:
            raise UserError(f"The layer {number:g} stands twice in the order. Name it once.")
        places.append(int(number) - 1)
    return stack.but(layers=tuple(stack.layers[i] for i in places))


def on_canvas(stack: Layers, layer: Layer, check: Check = unchecked) -> Image:
    """One layer's own pixels on the whole canvas, without its opacity and mode."""
    shown = layer.but(mode="normal", opacity=1.0, visible=True)
    return Image(laid([shown], stack.width, stack.height, check=check)[np.newaxis])
