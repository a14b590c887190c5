"""A profile as a picture: shares of each step on the left, the roofline on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.models.profiling.kinds import KINDS
from backend.models.profiling.measure import Profile
from backend.models.profiling.report import BETWEEN, Row, rows
from backend.values import Image

WIDTH, HEIGHT = 1200, 560
PAPER, INK, FAINT = (255, 255, 255), (30, 30, 30), (205, 205, 205)
INKS = dict(
    zip(
        (*KINDS, BETWEEN),
        (
            (213, 94, 0), (0, 114, 178), (0, 158, 115), (86, 180, 233), (102, 51, 153),
            (148, 203, 179), (230, 159, 0), (150, 150, 150), (220, 220, 220),
        ),
        strict=True,
    )
)  # fmt: skip
"""Colours that most people can tell apart (Okabe and Ito)."""
BARS = (60, 60, 520, 420)
"""Left, top, right, bottom."""
ROOF = (670, 60, 1170, 420)
Box = tuple[int, int, int, int]


def picture(profile: Profile) -> Image:
    """One picture ``[1, 560, 1200, 3]``."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    sheet = Pillow.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.font = ImageFont.load_default(15)
    levels = [rows(level.trace, profile.roof) for level in profile.levels]
    _shares(pen, profile, levels)
    _roofline(pen, profile, levels)
    _legend(pen, [kind for kind in INKS if any(row.kind == kind for one in levels for row in one)])
    return Image(np.asarray(sheet, np.float32)[None] / np.float32(255))


def _shares(pen: Any, profile: Profile, levels: Sequence[Sequence[Row]]) -> None:
    left, top, right, bottom = BARS
    pen.text((left, 22), "share of a step's time, %", fill=INK)
    for share in range(0, 101, 25):
        y = bottom - (bottom - top) * share / 100
        pen.line((left, y, right, y), fill=FAINT)
        pen.text((left - 8, y), str(share), fill=INK, anchor="rm")
    room = (right - left) / len(levels)
    for index, (level, found) in enumerate(zip(profile.levels, levels, strict=True)):
        whole = sum(row.seconds for row in found)
        x, y = left + room * (index + 0.15), float(bottom)
        for row in found:
            height = (bottom - top) * row.seconds / whole
            if height >= 1:
                pen.rectangle((x, y - height, x + 0.7 * room, y), fill=INKS[row.kind])
            y -= height
        middle = x + 0.35 * room
        pen.text((middle, bottom + 16), f"step {level.number}", fill=INK, anchor="mm")
        pen.text((middle, bottom + 36), f"{whole * 1e3:.4g} ms", fill=INK, anchor="mm")


def _roofline(pen: Any, profile: Profile, levels: Sequence[Sequence[Row]]) -> None:
    """Both axes are logarithms: operations for each byte moved, and operations a second."""
    left, top, right, bottom = ROOF
    points = [
        (row.kind, row.operations / row.moved, row.operations / row.seconds)
        for found in levels
        for row in found
        if row.operations and row.moved and row.seconds
    ]
    roof = profile.roof
    ridge = roof.peak / roof.bandwidth
    across = _decades([ridge / 10, ridge * 10, *(point[1] for point in points)])
    up = _decades([roof.peak / 10, roof.peak, *(point[2] for point in points)])

    def at(intensity: float, rate: float) -> tuple[float, float]:
        x = (math.log10(intensity) - across[0]) / (across[1] - across[0])
        y = (math.log10(rate) - up[0]) / (up[1] - up[0])
        return left + x * (right - left), bottom - y * (bottom - top)

    pen.text((left, 22), "operations a second (G), by operations for each byte", fill=INK)
    for power in range(across[0], across[1] + 1):
        x = at(10**power, 10 ** up[0])[0]
        pen.line((x, top, x, bottom), fill=FAINT)
        pen.text((x, bottom + 16), f"{10.0**power:g}", fill=INK, anchor="mm")
    for power in range(up[0], up[1] + 1):
        y = at(10 ** across[0], 10**power)[1]
        pen.line((left, y, right, y), fill=FAINT)
        pen.text((left - 8, y), f"{10.0 ** (power - 9):g}", fill=INK, anchor="rm")
    slope_from = max(10 ** across[0], 10 ** up[0] / roof.bandwidth)
    corners = [slope_from, ridge, 10 ** across[1]]
    pen.line([at(i, min(roof.peak, i * roof.bandwidth)) for i in corners], fill=INK, width=2)
    for kind, intensity, rate in points:
        x, y = at(intensity, rate)
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=INKS[kind], outline=INK)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around all values."""
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


def _legend(pen: Any, kinds: Sequence[str]) -> None:
    for index, kind in enumerate(kinds):
        x, y = 60 + 280 * (index % 4), 480 + 28 * (index // 4)
        pen.rectangle((x, y, x + 16, y + 16), fill=INKS[kind])
        pen.text((x + 24, y + 8), kind, fill=INK, anchor="lm")
