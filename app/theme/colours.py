"""The colours of the studio, dark and light, and how well they can be told from their ground."""

from __future__ import annotations

from dataclasses import dataclass


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


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2: text wants 4.5, graphics 3)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of ``#RRGGBB``, 0 to 1 (WCAG 2.2, from linear sRGB)."""
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mix(one: str, other: str, share: float) -> str:
    """``share`` of ``other`` in ``one``, both ``#RRGGBB``, mixed in sRGB."""
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a * (1 - share) + b * share):02X}" for a, b in pairs)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
