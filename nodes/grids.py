"""Nodes that put several pictures into one: contact sheets and batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from backend.media.pixels import sheets, stacks
from backend.media.pixels.batches import require_pixels, require_size
from backend.media.pixels.knowledge import NO_IMAGE, knows, size_of, sized
from backend.sdk import Color, ColorParam, Context, Facts, Image, Range, facts_of, node

WHITE = Color(1, 1, 1)


@node(category="Image/Grid", aliases=("contact sheet", "tile", "montage", "compare", "xy plot"))
def grid(
    ctx: Context,
    *images: Image,
    labels: list[str] | None = None,
    columns: Annotated[int, Range(0, 256, 1)] = 0,
    gap: Annotated[int, Range(0, 1024, 1)] = 8,
    background: ColorParam = WHITE,
    label_size: Annotated[int, Range(6, 256, 1)] = 16,
) -> Image:
    """Arrange pictures in rows and columns.

    Link single pictures, batches and lists (such as a loop gives) to `images`; every picture gets
    a cell of its own, row by row. Cells are as large as the widest and the highest
    picture, smaller ones stand centred on `background`. `columns` = 0 makes the grid as square as
    it gets. `labels` is a list of one text for each picture, written below it in `label_size`
    pixels; letters that the built-in typeface lacks lose their accent or become a question mark.

    Example: a loop over four seeds, its list of pictures on `images`, `columns` = 2: a 2 x 2
    comparison.
    """
    return sheets.make_sheet(images, columns, gap, background, labels or [], label_size, ctx.check)


@grid.facts
def _grid_facts(
    p: Any,
    images: Sequence[Facts] = (),
    labels: Facts | None = None,
) -> Facts:
    facts = facts_of("Image", count=1)
    channels = [picture.channels for picture in images]
    if images and knows(p.background, *channels):
        facts = facts.but(channels=sheets.sheet_channels(channels, p.background))
    cells = _number(images)
    labelled = labels.length if labels and labels.is_list else int(labels is not None)
    sizes = [size_of(picture) for picture in images]
    if cells is None or labelled is None:
        return facts
    sheets.require_labels(cells, labelled)
    if None in sizes or not knows(p.columns, p.gap) or (labelled and p.label_size is None):
        return facts
    known = [size for size in sizes if size is not None]
    largest = max((w for w, _ in known), default=0), max((h for _, h in known), default=0)
    sheet = sheets.plan_sheet(cells, largest, p.columns, p.gap, p.label_size if labelled else 0)
    return sized(facts, (sheet.width, sheet.height))


@node(category="Image/Batch", aliases=("stack", "make batch", "concat", "join"))
def batch_images(ctx: Context, *images: Image) -> Image:
    """Make one batch of several pictures of one size, in order.

    Link single pictures, batches and lists to `images`. Grey pictures become colour
    and opaque ones get alpha where another needs it. Sizes must agree; resize first if they do not.

    Example: four pictures in one batch go through a model together.
    """
    return stacks.stack(images, ctx.check)


@batch_images.facts
def _batch_facts(p: Any, images: Sequence[Facts] = ()) -> Facts:
    require_size(**{f"image_{i}": (f.width, f.height) for i, f in enumerate(images, 1)})
    size = next((size_of(f) for f in images if size_of(f)), None)
    channels = [f.channels for f in images]
    count = _number(images)
    if size is not None:
        require_pixels(*size, count)
    most = max(channels) if channels and knows(*channels) else None
    return sized(NO_IMAGE, size).but(channels=most, count=count)


@node(category="Image/Batch", aliases=("split batch", "batch to list", "unstack"))
def unbatch_images(ctx: Context, image: Image) -> list[Image]:
    """Take a batch apart into a list of single pictures.

    What follows then runs once for each, and a for-each zone can go through them.

    Example: unbatch, save image: each picture of a batch becomes a file of its own.
    """
    return stacks.unstack(image, ctx.check)


@unbatch_images.facts
def _unbatch_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    return image.but(count=1).listed(image.count)


@node(category="Image/Batch", aliases=("pick from batch", "select", "index", "slice"))
def take_images(
    ctx: Context,
    image: Image,
    first: Annotated[int, Range(-4096, 4095, 1)] = 0,
    number: Annotated[int, Range(0, 4096, 1)] = 1,
) -> Image:
    """Take some pictures out of a batch.

    `first` counts from 0; a negative one counts from the end (-1 is the last). `number` = 0 takes
    all that follow.

    Example: `first` = -1 takes the last picture of a batch.
    """
    return stacks.take(image, first, number, ctx.check)


@take_images.facts
def _take_facts(p: Any, image: Facts | None = None) -> Facts:
    image = image or NO_IMAGE
    if not knows(image.count, p.first, p.number):
        return image.but(count=None)
    start, end = stacks.taken_range(image.count, p.first, p.number)
    return image.but(count=end - start)


def _number(pictures: Sequence[Facts]) -> int | None:
    """How many pictures there are together; ``None`` where one of them does not say."""
    total = 0
    for facts in pictures:
        length = facts.length if facts.is_list else 1
        if facts.count is None or length is None:
            return None
        total += facts.count * length
    return total
