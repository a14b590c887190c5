"""Pixels into PNG, JPEG, WebP and TIFF. The same pixels, options and text give the same bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from backend.media.bands import Check, bands, unchecked
from backend.media.color import srgb_from_linear
from backend.media.encode_png import png_bytes
from backend.media.metadata import MARK, exif_for, insert_png
from backend.sdk import UserError
from backend.values import Color, ColorSpace, Float32, Image

FileFormat = Literal["png", "jpeg", "webp", "tiff"]
Depth = Literal["8", "16", "float"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
DEPTHS = {"png": ("8", "16"), "jpeg": ("8",), "webp": ("8",), "tiff": ("8", "16", "float")}
_DEFLATE = 4  # as for PNG
_LARGEST_SIDE = {"png": 1 << 20, "jpeg": 65_500, "webp": 16_383, "tiff": 1 << 20}


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How a picture is written.

    ``quality`` (1 to 100) and ``subsampling`` count for JPEG, ``quality`` also for WebP unless
    ``lossless``. ``background`` is what shows through where a JPEG, which has no alpha, would be
    transparent. ``float`` is 32-bit float, for TIFF.
    """

    format: FileFormat = "png"
    depth: Depth = "8"
    quality: int = 90
    lossless: bool = False
    subsampling: Subsampling = "4:4:4"
    background: Color = field(default_factory=lambda: Color(1.0, 1.0, 1.0))


def encode(image: Image, options: ImageOptions, text: str, check: Check = unchecked) -> bytes:
    """A file's bytes for a single picture, with ``text`` (ASCII) in its metadata.

    Colours are written as sRGB and, but for float, clipped to 0..1 and rounded. ``check`` is
    called before each band of rows and may raise; for WebP only until its encoder begins.

    Raises:
        UserError: the format cannot hold this depth or size, or the image holds several pictures
            or values that are no numbers.
    """
    if image.count != 1:
        raise UserError(f"A picture file holds one picture, not the {image.count} of this image.")
    if options.depth not in DEPTHS.get(options.format, ()):
        allowed = " or ".join(DEPTHS.get(options.format, ()))
        raise UserError(
            f"{options.format} files have a depth of {allowed}, not {options.depth}. Choose "
            "another depth, or png (8 or 16) or tiff (8, 16 or float)."
        )
    side = _LARGEST_SIDE[options.format]
    if max(image.width, image.height) > side:
        raise UserError(
            f"{image.width} x {image.height} pixels do not fit a {options.format} file, which "
            f"has at most {side} to a side. Choose tiff or png."
        )
    values = _values(image, options, check)
    if options.format == "png":
        return insert_png(png_bytes(values, check), text)
    writers = {"jpeg": _jpeg, "webp": _webp, "tiff": _tiff}
    file = _Heard(check)
    writers[options.format](file, values, options, text)
    return file.getvalue()


class _Heard(io.BytesIO):
    """Bytes in memory that ask before each part; encoders write them as they go."""

    def __init__(self, check: Check) -> None:
        super().__init__()
        self._check = check

    def write(self, data: Any) -> int:
        self._check()
        return super().write(data)


def _values(image: Image, options: ImageOptions, check: Check) -> Any:
    """The numbers that go into the file, ``[height, width, channels]``."""
    pixels, values = image.pixels[0], None
    for rows in bands(image.height, image.width * image.channels):
        check()
        part = _srgb(pixels[rows], image.space)
        if not np.isfinite(part).all():
            raise UserError("The image holds values that are no numbers (NaN or infinity).")
        if options.format == "jpeg" and image.channels == 4:
            part = flatten(part, options.background)
        part = codes(part, options.depth)
        if values is None:
            values = np.empty((image.height, *part.shape[1:]), part.dtype)
        values[rows] = part
    return values


def to_srgb(image: Image) -> Float32:
    """The pixels of an image with its colours as sRGB, ``[batch, height, width, channels]``."""
    return _srgb(image.pixels, image.space)


def _srgb(pixels: Float32, space: ColorSpace) -> Float32:
    if space == "srgb":
        return pixels
    if pixels.shape[-1] != 4:
        return srgb_from_linear(pixels)
    return np.concatenate([srgb_from_linear(pixels[..., :3]), pixels[..., 3:]], axis=-1)


def codes(pixels: Float32, depth: str) -> Any:
    """0..1 as whole numbers of 8 or 16 bits, clipped and rounded; float as it is."""
    if depth == "float":
        return pixels
    largest, kind = (255, np.uint8) if depth == "8" else (65535, np.uint16)
    scaled = np.clip(pixels, 0, 1, dtype=np.float32) * np.float32(largest)
    return np.rint(scaled, out=scaled).astype(kind)


def flatten(pixels: Float32, background: Color) -> Float32:
    """RGBA over an opaque colour, mixed in sRGB as picture viewers do: ``[h, w, 3]``."""
    behind = np.array([background.red, background.green, background.blue], np.float32)
    alpha = np.clip(pixels[..., 3:], 0, 1)
    return np.asarray(pixels[..., :3] * alpha + behind * (1 - alpha), dtype=np.float32)


def _jpeg(file: io.BytesIO, values: Any, options: ImageOptions, text: str) -> None:
    from PIL import Image as Pil

    subsampling = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}[options.subsampling]
    Pil.fromarray(_squeezed(values)).save(
        file,
        "JPEG",
        quality=options.quality,
        subsampling=subsampling,
        exif=exif_for(text),
    )


def _webp(file: io.BytesIO, values: Any, options: ImageOptions, text: str) -> None:
    from PIL import Image as Pil

    picture = Pil.fromarray(_squeezed(values))
    if picture.mode == "L":
        picture = picture.convert("RGB")
    picture.save(
        file,
        "WEBP",
        lossless=options.lossless,
        quality=75 if options.lossless else options.quality,
        exact=True,
        method=4,
        exif=exif_for(text),
    )


def _tiff(file: io.BytesIO, values: Any, options: ImageOptions, text: str) -> None:
    import tifffile

    values = _squeezed(values)
    tifffile.imwrite(
        file,
        values,
        photometric="minisblack" if values.ndim == 2 else "rgb",
        extrasamples=["unassalpha"] if values.ndim == 3 and values.shape[2] == 4 else None,
        compression="zlib",
        compressionargs={"level": _DEFLATE},
        predictor=None if options.depth == "float" else 2,
        description=MARK + text if text else None,
        metadata=None,
        software=False,
    )


def _squeezed(values: Any) -> Any:
    """Grey without its channel axis, as picture libraries have it."""
    return np.ascontiguousarray(values[..., 0] if values.shape[2] == 1 else values)
