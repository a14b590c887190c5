"""Measures of the canvas in logical pixels at 100 %, as the look has them."""

from __future__ import annotations

GRID = 8
WIDTH = 208.0
MIN_WIDTH, MAX_WIDTH = 144.0, 480.0
HEADER = 28.0
PAD = 8.0
ROW = 24.0
FIRST = HEADER + PAD + ROW / 2
"""From a node's top to its first socket: 48, so nodes on the grid give dead-straight links."""
INSET = 10.0
FIELD = 20.0
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


def snapped(value: float) -> float:
    """The nearest place on the grid."""
    return round(value / GRID) * float(GRID)
