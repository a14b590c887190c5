"""Where a picture lies in a view: how large, and which of its points is in the middle."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALLEST, LARGEST = 1 / 64, 64.0
_SNAP = 1.03
"""A wheel stops at 100 % when it comes this near."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A view of ``across`` x ``down`` device pixels on a picture of ``width`` x ``height``.

    ``scale`` is in device pixels per pixel; ``x`` and ``y`` are the point of the picture in the
    middle of the view.
    """

    width: int
    height: int
    across: int
    down: int
    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @property
    def drawn(self) -> tuple[int, int]:
        """Width and height of the whole picture as it is drawn, in whole device pixels."""
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top of the picture in the view; whole, so that 100 % is pixel for pixel."""
        width, height = self.drawn
        left = self.across / 2 - self.x * width / self.width
        top = self.down / 2 - self.y * height / self.height
        return round(left), round(top)

    def to_picture(self, left: float, top: float) -> tuple[float, float]:
        """The point of the picture under a point of the view."""
        width, height = self.drawn
        x, y = self.corner
        return (left - x) * self.width / width, (top - y) * self.height / height

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """The point of the view over a point of the picture."""
        width, height = self.drawn
        left, top = self.corner
        return left + x * width / self.width, top + y * height / self.height

    def fitted(self, margin: int) -> Frame:
        """The whole picture, ``margin`` device pixels from the nearer edges."""
        room = max(1, self.across - 2 * margin), max(1, self.down - 2 * margin)
        scale = min(room[0] / self.width, room[1] / self.height)
        scale = min(max(scale, SMALLEST), LARGEST)
        return replace(self, scale=scale, x=self.width / 2, y=self.height / 2)

    def zoomed(self, scale: float, left: float, top: float) -> Frame:
        """At another scale, with what is under a point of the view held there."""
        scale = min(max(scale, SMALLEST), LARGEST)
        x, y = self.to_picture(left, top)
        moved_x = x + (self.across / 2 - left) / scale
        moved_y = y + (self.down / 2 - top) / scale
        return replace(self, scale=scale, x=moved_x, y=moved_y).kept_near()

    def turned(self, factor: float, left: float, top: float) -> Frame:
        """Zoomed by a factor, as by a wheel, which rests at 100 % when it passes there."""
        scale = self.scale * factor
        passes = (self.scale - 1) * (scale - 1) < 0
        near = 1 / _SNAP < scale < _SNAP and self.scale != 1
        return self.zoomed(1.0 if passes or near else scale, left, top)

    def panned(self, right: float, down: float) -> Frame:
        """With the picture moved by device pixels."""
        width, height = self.drawn
        x, y = self.x - right * self.width / width, self.y - down * self.height / height
        return replace(self, x=x, y=y).kept_near()

    def kept_near(self) -> Frame:
        """With a part of the picture in the middle, so that it is never lost."""
        return replace(
            self, x=min(max(self.x, 0.0), self.width), y=min(max(self.y, 0.0), self.height)
        )

    def seen_by(self, across: int, down: int) -> Frame:
        """In a view of another size, the same point in its middle."""
        return replace(self, across=across, down=down)
