"""How things on the canvas are painted at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from app.theme.colours import Colours


@dataclass(frozen=True, slots=True)
class Look:
    """How things are painted now.

    Attributes:
        colours: The theme.
        scale: Device pixels in one of the canvas.
        zoom: Logical pixels in one of the canvas.
        hover: The path of the node under the pointer.
        focus: The path of the node that the keyboard is on.
        fits: While a link is pulled: the sockets it may go to (path, side, name), else ``None``.
        spin: The turn of the spinner, 0 to 1.
        known: Whether the node types are known yet.
    """

    colours: Colours
    scale: float = 1.0
    zoom: float = 1.0
    hover: str = ""
    focus: str = ""
    active: str = ""
    fits: frozenset[tuple[str, str, str]] | None = None
    spin: float = 0.0
    known: bool = True

    @property
    def icon_ratio(self) -> float:
        """The sharpness that icons need; few values, so that few are made."""
        return float(min(4, max(1, ceil(self.scale))))
