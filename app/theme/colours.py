"""The colours of the studio: dark and light, each also in high contrast; and contrast itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Colours:
    """One theme. Each is ``#RRGGBB``; hue means type, so the chrome is near neutral.

    ``canvas`` to ``overlay`` are the grounds from low to high; ``viewer`` is exactly neutral, so
    that nothing tints what is judged in it. ``strong``, ``text`` and ``weak`` are what is written.
    ``control`` outlines what is known only by its outline; ``focus`` is the ring of the keyboard
    and nothing else. The three ``fill`` colours are grounds of messages.
    """

    canvas: str
    dotgrid: str
    panel: str
    raised: str
    overlay: str
    well: str
    hover: str
    viewer: str
    line: str
    linestrong: str
    control: str
    edge: str
    strong: str
    text: str
    weak: str
    accent: str
    fill: str
    onfill: str
    focus: str
    selection: str
    success: str
    warning: str
    danger: str
    dangerfill: str
    warnfill: str
    okfill: str
    shadow: str
    dark: bool
    high: bool = False
    """High contrast: text 7 : 1, lines as outlines of controls, no shadows, thicker rings."""

    @property
    def casing(self) -> float:
        """How far the ground shows beside a link, where it crosses another."""
        return 2.5 if self.high else 1.5

    @property
    def ring(self) -> float:
        """How thick the rings of the keyboard and of a selection are, in logical pixels."""
        return 3.0 if self.high else 2.0

    @property
    def tokens(self) -> dict[str, str]:
        """Every colour by its name."""
        return {one.name: str(getattr(self, one.name)) for one in fields(self)
                if one.name not in ("dark", "high")}  # fmt: skip


DARK = Colours(
    canvas="#141517", dotgrid="#2A2D32", panel="#1E1F22", raised="#282A2E", overlay="#32353A",
    well="#141518", hover="#34373D", viewer="#1A1A1A",
    line="#36393F", linestrong="#50545C", control="#858A94", edge="#0B0C0D",
    strong="#F3F4F6", text="#CDD0D6", weak="#A0A5AE",
    accent="#8AA6FF", fill="#3F66DE", onfill="#FFFFFF", focus="#B3C5FF", selection="#2B3A66",
    success="#5CCB8B", warning="#F0B64A", danger="#FF8278",
    dangerfill="#43211F", warnfill="#3B2F18", okfill="#1B3326", shadow="#000000", dark=True,
)  # fmt: skip

LIGHT = Colours(
    canvas="#DFE1E4", dotgrid="#C3C7CD", panel="#EEF0F2", raised="#FAFBFC", overlay="#FFFFFF",
    well="#FFFFFF", hover="#E4E7EB", viewer="#C8C8C8",
    line="#D2D5DA", linestrong="#A9AEB7", control="#737983", edge="#B4B9C1",
    strong="#14161A", text="#373B42", weak="#555A63",
    accent="#2F55CF", fill="#3F66DE", onfill="#FFFFFF", focus="#1F45BF", selection="#CFDBFF",
    success="#18703F", warning="#855100", danger="#B3261E",
    dangerfill="#FBE3E0", warnfill="#FBEBCB", okfill="#D7F0E0", shadow="#141820", dark=False,
)  # fmt: skip

HIGH_DARK = Colours(
    canvas="#000000", dotgrid="#2A2D32", panel="#0C0D0E", raised="#151618", overlay="#1B1D20",
    well="#000000", hover="#2E3137", viewer="#1A1A1A",
    line="#858A94", linestrong="#A9AEB7", control="#C3C7CE", edge="#858A94",
    strong="#FFFFFF", text="#E9EBEE", weak="#CDD0D6",
    accent="#BCCCFF", fill="#2A4BBE", onfill="#FFFFFF", focus="#FFD76A", selection="#24366F",
    success="#7FE3A8", warning="#FFC964", danger="#FFB4AD",
    dangerfill="#3A1512", warnfill="#332606", okfill="#0F2A1B", shadow="#000000",
    dark=True, high=True,
)  # fmt: skip

HIGH_LIGHT = Colours(
    canvas="#F2F3F5", dotgrid="#C3C7CD", panel="#FFFFFF", raised="#FFFFFF", overlay="#FFFFFF",
    well="#FFFFFF", hover="#E4E7EB", viewer="#C8C8C8",
    line="#737983", linestrong="#555A63", control="#3B4048", edge="#50545C",
    strong="#000000", text="#1B1E23", weak="#373B42",
    accent="#1A3A9E", fill="#2A4BBE", onfill="#FFFFFF", focus="#7A0063", selection="#CFDBFF",
    success="#0B4D26", warning="#5C3700", danger="#840F0B",
    dangerfill="#FBE3E0", warnfill="#FBEBCB", okfill="#D7F0E0", shadow="#141820",
    dark=False, high=True,
)  # fmt: skip


def colours_of(dark: bool, high: bool) -> Colours:
    """The colours of a theme."""
    if high:
        return HIGH_DARK if dark else HIGH_LIGHT
    return DARK if dark else LIGHT


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2: text wants 4.5, graphics 3)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of ``#RRGGBB``, 0 to 1 (WCAG 2.2, from linear sRGB)."""
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=4096)
def mix(one: str, other: str, share: float) -> str:
    """``share`` of ``other`` in ``one``, both ``#RRGGBB``, mixed in sRGB."""
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a * (1 - share) + b * share):02X}" for a, b in pairs)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
