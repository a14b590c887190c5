"""What a picture file says of itself before any pixel is decoded."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from backend.media import jpeg, png, tiff, webp
from backend.media.caps import ImageCaps
from backend.media.errors import Damaged, Unsupported

_SINGLE = (
    tiff.WIDTH,
    tiff.HEIGHT,
    tiff.COMPRESSION,
    tiff.PHOTOMETRIC,
    tiff.FILL_ORDER,
    tiff.ORIENTATION,
    tiff.SAMPLES,
    tiff.ROWS_PER_STRIP,
    tiff.PLANAR,
    tiff.PREDICTOR,
    tiff.TILE_WIDTH,
    tiff.TILE_HEIGHT,
)

Format = Literal["PNG", "JPEG", "WebP", "TIFF"]

_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x80\x02", "a pickle"),
    (b"v/1\x01", "an OpenEXR file"),
    (b"#?RADIANCE", "a Radiance HDR file"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"<svg", "an SVG"),
    (b"<?xml", "an XML file"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"{", "a text file (JSON?)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a TIFF: its place in the file, its fields, and its size as stored."""

    index: int
    entries: Mapping[int, tiff.Entry]
    width: int
    height: int
    channels: int
    orientation: int


@dataclass(frozen=True, slots=True)
class Header:
    """A file's format and the picture it holds, as it will be delivered.

    ``width`` and ``height`` are those after the orientation was applied; ``channels`` is 1, 3 or 4;
    ``bits`` is the depth of one sample. ``pages`` is empty but for a TIFF.
    """

    format: Format
    width: int
    height: int
    channels: int
    bits: int
    orientation: int = 1
    pages: tuple[Page, ...] = ()
    chunks: tuple[png.Chunk, ...] = field(default=(), repr=False)
    segments: tuple[jpeg.Segment, ...] = field(default=(), repr=False)

    @property
    def count(self) -> int:
        return len(self.pages) or 1

    @property
    def alike(self) -> bool:
        """Whether all pages have one size and one number of channels, so that they are a batch."""
        return len({(*oriented(page), page.channels) for page in self.pages}) <= 1


def oriented(page: Page) -> tuple[int, int]:
    """Width and height of a page after its orientation."""
    return (page.height, page.width) if page.orientation >= 5 else (page.width, page.height)


def sniff(head: bytes) -> Format:
    """The format of a file by its first bytes; its name does not count.

    Raises:
        Unsupported: it is none that is read here; the text says what was found.
    """
    if head.startswith(png.SIGNATURE):
        return "PNG"
    if head.startswith(jpeg.SIGNATURE):
        return "JPEG"
    if webp.is_webp(head):
        return "WebP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if not head:
        raise Unsupported("an empty file")
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        raise Unsupported("an AVIF or HEIC" if brand in (b"avif", b"heic", b"mif1") else "a video")
    found = next((name for mark, name in _OTHERS if head.startswith(mark)), "")
    if not found:
        printable = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
        found = "a text file" if printable else f"a file that begins with {head[:4].hex(' ')}"
    raise Unsupported(found)


def read_header(file: BinaryIO, caps: ImageCaps) -> Header:
    """Read what the file says of itself, and refuse what is beyond the caps.

    Raises:
        Damaged, Unsupported: the text says what is wrong.
    """
    size = file.seek(0, io.SEEK_END)
    if size > caps.file_bytes:
        raise Unsupported(f"a file of {size} bytes, above the limit of {caps.file_bytes}")
    file.seek(0)
    kind = sniff(file.read(32))
    readers = {"PNG": _png, "JPEG": _jpeg, "WebP": _webp}
    try:
        header = _tiff(file, caps) if kind == "TIFF" else readers[kind](file)
    except struct.error as error:
        raise Damaged(f"its header is malformed ({error})") from error
    _check_size(header, caps)
    return header


def _check_size(header: Header, caps: ImageCaps) -> None:
    sizes = [(p.width, p.height) for p in header.pages] or [(header.width, header.height)]
    total = 0
    for width, height in sizes:
        if width < 1 or height < 1:
            raise Damaged(f"it says that it is {width} x {height} pixels large")
        total += width * height
        if max(width, height) > caps.side:
            raise Unsupported(
                f"{width} x {height} pixels large, above the limit of {caps.side} to a side"
            )
    if total > caps.pixels:
        width, height = sizes[0]
        many = f"{len(sizes)} pages of " if len(sizes) > 1 else ""
        raise Unsupported(
            f"{many}{width} x {height} pixels large, above the limit of {caps.pixels} pixels"
        )


def _png(file: BinaryIO) -> Header:
    chunks = tuple(png.walk(file))
    if chunks[0].kind != b"IHDR":
        raise Damaged("it does not begin with a header")
    head = png.parse_header(png.read_chunk(file, chunks[0]))
    kinds = {chunk.kind for chunk in chunks}
    if b"IDAT" not in kinds:
        raise Damaged("it has no picture data")
    if head.color == 3 and b"PLTE" not in kinds:
        raise Damaged("its palette is missing")
    alpha = head.color in (4, 6) or b"tRNS" in kinds
    channels = 4 if alpha else 1 if head.color == 0 else 3
    orientation = 1
    for chunk in chunks:
        if chunk.kind == b"eXIf" and chunk.length < 1 << 24:
            orientation = tiff.exif_orientation(png.read_chunk(file, chunk))
    width, height = _turn(head.width, head.height, orientation)
    return Header("PNG", width, height, channels, head.bits, orientation, chunks=chunks)


