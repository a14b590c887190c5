"""Measures of the canvas in logical pixels at 100 %, as the look has them."""

from __future__ import annotations

from dataclasses import dataclass

from app.theme.measures import Density

GRID = 8
WIDTH = 208.0
MIN_WIDTH, MAX_WIDTH = 144.0, 480.0
HEADER = 28.0
PAD = 8.0
ROW = 24.0
"""A row of sockets on the edge of a zone."""
INSET = 10.0
LINE = 18.0
MAX_LINES = 6
FOOTER = 24.0
RADIUS = 8.0
HIT = 12.0
"""Half the side of a socket's hit area."""
SNAP = 24.0
MARGIN = 16.0
"""What a node paints around itself: shadow, ring, sockets."""

FULL, BLOCKS, TITLES = 0.75, 0.45, 0.20
"""Painted scales from which all, blocks for fields, and titles are painted."""

ZONE_PAD, ZONE_TOP = 16.0, 40.0
FRAME_PAD, FRAME_TOP = 16.0, 32.0
"""What a frame has around the nodes that it is made for."""

SHOWN = 4
"""Parameters that a node shows where none has been set or linked."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How high the rows of nodes and the fields in them are."""

    row: float = ROW
    field: float = 20.0

    @property
    def first(self) -> float:
        """From a node's top to its first socket: 48 in regular density, so that nodes on the grid
        give dead-straight links."""
        return HEADER + PAD + self.row / 2


REGULAR = Rows()
_ROWS: dict[Density, Rows] = {"compact": Rows(20, 18), "regular": REGULAR, "roomy": Rows(28, 24)}


def rows_of(density: Density) -> Rows:
    """The rows of a density that the user may set."""
    return _ROWS[density]


def snapped(value: float) -> float:
    """The nearest place on the grid."""
    return round(value / GRID) * float(GRID)
