"""How high rows and fields are: by the density and the text size that the user has set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Density = Literal["compact", "regular", "roomy"]

_FIELDS: dict[Density, tuple[int, int, int]] = {
    "compact": (20, 26, 24), "regular": (24, 32, 28), "roomy": (28, 36, 34),
}  # fmt: skip
"""A field, a row of the inspector, an item of a list or a menu."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Heights in logical pixels; nothing is ever lower than its text."""

    density: Density = "regular"
    text: float = 1.0
    """The user's text scale, 0.9 to 1.5."""

    @property
    def field(self) -> int:
        """A field, and a button."""
        return max(_FIELDS[self.density][0], round(18 * self.text))

    @property
    def row(self) -> int:
        """A row of the inspector: a field and the gap to the next."""
        return self.field + _FIELDS[self.density][1] - _FIELDS[self.density][0]

    @property
    def item(self) -> int:
        """An item of a list or a menu."""
        return max(_FIELDS[self.density][2], round(22 * self.text))

    def tall(self, pixels: float) -> int:
        """Something with text in it that is so high as designed: higher with larger texts."""
        return round(pixels * max(1.0, self.text))


REGULAR = Measures()


def density_of(name: str) -> Density:
    """The density of the settings, ``regular`` where it is none that is known."""
    return next((known for known in get_args(Density) if known == name), "regular")