def _jpeg(file: BinaryIO) -> Header:
    segments = tuple(jpeg.walk(file))
    width, height, components, bits = jpeg.frame(segments)
    if bits != 8:
        raise Unsupported(f"a JPEG of {bits} bits a channel, which is not read here")
    if components not in (1, 3, 4):
        raise Unsupported(f"a JPEG of {components} channels, which is not read here")
    orientation = tiff.exif_orientation(jpeg.exif(segments))
    width, height = _turn(width, height, orientation)
    channels = 1 if components == 1 else 3
    return Header("JPEG", width, height, channels, 8, orientation, segments=segments)


def _webp(file: BinaryIO) -> Header:
    chunks = tuple(webp.walk(file))
    head = webp.header(file, chunks)
    orientation = tiff.exif_orientation(webp.exif_of(file, chunks))
    width, height = _turn(head.width, head.height, orientation)
    return Header("WebP", width, height, 4 if head.alpha else 3, 8, orientation)


def _turn(width: int, height: int, orientation: int) -> tuple[int, int]:
    return (height, width) if orientation >= 5 else (width, height)


def _tiff(file: BinaryIO, caps: ImageCaps) -> Header:
    reader = tiff.TiffReader(file)
    pages: list[Page] = []
    bits = 8
    for index, entries in enumerate(reader.directories(caps.pages)):
        if reader.number(entries, tiff.SUBFILE, 0) & 1 and pages:
            continue  # a reduced version of another page: a thumbnail
        page = _page(reader, index, entries)
        _check_data(reader, page)
        bits = max(bits, *reader.numbers(entries, tiff.BITS, 1))
        pages.append(page)
    if not pages:
        raise Damaged("it has no pages")
    width, height = oriented(pages[0])
    return Header("TIFF", width, height, pages[0].channels, bits, pages=tuple(pages))


def _page(reader: tiff.TiffReader, index: int, entries: Mapping[int, tiff.Entry]) -> Page:
    for tag in _SINGLE:
        if tag in entries and entries[tag].count != 1:
            raise Damaged(f"its field {tag} has several values instead of one")
    samples = reader.number(entries, tiff.SAMPLES, 1)
    photometric = reader.number(entries, tiff.PHOTOMETRIC, 1)
    colors = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}.get(photometric, 0)
    if not colors or samples < colors:
        raise Unsupported(f"a TIFF of the kind {photometric} with {samples} samples to a pixel")
    orientation = reader.number(entries, tiff.ORIENTATION, 1)
    alpha = samples > colors and photometric in (0, 1, 2) and _has_alpha(reader, entries)
    channels = 4 if alpha else 1 if photometric in (0, 1) else 3
    return Page(
        index,
        entries,
        reader.number(entries, tiff.WIDTH, 0),
        reader.number(entries, tiff.HEIGHT, 0),
        channels,
        orientation if 1 <= orientation <= 8 else 1,
    )


def _has_alpha(reader: tiff.TiffReader, entries: Mapping[int, tiff.Entry]) -> bool:
    """A sample beyond the colours is alpha when it says so, or says nothing at all."""
    return reader.number(entries, tiff.EXTRA_SAMPLES, 2) in (1, 2)


def _check_data(reader: tiff.TiffReader, page: Page) -> None:
    """See that every strip or tile is there and lies inside the file."""
    entries = page.entries
    tiled = tiff.TILE_OFFSETS in entries
    offsets_tag = tiff.TILE_OFFSETS if tiled else tiff.STRIP_OFFSETS
    bytes_tag = tiff.TILE_BYTES if tiled else tiff.STRIP_BYTES
    if offsets_tag not in entries or bytes_tag not in entries:
        raise Damaged("it does not say where its picture data is")
    offsets = reader.numbers(entries, offsets_tag, 0)
    lengths = reader.numbers(entries, bytes_tag, 0)
    if tiled:
        across = -(-page.width // max(1, reader.number(entries, tiff.TILE_WIDTH, 0)))
        down = -(-page.height // max(1, reader.number(entries, tiff.TILE_HEIGHT, 0)))
        wanted = across * down
    else:
        rows = min(reader.number(entries, tiff.ROWS_PER_STRIP, 2**32 - 1), page.height)
        wanted = -(-page.height // max(1, rows))
    if reader.number(entries, tiff.PLANAR, 1) == 2:
        wanted *= reader.number(entries, tiff.SAMPLES, 1)
    if len(offsets) != len(lengths) or len(offsets) < wanted:
        raise Damaged("a part of its picture data is missing")
    for offset, length in zip(offsets, lengths, strict=True):
        if length == 0 or offset + length > reader.size:
            raise Damaged("it is cut short: its picture data reaches behind its end")
