"""Photoshop documents to layers, with their masks and groups.

What Photoshop draws when it opens a document (adjustments, effects, shapes without pixels) is not
in the file as pixels; each such thing is told in a sentence. The format is Adobe's "Photoshop File
Formats Specification" (November 2019); ``psd-tools`` reads its structures.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from backend.media.errors import Damaged, Unsupported
from backend.media.icc import to_srgb
from backend.media.layer_tree import DEEPEST, Branch, Coverage, Member, merged, opened
from backend.values import Float32, Layer, LayerMode, Layers
from backend.values.layers import LARGEST_SIDE, LONGEST_NAME, MOST_LAYERS, MOST_PIXELS

SIGNATURE = b"8BPS"
MODES: dict[LayerMode, bytes] = {
    "normal": b"norm",
    "multiply": b"mul ",
    "screen": b"scrn",
    "overlay": b"over",
    "darken": b"dark",
    "lighten": b"lite",
    "color dodge": b"div ",
    "color burn": b"idiv",
    "hard light": b"hLit",
    "soft light": b"sLit",
    "difference": b"diff",
    "exclusion": b"smud",
    "hue": b"hue ",
    "saturation": b"sat ",
    "color": b"colr",
    "luminosity": b"lum ",
    "add": b"lddg",
}
"""The keys of blend modes in layer records."""

_COLOURS = {1: "GRAY", 3: "RGB"}
_OTHERS = {0: "bitmap", 2: "indexed", 4: "CMYK", 7: "multichannel", 8: "duotone", 9: "Lab"}
_FILL_MATTERS = (b"idiv", b"div ", b"lddg", b"diff")
_DRAWN = ("type", "smartobject", "shape", "solidcolorfill", "gradientfill", "patternfill")
_PASS = b"pass"

Check = Callable[[], None]
Unknown = Callable[[str, str], LayerMode]
"""``(layer, mode) -> mode``: what becomes of a mode that layers do not have, or a refusal."""


@dataclass(frozen=True)
class Head:
    """The first 26 bytes of a document."""

    version: int
    channels: int
    height: int
    width: int
    depth: int
    colours: int


def read_head(file: BinaryIO) -> Head:
    """The header of a document.

    Raises:
        Damaged: it is cut short or says nonsense.
        Unsupported: its colours or its depth are not read here.
    """
    file.seek(0)
    data = file.read(26)
    if len(data) < 26 or data[:4] != SIGNATURE:
        raise Damaged("it is cut short in its header")
    version, channels, height, width, depth, colours = struct.unpack(">4xH6xHIIHH", data)
    if version not in (1, 2) or not 1 <= channels <= 56:
        raise Damaged(f"its header says version {version} and {channels} channels")
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise Damaged(f"its header says {width}x{height} pixels")
    if width * height > MOST_PIXELS:
        raise Unsupported(f"{width}x{height} pixels, above the {MOST_PIXELS} that are read")
    if colours not in _COLOURS:
        name = _OTHERS.get(colours, "unknown")
        raise Unsupported(f"in {name} colours. Convert it to RGB in the program that made it")
    if depth not in (8, 16):
        raise Unsupported(f"{depth} bits deep. Save it with 8 or 16 bits a channel")
    return Head(version, channels, height, width, depth, colours)


def read_psd(
    file: BinaryIO, unknown: Unknown, allow: Callable[[int], None] = lambda bytes_: None
) -> tuple[Layers, list[str]]:
    """The layers of a document, and a sentence for each thing in it that they do not hold.

    ``allow`` is told how many bytes reading will take, before it takes them.

    Raises:
        Damaged: it is cut short or breaks the rules of the format.
        Unsupported: it is of a kind that is not read here.
    """
    from psd_tools import ParseLimits, PSDDecompressionWarning, PSDImage

    head = read_head(file)
    file.seek(0)
    with warnings.catch_warnings():
        # A channel that cannot be unpacked would be black, and a layer with it.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PSDDecompressionWarning)
        document = PSDImage.open(
            file, max_alloc_bytes="unlimited", parse_limits=ParseLimits(max_nesting_depth=DEEPEST)
        )
        size = _size(document, head)
        allow(size * 16 * 6)
        reader = _Reader(head, unknown, _profile(document))
        try:
            found = reader.members(document, 0) if len(document) else (reader.flat(document),)
        except PSDDecompressionWarning as error:
            raise Damaged("the pixels of a layer cannot be unpacked") from error
    layers = opened(found, reader.notes)
    if not layers:
        raise Unsupported("without a layer that has pixels")
    if len(layers) > MOST_LAYERS:
        raise Unsupported(f"made of {len(layers)} layers, above the {MOST_LAYERS} that are read")
    return Layers(head.width, head.height, layers), reader.notes


def _size(document: Any, head: Head) -> int:
    """Pixels of all layers together.

    Raises:
        Unsupported: they are more than a stack may have.
    """
    total, count = head.width * head.height, 0
    for layer in document.descendants():
        count += 1
        if not layer.is_group():
            total += max(layer.width, 0) * max(layer.height, 0)
    if total > MOST_PIXELS or count > 10 * MOST_LAYERS:
        raise Unsupported(
            f"made of {count} layers with {total} pixels, above the {MOST_PIXELS} that are read"
        )
    return total


def _profile(document: Any) -> bytes:
    from psd_tools.constants import Resource

    return bytes(document.image_resources.get_data(Resource.ICC_PROFILE) or b"")


@dataclass
class _Reader:
    """One document on its way: what was told of it so far."""

    head: Head
    unknown: Unknown
    profile: bytes
    notes: list[str] = field(default_factory=list)

    def flat(self, document: Any) -> Layer:
        """A document without layers: its picture is the only one."""
        pixels = self._pixels(document.numpy("color"), document.numpy("shape"))
        return Layer(pixels, "Background")

    def members(self, group: Any, depth: int) -> tuple[Member, ...]:
        """What a group holds, from the bottom up; clipped layers are one with what they clip to."""
        if depth > DEEPEST:
            raise Unsupported(f"made of groups deeper than {DEEPEST}")
        rows: list[tuple[Any, list[Any]]] = []
        for layer in group:
            if layer.clipping and rows:
                rows[-1][1].append(layer)
            else:
                rows.append((layer, []))
        return tuple(member for base, above in rows for member in self._clipped(base, above, depth))

    def _clipped(self, base: Any, above: list[Any], depth: int) -> Iterator[Member]:
        member = self._member(base, depth)
        if member is None:
            for layer in above:
                self.notes.append(
                    f"The layer {_name(layer)!r} was left out: what it is clipped to has no pixels."
                )
            return
        shown = [m for layer in above if (m := self._member(layer, depth)) is not None]
        if not shown:
            yield member
            return
        self.notes.append(
            f"The layers clipped to {_name(base)!r} are one layer with it now, which looks the "
            "same."
        )
        under = _alone(member, self.notes)
        solid = np.array(under.pixels)
        solid[..., 3] = 1
        ground = under.but(pixels=_sealed(solid), mode="normal", opacity=1.0, visible=True)
        inside = (_cut(each, under) for each in opened(shown, self.notes))
        pixels = np.array(merged(Branch(_name(base), ()), (ground, *inside)).pixels)
        pixels[..., 3] = under.pixels[..., 3]
        yield under.but(pixels=_sealed(pixels))

    def _member(self, layer: Any, depth: int) -> Member | None:
        name, mask = _name(layer), self._mask(layer)
        visible, key = bool(layer.visible), layer.blend_mode.value
        opacity = layer.opacity / 255
        if layer.is_group():
            inner = self.members(layer, depth + 1)
            self._tell(layer, name)
            mode = "normal" if key == _PASS else self._mode(name, key)
            return Branch(name, inner, mode, opacity, visible, key != _PASS, mask)
        if layer.kind not in ("pixel", *_DRAWN):
            self.notes.append(
                f"The adjustment {name!r} ({layer.kind}) was left out: it changes what lies below "
                "it. Merge it in the program that made the file to keep what it does."
            )
            return None
        return self._layer(layer, name, self._mode(name, key), opacity, visible, mask)

    def _layer(
        self,
        layer: Any,
        name: str,
        mode: LayerMode,
        opacity: float,
        visible: bool,
        mask: Coverage | None,
    ) -> Layer | None:
        color = layer.numpy("color") if layer.width > 0 and layer.height > 0 else None
        if color is None and layer.kind in _DRAWN:
            self.notes.append(
                f"The layer {name!r} ({layer.kind}) was left out: the file has no pixels of it. "
                "Rasterize it in the program that made the file."
            )
            return None
        self._tell(layer, name)
        if color is None:
            empty = np.zeros((1, 1, 4), np.float32)
            return Layer(empty, name, mode, opacity, layer.left, layer.top, visible)
        fill = getattr(layer, "fill_opacity", 255) / 255
        if fill != 1 and MODES[mode] in _FILL_MATTERS:
            self.notes.append(
                f"The layer {name!r} has a fill opacity of {fill:.0%}, which Photoshop treats "
                f"apart in the mode {mode}; it became plain opacity."
            )
        pixels = self._pixels(color, layer.numpy("shape"))
        made = Layer(pixels, name, mode, opacity * fill, layer.left, layer.top, visible)
        return mask.over(made) if mask else made

    def _tell(self, layer: Any, name: str) -> None:
        """Note what the pixels of a layer do not show."""
        said = {
            "type": "is text; it is a picture of it now",
            "smartobject": "is a smart object; it is a picture of it now",
            "artboard": "is an artboard; its layers are not cut at its edge",
        }.get(layer.kind, "")
        if said:
            self.notes.append(f"The layer {name!r} {said}.")
        if layer.has_effects() and any(effect.enabled for effect in layer.effects):
            self.notes.append(f"The layer {name!r} has effects, which are not drawn.")
        if layer.has_vector_mask() and not (layer.mask and layer.mask.has_real()):
            self.notes.append(f"The layer {name!r} has a vector mask, which is not applied.")

    def _mode(self, name: str, key: bytes) -> LayerMode:
        found = next((mode for mode, own in MODES.items() if own == key), None)
        return found or self.unknown(name, key.decode("latin-1").strip())

    def _mask(self, layer: Any) -> Coverage | None:
        mask = layer.mask
        if mask is None or mask.disabled:
            return None
        if mask.width * mask.height > MOST_PIXELS:
            raise Damaged(f"the mask of {_name(layer)!r} is {mask.width}x{mask.height} pixels")
        values = layer.numpy("mask") if mask.width > 0 and mask.height > 0 else None
        told = mask.parameters
        density = 1.0
        if told is not None and not mask.has_real():
            if told.user_mask_density is not None:
                density = told.user_mask_density / 255
            if told.user_mask_feather:
                self.notes.append(
                    f"The mask of {_name(layer)!r} has a feather, which is not drawn."
                )
        inner = np.zeros((0, 0), np.float32) if values is None else values[..., 0]
        outside = 1 - density * (1 - mask.background_color / 255)
        values = np.asarray(1 - density * (1 - inner), np.float32)
        return Coverage(values, mask.left, mask.top, outside)

    def _pixels(self, color: Any, shape: Any) -> Float32:
        """Colours ``[h, w, 1 or 3]`` and their alpha as a layer's pixels, in sRGB."""
        colors = np.asarray(color, np.float32)
        channels = {"GRAY": 1, "RGB": 3}[_COLOURS[self.head.colours]]
        if colors.shape[-1] < channels:
            raise Damaged("a layer has too few channels")
        if self.profile:
            colors = to_srgb(np.ascontiguousarray(colors[..., :channels]), self.profile)
        pixels = np.empty((*colors.shape[:2], 4), np.float32)
        pixels[..., :3] = colors[..., :channels]
        pixels[..., 3] = 1 if shape is None else shape[..., 0]
        return _sealed(pixels)


def _name(layer: Any) -> str:
    """A layer's name; some programs write an end of text into it."""
    return str(layer.name).rstrip("\0")[:LONGEST_NAME]


def _alone(member: Member, notes: list[str]) -> Layer:
    """A member as one layer."""
    if isinstance(member, Layer):
        return member
    return merged(member, opened(member.members, notes))


def _cut(layer: Layer, frame: Layer) -> Layer:
    """The part of a layer that lies on another, as large as that one."""
    pixels = np.zeros((frame.height, frame.width, 4), np.float32)
    dx, dy = layer.x - frame.x, layer.y - frame.y
    top, left = max(dy, 0), max(dx, 0)
    bottom, right = min(dy + layer.height, frame.height), min(dx + layer.width, frame.width)
    if bottom > top and right > left:
        pixels[top:bottom, left:right] = layer.pixels[
            top - dy : bottom - dy, left - dx : right - dx
        ]
    return layer.but(pixels=_sealed(pixels), x=frame.x, y=frame.y)


def _sealed(pixels: Float32) -> Float32:
    pixels.setflags(write=False)
    return pixels
