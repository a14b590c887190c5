"""Pixels out of TIFF pages.

tifffile reads what is stored plainly or deflated, at every depth. Other compressions go through
libtiff: Pillow has it for 8 bits, OpenCV for deeper RGB and grey.
"""

from __future__ import annotations

import io
import logging
import zlib
from typing import Any, BinaryIO

import numpy as np

from backend.media import icc, tiff
from backend.media.decode import (
    orient,
    picture_array,
    rgb_order,
    to_channels,
    unit,
    with_profile,
)
from backend.media.errors import Damaged, Unsupported
from backend.media.header import Header, Page
from backend.values import Float32

_PLAIN = (1, 8, 32946)  # no compression, Deflate by its two numbers


def decode_tiff(file: BinaryIO, header: Header) -> list[Float32]:
    """Every page as float32 ``[height, width, channels]``, sRGB, upright, alpha straight.

    Whole numbers become 0..1 by their type's largest value; floats stay as they are.

    Raises:
        Damaged, Unsupported: the text says what is wrong.
        Exception: whatever the decoder says of a broken file.
    """
    reader = tiff.TiffReader(file)
    return [_page(file, reader, page) for page in header.pages]


def _page(file: BinaryIO, reader: tiff.TiffReader, page: Page) -> Float32:
    entries = page.entries
    profile = reader.data(entries[tiff.ICC]) if tiff.ICC in entries else b""
    bits = set(reader.numbers(entries, tiff.BITS, 1))
    formats = set(reader.numbers(entries, tiff.SAMPLE_FORMAT, 1))
    photometric = reader.number(entries, tiff.PHOTOMETRIC, 1)
    depth, floats = max(bits), formats == {3}
    simple = photometric in (0, 1, 2) and len(bits) == 1 and formats in ({1}, {3}) and depth >= 8
    if simple and _is_plain(reader, page, floats):
        _check_parts(reader, page, depth // 8)
        codes = _by_tifffile(file, page)
    elif simple and depth > 8 and photometric != 0:
        codes = _by_opencv(file, page, depth)
    elif depth <= 8 and formats == {1}:
        return _by_pillow(file, page, profile)
    else:
        raise Unsupported(
            f"a TIFF of the kind {photometric} with {depth} bits a sample, which is not read here"
        )
    colors = 1 if photometric in (0, 1) else 3
    pixels = unit(codes[..., : colors + (page.channels == 4)])
    if not np.isfinite(pixels).all():
        raise Damaged("it holds values that are no numbers (NaN or infinity)")
    if photometric == 0:  # white is zero
        pixels[..., :1] = 1 - pixels[..., :1]
    if page.channels == 4 and reader.number(entries, tiff.EXTRA_SAMPLES, 2) == 1:
        _unmultiply(pixels)
    pixels = with_profile(to_channels(pixels, page.channels), profile)
    return orient(pixels, page.orientation)


def _is_plain(reader: tiff.TiffReader, page: Page, floats: bool) -> bool:
    """Whether tifffile reads it without codecs of others."""
    predictors = (1,) if floats else (1, 2)
    return (
        reader.number(page.entries, tiff.COMPRESSION, 1) in _PLAIN
        and reader.number(page.entries, tiff.FILL_ORDER, 1) == 1
        and reader.number(page.entries, tiff.PREDICTOR, 1) in predictors
    )


def _check_parts(reader: tiff.TiffReader, page: Page, sample_bytes: int) -> None:
    """See that each strip or tile holds its pixels, and expands to no more than these.

    Raises:
        Damaged: one is too short, or a bomb.
    """
    entries = page.entries
    samples = reader.number(entries, tiff.SAMPLES, 1)
    planes = samples if reader.number(entries, tiff.PLANAR, 1) == 2 else 1
    deflated = reader.number(entries, tiff.COMPRESSION, 1) != 1
    if tiff.TILE_OFFSETS in entries:
        tags = (tiff.TILE_OFFSETS, tiff.TILE_BYTES)
        width = reader.number(entries, tiff.TILE_WIDTH, 0)
        height = strip = reader.number(entries, tiff.TILE_HEIGHT, 0)
    else:
        tags = (tiff.STRIP_OFFSETS, tiff.STRIP_BYTES)
        width, height = page.width, page.height
        strip = max(1, min(reader.number(entries, tiff.ROWS_PER_STRIP, 2**32 - 1), height))
    per_plane = -(-height // max(1, strip))
    parts = zip(*(reader.numbers(entries, tag, 0) for tag in tags), strict=True)
    for index, (offset, length) in enumerate(parts):
        rows = min(strip, height - strip * (index % max(1, per_plane)))
        row_bytes = width * (samples // planes) * sample_bytes
        if deflated:
            length = _inflated(reader.bytes_at(offset, length), strip * row_bytes)
        if length < rows * row_bytes:
            raise Damaged("its picture data ends early")


def _inflated(data: bytes, most: int) -> int:
    """How many bytes deflated data expands to, without going far beyond ``most``."""
    inflater, total = zlib.decompressobj(), 0
    slack = 1 << 16
    while data and total <= most + slack:
        total += len(inflater.decompress(data, 1 << 20))
        data = inflater.unconsumed_tail
    if total > most + slack:
        raise Damaged("its picture data expands to more than its size")
    return total


def _by_tifffile(file: BinaryIO, page: Page) -> Any:
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:  # it tells of every odd field on standard error otherwise
        log.addHandler(logging.NullHandler())
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        found = opened.pages[page.index]
        array = found.asarray(maxworkers=1)
        axes = found.axes
    if axes == "SYX":
        array = np.moveaxis(array, 0, 2)
    elif axes == "YX":
        array = array[:, :, None]
    elif axes != "YXS":
        raise Unsupported(f"a TIFF whose samples lie as {axes}, which is not read here")
    if array.shape[:2] != (page.height, page.width):
        raise Damaged("its picture data is of another size than it says")
    return array


def _by_opencv(file: BinaryIO, page: Page, depth: int) -> Any:
    import cv2

    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    done, found = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page.index, page.index + 1))
    if not done or len(found) != 1:
        raise Damaged("its picture data is broken or compressed in a way that is not read here")
    codes = rgb_order(found[0])
    wanted = (page.height, page.width, page.channels)
    if codes.shape != wanted or codes.dtype.itemsize * 8 != depth:
        raise Unsupported(
            f"a TIFF of {depth} bits a sample in a layout that is not read here; save it with "
            "Deflate or without compression"
        )
    return codes


def _by_pillow(file: BinaryIO, page: Page, profile: bytes) -> Float32:
    """Eight bits and less. Pillow turns it upright, and makes straight alpha and light from what
    is stored."""
    from PIL.TiffImagePlugin import TiffImageFile

    file.seek(0)
    with TiffImageFile(io.BytesIO(file.read())) as opened:
        opened.seek(page.index)
        opened.load()
        picture: Any = opened
        if picture.mode == "CMYK":
            return unit(picture_array(icc.convert_picture(picture, profile)))
        if page.channels != 4:
            picture = picture.convert("L" if page.channels == 1 else "RGB")
        elif picture.mode != "RGBX":  # a fourth sample that says nothing of itself
            picture = picture.convert("RGBA")
        return with_profile(unit(picture_array(picture)), profile)


def _unmultiply(pixels: Float32) -> None:
    """Premultiplied colours back to straight ones, in place; what is fully clear becomes black."""
    alpha = pixels[..., -1:]
    np.divide(pixels[..., :-1], alpha, out=pixels[..., :-1], where=alpha > 0)
    pixels[..., :-1][np.broadcast_to(alpha <= 0, pixels[..., :-1].shape)] = 0
    np.clip(pixels[..., :-1], 0, 1, out=pixels[..., :-1])
