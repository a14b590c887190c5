"""Pixels into PNG, JPEG, WebP and TIFF. The same pixels, options and text give the same bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from backend.media.color import srgb_from_linear
from backend.media.metadata import MARK, exif_for, insert_png
from backend.sdk import UserError
from backend.values import Color, Float32, Image

FileFormat = Literal["png", "jpeg", "webp", "tiff"]
Depth = Literal["8", "16", "float"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
DEPTHS = {"png": ("8", "16"), "jpeg": ("8",), "webp": ("8",), "tiff": ("8", "16", "float")}
_DEFLATE = 4  # a third of the time of the usual 6, files a tenth larger
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


def encode(image: Image, options: ImageOptions, text: str) -> bytes:
    """A file's bytes for a single picture, with ``text`` (ASCII) in its metadata.

    Colours are written as sRGB and, but for float, clipped to 0..1 and rounded.

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
    pixels = to_srgb(image)[0]
    if not np.isfinite(pixels).all():
        raise UserError("The image holds values that are no numbers (NaN or infinity).")
    writers = {"png": _png, "jpeg": _jpeg, "webp": _webp, "tiff": _tiff}
    return writers[options.format](pixels, options, text)


def to_srgb(image: Image) -> Float32:
    """The pixels of an image with its colours as sRGB, ``[batch, height, width, channels]``."""
    if image.space == "srgb":
        return image.pixels
    if image.channels != 4:
        return srgb_from_linear(image.pixels)
    color = srgb_from_linear(image.pixels[..., :3])
    return np.concatenate([color, image.pixels[..., 3:]], axis=3)


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


def _png(pixels: Float32, options: ImageOptions, text: str) -> bytes:
    import cv2

    values = codes(pixels, options.depth)
    order = [2, 1, 0, 3][: values.shape[2]] if values.shape[2] >= 3 else [0]
    swapped = np.ascontiguousarray(values[..., order])
    done, data = cv2.imencode(".png", swapped, [cv2.IMWRITE_PNG_COMPRESSION, _DEFLATE])
    if not done:
        raise UserError("The picture could not be written as PNG.")
    return insert_png(data.tobytes(), text)


def _jpeg(pixels: Float32, options: ImageOptions, text: str) -> bytes:
    from PIL import Image as Pil

    if pixels.shape[2] == 4:
        pixels = flatten(pixels, options.background)
    buffer = io.BytesIO()
    subsampling = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}[options.subsampling]
    Pil.fromarray(_squeezed(codes(pixels, "8"))).save(
        buffer,
        "JPEG",
        quality=options.quality,
        subsampling=subsampling,
        exif=exif_for(text),
    )
    return buffer.getvalue()


def _webp(pixels: Float32, options: ImageOptions, text: str) -> bytes:
    from PIL import Image as Pil

    buffer = io.BytesIO()
    picture = Pil.fromarray(_squeezed(codes(pixels, "8")))
    if picture.mode == "L":
        picture = picture.convert("RGB")
    picture.save(
        buffer,
        "WEBP",
        lossless=options.lossless,
        quality=75 if options.lossless else options.quality,
        exact=True,
        method=4,
        exif=exif_for(text),
    )
    return buffer.getvalue()


def _tiff(pixels: Float32, options: ImageOptions, text: str) -> bytes:
    import tifffile

    values = _squeezed(codes(pixels, options.depth))
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
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
    return buffer.getvalue()


def _squeezed(values: Any) -> Any:
    """Grey without its channel axis, as picture libraries have it."""
    return np.ascontiguousarray(values[..., 0] if values.shape[2] == 1 else values)
