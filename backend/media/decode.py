"""Pixels out of PNG, JPEG and WebP files. Each decoder is called by its own name, so that no other
one can be woken by what a file claims to be."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

from backend.media import icc, jpeg, png, webp
from backend.media.errors import Damaged
from backend.media.header import Header
from backend.values import Float32


def decode(file: BinaryIO, header: Header) -> Float32:
    """The picture as float32 ``[height, width, channels]``, sRGB, 0..1, upright.

    Raises:
        Damaged, Unsupported: the text says what is wrong.
        Exception: whatever the decoder says of a broken file.
    """
    readers = {"PNG": _png, "JPEG": _jpeg, "WebP": _webp}
    return orient(readers[header.format](file, header), header.orientation)


def unit(codes: Any) -> Float32:
    """Whole numbers to 0..1 by their type's largest value; floats as they are."""
    codes = np.asarray(codes)
    if codes.dtype.kind == "f":
        return np.asarray(codes, dtype=np.float32)
    largest = 1 if codes.dtype == np.bool_ else int(np.iinfo(codes.dtype).max)
    if largest > 65535:  # more than float32 can tell apart: divide first, round once
        return np.asarray(codes / largest, dtype=np.float32)
    return np.asarray(np.divide(codes, np.float32(largest), dtype=np.float32))


def orient(pixels: Float32, orientation: int) -> Float32:
    """Turn and mirror ``[height, width, channels]`` as EXIF's orientation 1 to 8 says."""
    if orientation in (2, 3):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4):
        pixels = pixels[::-1]
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
        if orientation in (6, 7):
            pixels = pixels[:, ::-1]
        if orientation in (7, 8):
            pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def with_profile(pixels: Float32, profile: bytes) -> Float32:
    """The colour channels through a profile; alpha as it is."""
    if not profile:
        return pixels
    if pixels.shape[2] != 4:
        return icc.to_srgb(pixels, profile)
    return np.concatenate([icc.to_srgb(pixels[..., :3], profile), pixels[..., 3:]], axis=2)


def to_channels(pixels: Float32, channels: int) -> Float32:
    """Grey, grey and alpha, RGB or RGBA as 1, 3 or 4 channels; what is missing is spread."""
    have = pixels.shape[2]
    if have == channels:
        return pixels
    color = pixels[..., :1] if have < 3 else pixels[..., :3]
    if channels >= 3 and color.shape[2] == 1:
        color = np.repeat(color, 3, axis=2)
    if channels != 4:
        return color
    alpha = pixels[..., -1:] if have in (2, 4) else np.ones_like(color[..., :1])
    return np.concatenate([color, alpha], axis=2)


def picture_array(picture: Any) -> Any:
    """A Pillow picture as an array ``[height, width, channels]``."""
    array = np.asarray(picture)
    return array if array.ndim == 3 else array[:, :, None]


def _png(file: BinaryIO, header: Header) -> Float32:
    chunks = header.chunks
    head = png.parse_header(png.read_chunk(file, chunks[0]))
    png.check_scans(file, chunks, head.scan_bytes())
    profile = b""
    for chunk in chunks:
        if chunk.kind == b"iCCP" and chunk.length < 1 << 24:
            profile = png.parse_profile(png.read_chunk(file, chunk))
    pixels = _png16(file, header, head) if head.bits == 16 else _png8(file, header)
    return with_profile(pixels, profile)


def _png8(file: BinaryIO, header: Header) -> Float32:
    from PIL.PngImagePlugin import PngImageFile

    data = png.rebuild(file, header.chunks, (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
    with PngImageFile(io.BytesIO(data)) as picture:
        picture.load()
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[header.channels]
        return unit(picture_array(picture.convert(mode)))


def _png16(file: BinaryIO, header: Header, head: png.PngHeader) -> Float32:
    """OpenCV keeps 16 bits; the one transparent colour of a tRNS chunk is applied here."""
    import cv2

    data = png.rebuild(file, header.chunks, (b"IHDR", b"IDAT", b"IEND"))
    codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if codes is None or codes.dtype != np.uint16 or codes.shape[:2] != (head.height, head.width):
        raise Damaged("its picture data is broken")
    codes = rgb_order(codes)
    pixels = to_channels(unit(codes), header.channels)
    key = next((c for c in header.chunks if c.kind == b"tRNS"), None)
    if key is not None and head.color in (0, 2):
        wanted = np.frombuffer(png.read_chunk(file, key), ">u2")
        if len(wanted) != head.samples:
            raise Damaged("its transparent colour is malformed")
        keyed = (codes[..., : head.samples] == wanted).all(axis=2)
        pixels[..., 3] = np.where(keyed, np.float32(0), np.float32(1))
    return pixels


def rgb_order(codes: Any) -> Any:
    """OpenCV's ``[height, width]``, BGR or BGRA as ``[height, width, channels]``, RGB or RGBA."""
    if codes.ndim == 2:
        return codes[:, :, None]
    return codes[..., [2, 1, 0, 3][: codes.shape[2]]] if codes.shape[2] >= 3 else codes


def _jpeg(file: BinaryIO, header: Header) -> Float32:
    from PIL.JpegImagePlugin import JpegImageFile

    profile = jpeg.profile(header.segments)
    with JpegImageFile(io.BytesIO(jpeg.rebuild(file, header.segments))) as picture:
        picture.load()
        if picture.mode in ("L", "RGB"):
            return with_profile(unit(picture_array(picture)), profile)
        return unit(picture_array(icc.convert_picture(picture, profile)))


def _webp(file: BinaryIO, header: Header) -> Float32:
    from PIL.WebPImagePlugin import WebPImageFile

    file.seek(0)
    chunks = tuple(webp.walk(file))
    profile = webp.data(file, chunks, b"ICCP")
    file.seek(0)
    with WebPImageFile(io.BytesIO(file.read())) as picture:
        picture.load()
        mode = "RGBA" if header.channels == 4 else "RGB"
        return with_profile(unit(picture_array(picture.convert(mode))), profile)
