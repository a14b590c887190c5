"""Colour profiles (ICC.1:2022): from what a file embeds to sRGB.

Profiles made of curves and a matrix, which is what cameras, monitors and photo programs embed, are
computed here in float, at the full depth of the picture. Profiles made of tables (printers, CMYK)
go through LittleCMS at 8 bits a channel.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from backend.media.color import srgb_from_linear
from backend.media.errors import Unsupported
from backend.values import Float32

Curve: TypeAlias = Callable[[Float32], Float32]

# The colorants of sRGB adapted to D50, as the ICC's own sRGB profile has them; columns R, G, B.
_SRGB_D50 = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
_MATRIX_TOLERANCE = 0.005
_CURVE_TOLERANCE = 0.004
_ROWS = 1 << 18


@dataclass(frozen=True)
class MatrixProfile:
    """``linear = curve(value)`` per channel, then ``sRGB linear = matrix @ linear``."""

    curves: tuple[Curve, ...]
    matrix: Any | None

    def is_srgb(self) -> bool:
        """Whether it means sRGB anyway, so that the pixels may stay as they are."""
        if self.matrix is not None and np.abs(self.matrix - np.eye(3)).max() > _MATRIX_TOLERANCE:
            return False
        ramp = np.linspace(0, 1, 257, dtype=np.float32)
        return all(
            float(np.abs(srgb_from_linear(curve(ramp)) - ramp).max()) < _CURVE_TOLERANCE
            for curve in self.curves
        )

    def convert(self, colors: Float32) -> Float32:
        """``[..., 1 or 3]`` in this profile to sRGB; out-of-gamut colours are clipped."""
        channels = colors.shape[-1]
        flat = colors.reshape(-1, channels)
        out = np.empty_like(flat)
        for start in range(0, len(flat), _ROWS):
            rows = np.clip(flat[start : start + _ROWS], 0.0, 1.0)
            linear = np.stack([self.curves[c](rows[:, c]) for c in range(channels)], axis=1)
            if self.matrix is not None:
                linear = linear @ self.matrix.T.astype(np.float32)
            out[start : start + _ROWS] = srgb_from_linear(np.clip(linear, 0.0, 1.0))
        return out.reshape(colors.shape)


def srgb_profile() -> bytes:
    """A profile that says sRGB, always the same bytes."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # else the time of this call
    return bytes(profile)


def space_of(profile: bytes) -> str:
    """The colour space of a profile: ``RGB``, ``GRAY``, ``CMYK``, ..., empty when it is none."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return ""
    return profile[16:20].decode("latin-1").strip()


def to_srgb(colors: Float32, profile: bytes) -> Float32:
    """Convert ``[height, width, 1 or 3]``, 0..1, from a profile to sRGB.

    A broken profile, or one for another number of channels, says nothing about these pixels and
    is passed over, as viewers do. A profile that means sRGB leaves the pixels bit for bit.
    """
    wanted = {1: "GRAY", 3: "RGB"}[colors.shape[-1]]
    if space_of(profile) != wanted:
        return colors
    try:
        parsed = parse_matrix(profile)
    except (struct.error, IndexError, ValueError, np.linalg.LinAlgError):
        return colors
    if parsed is not None:
        return colors if parsed.is_srgb() else parsed.convert(colors)
    return _by_tables(colors, profile) if wanted == "RGB" else colors


def parse_matrix(profile: bytes) -> MatrixProfile | None:
    """The curves and matrix of a profile, or ``None`` where it is made of tables.

    Raises:
        struct.error, ValueError: the profile is malformed.
    """
    tags = _tags(profile)
    if space_of(profile) == "GRAY" and b"kTRC" in tags:
        return MatrixProfile((_curve(tags[b"kTRC"]),), None)
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    curves = (b"rTRC", b"gTRC", b"bTRC")
    if b"A2B0" in tags or not all(name in tags for name in (*names, *curves)):
        return None
    if profile[20:24] != b"XYZ ":
        return None
    columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in names]
    matrix = np.linalg.inv(_SRGB_D50) @ np.stack(columns, axis=1)
    return MatrixProfile(tuple(_curve(tags[name]) for name in curves), matrix)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 1000:
        raise ValueError("too many tags")
    tags: dict[bytes, bytes] = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name] = profile[offset : offset + size]
    return tags


def _curve(data: bytes) -> Curve:
    """A one-dimensional curve: curveType (10.6) or parametricCurveType (10.18)."""
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count == 0:
            return _power(1.0)
        if count == 1:
            return _power(struct.unpack_from(">H", data, 12)[0] / 256)
        table = np.frombuffer(data, ">u2", count, 12) / 65535
        places = np.linspace(0, 1, count)
        return lambda x: np.interp(x, places, table).astype(np.float32)
    if data[:4] != b"para":
        raise ValueError("no curve")
    kind = struct.unpack_from(">H", data, 8)[0]
    length = (1, 3, 4, 5, 7)[kind]
    given = [value / 65536 for value in struct.unpack_from(f">{length}i", data, 12)]
    return _parametric(kind, given)


def _power(gamma: float) -> Curve:
    if not 0.05 <= gamma <= 20:
        raise ValueError("no sensible gamma")
    return lambda x: np.power(x, np.float32(gamma)).astype(np.float32)


def _parametric(kind: int, p: list[float]) -> Curve:
    """Table 68: ``(a x + b)^g + e`` from ``d`` on, ``c x + f`` below it."""
    g, a, b, c, d, e, f = (*p, *([0.0] * (7 - len(p))))
    if not 0.05 <= g <= 20:
        raise ValueError("no sensible gamma")
    if kind == 0:
        return _power(g)
    if a == 0:
        raise ValueError("no sensible slope")
    if kind in (1, 2):  # below -b/a it is flat: 0, or the offset c
        flat = c if kind == 2 else 0.0
        c, d, e, f = 0.0, -b / a, flat, flat

    def curve(x: Float32) -> Float32:
        upper = np.power(np.maximum(a * x + b, 0.0), g) + e
        return np.where(x >= d, upper, c * x + f).astype(np.float32)

    return curve


def _by_tables(colors: Float32, profile: bytes) -> Float32:
    from PIL import Image as Pil

    codes = np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)
    picture = convert_picture(Pil.fromarray(codes), profile)
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def convert_picture(picture: Any, profile: bytes) -> Any:
    """A Pillow picture (RGB or CMYK) through LittleCMS to 8-bit sRGB.

    Relative colorimetric with black point compensation, as photo programs do by default. A profile
    that LittleCMS refuses is passed over for RGB.

    Raises:
        Unsupported: there is no way from this picture to RGB.
    """
    from PIL import ImageCms

    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        result = ImageCms.profileToProfile(
            picture, source, target, renderingIntent=intent, outputMode="RGB", flags=flags
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        result = None
    if result is not None:
        return result
    if picture.mode not in ("RGB", "CMYK"):
        raise Unsupported(f"its colours ({picture.mode}) have no way to RGB")
    return picture.convert("RGB")
