"""OpenRaster files to layers and back.

The format is the OpenRaster specification (https://www.openraster.org): a zip whose first entry is
``mimetype``, stored; ``stack.xml``, topmost layer first; a PNG for each layer; ``mergedimage.png``
and ``Thumbnails/thumbnail.png``. Nothing of it is ever unpacked to disk.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal
from xml.etree import ElementTree

import numpy as np

from backend.media.bands import Check
from backend.media.caps import ImageCaps
from backend.media.errors import Damaged, Unsupported
from backend.media.icc import srgb_profile
from backend.media.layer_tree import DEEPEST, Branch, Member, opened
from backend.media.pixels.flatten import flatten
from backend.values import Float32, Image, Layer, LayerMode, Layers
from backend.values.layers import LARGEST_SIDE, LONGEST_NAME, MOST_LAYERS, MOST_PIXELS

MIMETYPE = "image/openraster"
MODES: dict[LayerMode, str] = {
    "normal": "svg:src-over",
    "add": "svg:plus",
    **{
        mode: "svg:" + mode.replace(" ", "-")
        for mode in (
            "multiply", "screen", "overlay", "darken", "lighten", "color dodge", "color burn",
            "hard light", "soft light", "difference", "exclusion", "hue", "saturation", "color",
            "luminosity",
        )
    },
}  # fmt: skip
"""The names of blend modes in ``composite-op``."""

THUMBNAIL = 256
LARGEST_PART = 1 << 29
"""Bytes that the picture of a layer may unpack to."""
_PNG_HEADER = 8 + 25
_LONGEST_TEXT = 1 << 22
_MOST_ENTRIES = 4 * MOST_LAYERS
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DATED = (1980, 1, 1, 0, 0, 0)

Unknown = Callable[[str, str], LayerMode]


def read_ora_size(file: BinaryIO) -> tuple[int, int, int]:
    """Width, height and number of layers, from ``stack.xml`` alone; groups count their layers.

    Raises:
        Damaged, Unsupported: as ``read_ora``.
    """
    with _opened(file) as archive:
        image = _stack(archive)
        return (*_canvas(image), sum(1 for _ in image.iter("layer")))


def read_ora(
    file: BinaryIO, unknown: Unknown, allow: Callable[[int], None] = lambda bytes_: None
) -> tuple[Layers, list[str]]:
    """The layers of a file, and a sentence for each thing in it that they do not hold.

    ``allow`` is told how many bytes reading will take, before it takes them.

    Raises:
        Damaged: it is cut short or breaks the rules of the format.
        Unsupported: it is of a kind that is not read here, or above the caps.
    """
    with _opened(file) as archive:
        image = _stack(archive)
        width, height = _canvas(image)
        top = image.find("stack")
        if top is None or next(image.iter("layer"), None) is None:
            raise Unsupported("an OpenRaster file without a layer")
        if sum(1 for _ in image.iter("layer")) > MOST_LAYERS:
            raise Unsupported(f"made of more than {MOST_LAYERS} layers")
        reader = _Reader(archive, unknown, allow, width, height)
        layers = opened(reader.members(top, 0), reader.notes)
    return Layers(width, height, layers), reader.notes


def write_ora(
    path: Path,
    stack: Layers,
    depth: Literal["8", "16"],
    note: Callable[[str], None],
    check: Check,
    provenance: bytes = b"",
) -> None:
    """Write an OpenRaster file; ``provenance`` goes into an entry of its own, ``weft.json``.

    Raises:
        OSError: the file cannot be written.
    """
    root = ElementTree.Element(
        "image", version="0.0.5", w=str(stack.width), h=str(stack.height), xres="72", yres="72"
    )
    rows = ElementTree.SubElement(root, "stack")
    with zipfile.ZipFile(path, "w") as archive:
        _put(archive, "mimetype", MIMETYPE.encode())
        for index in reversed(range(stack.count)):
            layer, source = stack.layers[index], f"data/layer{index:03}.png"
            if layer.mode == "exclusion":
                note(
                    f"The mode exclusion of {layer.name!r} is none of OpenRaster's own: Krita "
                    "shows it as normal. A PSD keeps it."
                )
            _put(archive, source, _png(layer.pixels, depth, check))
            ElementTree.SubElement(rows, "layer", {
                "name": _FORBIDDEN.sub("\ufffd", layer.name), "src": source,
                "x": str(layer.x), "y": str(layer.y), "opacity": repr(round(layer.opacity, 6)),
                "visibility": "visible" if layer.visible else "hidden",
                "composite-op": MODES[layer.mode],
            })  # fmt: skip
        _put(archive, "stack.xml", ElementTree.tostring(root, "utf-8", xml_declaration=True), True)
        merged = flatten(stack, check)
        _put(archive, "mergedimage.png", _png(merged.pixels[0], depth, check))
        _put(archive, "Thumbnails/thumbnail.png", _png(_small(merged), "8", check))
        if provenance:
            _put(archive, "weft.json", provenance, True)


def _put(archive: zipfile.ZipFile, name: str, data: bytes, packed: bool = False) -> None:
    entry = zipfile.ZipInfo(name, _DATED)  # the same layers give the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    archive.writestr(entry, data)


def _png(pixels: Float32, depth: Literal["8", "16"], check: Check) -> bytes:
    from backend.media.encode import ImageOptions, encode

    data = encode(Image(pixels[np.newaxis]), ImageOptions("png", depth), "", check)
    if depth == "8":
        return data
    # Of 16 bits without a profile Krita asks in a window what colours they are.
    body = b"iCCP" + b"sRGB\0\0" + zlib.compress(srgb_profile())
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_PNG_HEADER] + chunk + data[_PNG_HEADER:]


def _small(image: Image) -> Float32:
    from backend.media.pixels.resample import plan_resize, resize, target_size

    if max(image.width, image.height) <= THUMBNAIL:
        return np.asarray(image.pixels[0])
    own = (image.width, image.height)
    plan = plan_resize(own, target_size(own, "longest side", side=THUMBNAIL))
    return np.asarray(resize(image, plan, "area").pixels[0])


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Damaged("it is no whole zip, so it was cut short or is no OpenRaster") from error
    if len(archive.infolist()) > _MOST_ENTRIES:
        raise Unsupported(f"a zip of more than {_MOST_ENTRIES} entries")
    kind = _entry(archive, "mimetype", 200) if "mimetype" in archive.namelist() else b""
    if kind.strip().decode("ascii", "replace") != MIMETYPE:
        shown = kind[:60].decode("ascii", "replace").strip() or "no type"
        raise Unsupported(f"a zip that says {shown!r} and not {MIMETYPE!r}")
    return archive


def _entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """What an entry holds, unpacked; never more than ``most`` bytes."""
    try:
        info = archive.getinfo(name)
        if info.file_size > most:
            raise Unsupported(
                f"made of parts that are too large: {name!r} unpacks to {info.file_size} bytes, "
                f"above the {most} that are read"
            )
        with archive.open(info) as entry:
            data = entry.read(most + 1)
    except KeyError as error:
        raise Damaged(f"its part {name!r} is missing") from error
    except (zipfile.BadZipFile, RuntimeError, zlib.error, OSError, EOFError) as error:
        raise Damaged(f"its part {name!r} cannot be unpacked ({error})") from error
    if len(data) > most:
        raise Unsupported(f"made of parts that unpack to more than they say: {name!r}")
    return data


def _stack(archive: zipfile.ZipFile) -> ElementTree.Element:
    text = _entry(archive, "stack.xml", _LONGEST_TEXT)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\x00" in text:
        raise Damaged("its stack.xml declares entities, which no OpenRaster has")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Damaged(f"its stack.xml is no XML ({error})") from error
    if root.tag != "image":
        raise Damaged("its stack.xml describes no image")
    return root


def _canvas(image: ElementTree.Element) -> tuple[int, int]:
    width, height = (_whole(image, name, None) for name in ("w", "h"))
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise Damaged(f"its canvas is {width}x{height} pixels")
    if width * height > MOST_PIXELS:
        raise Unsupported(f"{width}x{height} pixels, above the {MOST_PIXELS} that are read")
    return width, height


def _whole(item: ElementTree.Element, name: str, otherwise: int | None = 0) -> int:
    given = item.get(name)
    if given is None and otherwise is not None:
        return otherwise
    try:
        value = float(given or "")
        if not math.isfinite(value) or abs(value) > 1e9:
            raise ValueError(given)
        return round(value)
    except ValueError:
        raise Damaged(f"{name!r} of its {item.tag} is {str(given)[:40]!r}, no number") from None


@dataclass
class _Reader:
    """One file on its way: what was told of it, and how much may still be read."""

    archive: zipfile.ZipFile
    unknown: Unknown
    allow: Callable[[int], None]
    width: int
    height: int
    notes: list[str] = field(default_factory=list)
    left: int = MOST_PIXELS
    taken: int = 0

    def members(self, stack: Any, depth: int) -> tuple[Member, ...]:
        """What a group holds, from the bottom up."""
        if depth > DEEPEST:
            raise Unsupported(f"made of groups deeper than {DEEPEST}")
        return tuple(self._members(stack, depth))[::-1]

    def _members(self, stack: Any, depth: int) -> Iterator[Member]:
        for item in stack:
            name = str(item.get("name", ""))[:LONGEST_NAME]
            if item.tag == "stack":
                inner = self.members(item, depth + 1)
                isolated = item.get("isolation", "isolate") != "auto"
                yield Branch(name, inner, self._mode(item, name), *self._shown(item), isolated)
            elif item.tag == "layer":
                yield self._layer(item, name)
            else:
                self.notes.append(f"{item.tag[:40]!r} {name!r} was left out: it is no picture.")

    def _layer(self, item: Any, name: str) -> Layer:
        opacity, visible = self._shown(item)
        pixels = self._pixels(str(item.get("src", "")), name)
        x, y = _whole(item, "x"), _whole(item, "y")
        if max(abs(x), abs(y)) > 2**20:
            raise Damaged(f"the layer {name!r} lies at {x}, {y}")
        return Layer(pixels, name, self._mode(item, name), opacity, x, y, visible)

    def _pixels(self, source: str, name: str) -> Float32:
        from backend.media.images import probe_open, read_open
        from backend.media.pixels.color import widen

        if not source:
            raise Damaged(f"the layer {name!r} names no picture")
        data = io.BytesIO(_entry(self.archive, source, LARGEST_PART))
        caps = ImageCaps(pixels=self.left, pages=1)
        facts = probe_open(data, source, caps)
        size = (facts.width or 1) * (facts.height or 1)
        self.taken += size
        self.allow((self.taken + self.width * self.height) * 16 * 3 + size * 16 * 6)
        pixels = read_open(data, source, caps)[0].pixels[0]
        self.left -= pixels.shape[0] * pixels.shape[1]
        made = widen(pixels, 4)
        if made.flags.writeable:
            made.setflags(write=False)
        return made

    def _mode(self, item: Any, name: str) -> LayerMode:
        told = item.get("composite-op", MODES["normal"])
        found = next((mode for mode, own in MODES.items() if own == told), None)
        return found or self.unknown(name, str(told)[:60])

    def _shown(self, item: Any) -> tuple[float, bool]:
        try:
            opacity = float(item.get("opacity", "1"))
            if not 0 <= opacity <= 1:
                raise ValueError
        except ValueError:
            given = str(item.get("opacity"))[:40]
            raise Damaged(f"an opacity is {given!r}, not a number from 0 to 1") from None
        return opacity, item.get("visibility", "visible") != "hidden"
