"""Nodes that read picture files and write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from backend.media.pixels.color import as_color
from backend.media.pixels.knowledge import NO_IMAGE, NO_MASK, mask_facts
from backend.sdk import (
    Color,
    ColorParam,
    Context,
    Facts,
    FilePath,
    FolderPath,
    Image,
    Mask,
    NameTemplate,
    Range,
    UserError,
    node,
)

WHITE = Color(1, 1, 1)


class Loaded(NamedTuple):
    """A picture and how much of it is covered."""

    image: Image
    mask: Mask


class Listing(NamedTuple):
    """The pictures of a folder, and the file name of each."""

    images: list[Image]
    names: list[str]


@node(
    category="Image/File",
    lane="file",
    aliases=("open", "read", "import", "photo", "picture", "png", "jpeg", "webp", "tiff"),
)
def load_image(ctx: Context, file: FilePath = "") -> Loaded:
    """Read a picture from a PNG, JPEG, WebP or TIFF file.

    `file` is relative to the workflow's folder. A picture may be read only where you granted it:
    beside the workflow, or in a folder given with `--allow-read`.

    `image` is sRGB with the depth of the file (8 or 16 bits, or float), turned upright as the
    camera noted, and converted from its colour profile. Grey stays grey, transparency stays as
    alpha. A TIFF of several pages of one size is a batch; of an animation you get the first frame.
    `mask` is the alpha: 1 where the picture covers, 0 where it is transparent, 1 everywhere
    without alpha.

    Example: `file` = photos/hill.jpg, with `image` wired into Resize.
    """
    import numpy as np

    images = ctx.read_images(file)
    if len(images) > 1:
        raise UserError(
            f"{file!r} holds {len(images)} pages of different sizes, which are no batch. Image "
            "folder gives them one by one; or save the pages as files of their own."
        )
    image = images[0]
    if image.has_alpha:
        return Loaded(image, Mask(image.pixels[..., 3]))
    return Loaded(image, Mask(np.ones(image.pixels.shape[:3], np.float32)))


@load_image.facts
def _load_image_facts(p: Any) -> dict[str, Facts]:
    known = p.lookup.image(p.file) if p.lookup is not None and p.file else None
    image: Facts = known or NO_IMAGE
    return {"image": image, "mask": mask_facts(image) if known else NO_MASK}


@node(category="Image/File", lane="file", aliases=("directory", "batch", "load images", "glob"))
def image_folder(
    ctx: Context,
    folder: FolderPath = "",
    pattern: str = "*",
    sort: Literal["name", "newest", "oldest"] = "name",
    skip: Annotated[int, Range(0, 1_000_000, 1)] = 0,
    limit: Annotated[int, Range(1, 10_000, 1)] = 100,
) -> Listing:
    """Read the pictures of a folder as a list; nodes behind it work on them one by one.

    `folder` is relative to the workflow's folder and must be granted, as for Load image.
    `pattern` chooses among the file names: `*` stands for any characters, `?` for one, and several
    patterns are separated by `;`. Only PNG, JPEG, WebP and TIFF files count, not those in folders
    below, and not hidden ones. `sort` by `name` puts img2 before img10; `newest` and `oldest` go by
    when a file was changed. The first `skip` files are left out, and at most `limit` are read.

    `names` are the file names, in the same order.

    Example: `folder` = shots, `pattern` = IMG_*.jpg, `limit` = 20, with `images` wired into Grid.
    """
    from backend.media.folders import check_total, list_images

    names = list_images(ctx.read(folder), pattern, sort)[skip : skip + limit]
    if not names:
        raise UserError(
            f"There is no picture in {folder!r} that fits {pattern!r}"
            + (f" after the first {skip}." if skip else ".")
            + " Weft reads .png, .jpg, .jpeg, .webp, .tif and .tiff."
        )
    # A link in the folder may lead anywhere, so each file is asked for by itself.
    files = [f"{folder.rstrip('/')}/{name}" for name in names]
    check_total(folder, [ctx.read(file) for file in files], ctx.check)
    images: list[Image] = []
    labels: list[str] = []
    for index, (name, file) in enumerate(zip(names, files, strict=True)):
        ctx.progress(index, len(names))
        pages = ctx.read_images(file)
        images.extend(pages)
        labels.extend([name] * len(pages))
    ctx.progress(len(names), len(names))
    return Listing(images, labels)


@image_folder.facts
def _image_folder_facts(p: Any) -> dict[str, Facts]:
    return {"images": NO_IMAGE.listed(), "names": Facts("Text").listed()}


@node(
    category="Image/File",
    effect=True,
    lane="file",
    aliases=("write", "export", "output", "png", "jpeg", "webp", "tiff"),
)
def save_image(
    ctx: Context,
    image: Image,
    name: NameTemplate = "{node}-{counter:4}",
    format: Literal["png", "jpeg", "webp", "tiff"] = "png",
    depth: Literal["8", "16", "float"] = "8",
    quality: Annotated[int, Range(1, 100, 1)] = 90,
    lossless: bool = False,
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:4:4",
    background: ColorParam = WHITE,
    overwrite: Literal["number", "replace", "refuse"] = "number",
) -> Image:
    """Write a picture into the output folder; of a batch, each one into a file of its own.

    `name` may use `{node}`, `{date}`, `{time}`, `{seed}`, `{counter}` (the next free number;
    `{counter:4}` gives 0001) and any parameter as `{NODE.PARAM}`; `/` makes folders below the
    output folder. The suffix comes from `format`. When the name is taken, `overwrite` says whether
    to `number` the new file, `replace` the old one, or `refuse`.

    `depth`: 8 bits for all formats, 16 for png and tiff, `float` for tiff. `quality` is for jpeg
    and webp, `lossless` for webp, `subsampling` for jpeg. A jpeg has no transparency: `background`
    shows through. Each file carries the workflow that made it: drop it on the canvas to get the
    graph back.

    Example: `name` = portraits/{date}-{prompt.text:30}-{counter}, `format` = webp.
    """
    from backend.media.images import SUFFIXES, ImageOptions, write_image

    options = ImageOptions(format, depth, quality, lossless, subsampling, as_color(background))

    def writer(single: Image) -> Callable[[Path, Mapping[str, Any]], None]:
        return lambda path, provenance: write_image(path, single, options, provenance, ctx.check)

    # Under a rule that meets the same name again, the pictures of one batch need names apart.
    apart = image.count > 1 and overwrite != "number" and "{counter" not in name
    for index in range(image.count):
        ctx.progress(index, image.count)
        single = image.but(image.pixels[index : index + 1])
        called = f"{name}-{index + 1}" if apart else name
        ctx.save(called, SUFFIXES[format], writer(single), overwrite=overwrite)
    ctx.progress(image.count, image.count)
    return image


@save_image.facts
def _save_image_facts(p: Any, image: Facts | None = None) -> Facts:
    return image or NO_IMAGE


@node(category="Image/File", effect=True, aliases=("show", "view", "display", "look"))
def preview_image(ctx: Context, image: Image) -> Image:
    """Show a picture on the node, without writing a file. The picture goes through unchanged.

    Example: Preview image behind each of two Sample nodes, to compare them before saving one.
    """
    ctx.preview(image)
    return image


@preview_image.facts
def _preview_image_facts(p: Any, image: Facts | None = None) -> Facts:
    return image or NO_IMAGE
