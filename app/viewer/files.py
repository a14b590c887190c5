"""Pictures from files and into files, and onto the clipboard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PySide6.QtGui import QImage

from app.viewer.develop import Development
from app.viewer.layer import whole_picture
from app.viewer.picture import Picture
from app.words import tr
from backend.values import Image

if TYPE_CHECKING:
    from backend.media.apart import Decoder

FILTER = "PNG (*.png);;TIFF (*.tif);;JPEG (*.jpg);;WebP (*.webp)"
_FORMATS: dict[str, tuple[Literal["png", "jpeg", "webp", "tiff"], Literal["8", "16", "float"]]] = {
    ".png": ("png", "16"), ".tif": ("tiff", "float"), ".tiff": ("tiff", "float"),
    ".jpg": ("jpeg", "8"), ".jpeg": ("jpeg", "8"), ".webp": ("webp", "8"),
}  # fmt: skip


class CannotSave(Exception):
    """A picture cannot be written; the text is a sentence for people."""


def read_picture(path: Path, decoder: Decoder) -> Image | tuple[Image, ...]:
    """A picture file, decoded in a process apart: one image, or pages that are not alike.

    Raises:
        UserError: it cannot be read, or is no picture.
    """
    images = decoder.images(path)
    return images[0] if len(images) == 1 else images


def save_picture(picture: Picture, path: Path) -> None:
    """Write a picture as it is, without exposure; what there was is replaced in one step.

    The suffix says how: 16 bits in a PNG, floats in a TIFF, 8 bits in JPEG and WebP.

    Raises:
        CannotSave: the suffix is none of these, or the file cannot be written.
    """
    from backend.media.images import ImageOptions, write_image
    from backend.sdk import UserError

    if path.suffix.lower() not in _FORMATS:
        raise CannotSave(tr("Choose a name that ends in .png, .tif, .jpg or .webp."))
    form, depth = _FORMATS[path.suffix.lower()]
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write_image(beside, as_image(picture), ImageOptions(format=form, depth=depth))
        os.replace(beside, path)
    except UserError as error:
        raise CannotSave(str(error)) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotSave(
            tr("{name} could not be written: {why}.", name=path.name, why=why)
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def as_image(picture: Picture) -> Image:
    """A picture as a value; plain numbers are brought to 0..1, and of many channels the first."""
    pixels = picture.pixels
    if picture.curve != "plain":
        return Image(pixels[np.newaxis], picture.curve)
    if picture.channels not in (1, 3, 4):
        pixels = pixels[..., :1]
    span = np.float32(picture.high - picture.low)
    return Image(((pixels - np.float32(picture.low)) / span)[np.newaxis])


def for_clipboard(picture: Picture) -> QImage:
    """A picture in its own size and 8 bits, with straight alpha where it has any."""
    image = whole_picture(picture, Development())
    wanted = QImage.Format.Format_ARGB32 if picture.has_alpha else QImage.Format.Format_RGB32
    return image.convertToFormat(wanted)
