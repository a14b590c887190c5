"""Layers to a Photoshop document, by ``psd-tools``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from backend.media.bands import Check
from backend.media.errors import Unsupported
from backend.media.icc import srgb_profile
from backend.media.pixels.flatten import flatten
from backend.media.psd import MODES
from backend.values import Float32, Layers

LARGEST_SIDE = 30_000
_LONGEST_NAME = 255


def write_psd(
    path: Path,
    stack: Layers,
    depth: Literal["8", "16"],
    note: Callable[[str], None],
    check: Check,
) -> None:
    """Write a document with all layers, and their picture over white for programs without layers.

    Raises:
        Unsupported: a side is above what the format holds.
        OSError: the file cannot be written.
    """
    from psd_tools import PSDImage
    from psd_tools.constants import BlendMode, Resource
    from psd_tools.psd.image_resources import ImageResource

    sides = [stack.width, stack.height]
    sides += [side for each in stack.layers for side in (each.width, each.height)]
    if max(sides) > LARGEST_SIDE:
        raise Unsupported(
            f"A PSD file holds at most {LARGEST_SIDE} pixels to a side, and one of these has "
            f"{max(sides)}. Resize it, or take OpenRaster."
        )
    document = PSDImage.new("RGB", (stack.width, stack.height), depth=int(depth))
    # Without a profile programs take 16 bits for something else than sRGB.
    icc = ImageResource(key=Resource.ICC_PROFILE.value, data=srgb_profile())
    document.image_resources[Resource.ICC_PROFILE] = icc
    for each in stack.layers:
        check()
        layer = document.create_pixel_layer_from_array(
            np.clip(each.pixels, 0, 1), top=each.y, left=each.x
        )
        layer.name = _short(each.name, note)
        layer.opacity = round(each.opacity * 255)
        layer.blend_mode = BlendMode(MODES[each.mode])
        layer.visible = each.visible
    check()
    record = document._record  # noqa: SLF001 - its own save would draw the picture anew, as its library does
    record.image_data.set_data(_planes(stack, depth, check), record.header)
    with path.open("wb") as file:
        record.write(file)


def _planes(stack: Layers, depth: str, check: Check) -> list[bytes]:
    """The picture of a stack over white, a plane of bytes for each colour."""
    pixels = flatten(stack, check).pixels[0]
    alpha = pixels[..., 3:]
    over_white = np.clip(pixels[..., :3] * alpha + (1 - alpha), 0, 1)
    return [_codes(over_white[..., i], depth) for i in range(3)]


def _codes(plane: Float32, depth: str) -> bytes:
    largest, kind = (255, ">u1") if depth == "8" else (65535, ">u2")
    return bytes(np.rint(plane * largest).astype(kind).tobytes())


def _short(name: str, note: Callable[[str], None]) -> str:
    """A name as long as a document holds."""
    clean = name.encode("utf-16", "replace").decode("utf-16")
    if len(clean) <= _LONGEST_NAME:
        return clean
    note(f"The layer name {name[:40]!r}... is cut to {_LONGEST_NAME} letters, as PSD files hold.")
    return clean[:_LONGEST_NAME]
