"""Facts about pictures: what a node's result will be like, worked out before anything runs."""

from __future__ import annotations

from typing import Any

from backend.graph.facts import Facts, facts_of

NO_IMAGE = facts_of("Image")
NO_MASK = facts_of("Mask")


def size_of(picture: Facts | None) -> tuple[int, int] | None:
    """Width and height of an image or mask, where both are known."""
    if picture is None or picture.width is None or picture.height is None:
        return None
    return picture.width, picture.height


def sized(facts: Facts, size: tuple[int | None, int | None] | None) -> Facts:
    """The facts with another size; ``None`` where it is not known."""
    width, height = size or (None, None)
    return facts.but(width=width, height=height)


def knows(*values: Any) -> bool:
    """Whether all of these parameters and facts are known."""
    return None not in values


def mask_facts(picture: Facts | None, count: int | None = None) -> Facts:
    """A mask of a picture's size; of its count too, unless another is given."""
    if picture is None:
        return NO_MASK
    counted = picture.count if count is None else count
    return facts_of("Mask", width=picture.width, height=picture.height, count=counted)


def image_facts(picture: Facts | None, channels: int | None) -> Facts:
    """An image of the size and count of a mask or image, with other channels."""
    if picture is None:
        return NO_IMAGE
    return facts_of(
        "Image",
        width=picture.width,
        height=picture.height,
        count=picture.count,
        channels=channels,
    )
