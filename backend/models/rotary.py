"""Rotary positions for pictures of other sizes than a model was trained on: formulas alone.

A rotary axis of ``width`` channels turns pair ``j`` of a token at place ``p`` by ``p * f_j``, where
``f_j = theta ** (-2j / width)``. Beyond the trained size places or angles come up that the model
never saw. Each method here gives other frequencies or places for one axis, or ``None`` where the
model's own are to stay as they are, to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KEPT = (16.0, 2.0)
"""UltraFlux: from how many turns in the trained window a band is kept, and below how many it goes
over to NTK-aware scaling."""

SQUEEZED = (1.25, 0.75)
"""The same from NTK-aware scaling to plain interpolation."""


@dataclass(frozen=True)
class Axis:
    """One axis of a picture: ``now`` tokens along it, where the model was trained with ``trained``.

    ``zoom`` is the side of a square of the picture's area over that of the trained area; ``time``
    runs from 0 (noise) to 1 (picture).
    """

    width: int
    theta: float
    trained: float
    now: int
    zoom: float = 1.0
    time: float = 1.0

    @property
    def scale(self) -> float:
        """How much longer the axis is than the trained one, 1 where it is not."""
        return max(1.0, self.now / self.trained)


@dataclass(frozen=True, eq=False)
class Rotation:
    """How an axis turns: token ``p`` of a picture by ``(start + step * p) * frequencies``, and
    ``gain`` lengthens what is turned."""

    frequencies: Floats
    step: float = 1.0
    start: float = 0.0
    gain: float = 1.0


def plain(width: int, theta: float) -> Floats:
    """The model's own frequencies ``[width / 2]``, ``theta ** (-2j / width)``."""
    return np.asarray(theta ** (-np.arange(0, width, 2, dtype=np.float64) / width))


def ntk(axis: Axis) -> Rotation | None:
    """NTK-aware scaling, as Lumina-T2X (arXiv:2405.05945) takes it for larger pictures:
    the base becomes ``theta * s ** (d / (d - 2))``, so that the fastest pair turns as before and
    the slowest ``s`` times slower. ``s`` is this axis's own scale, ``d`` its width."""
    if axis.scale == 1 or axis.width <= 2:
        return None
    return Rotation(plain(axis.width, _ntk_base(axis)))


def ntk_timed(axis: Axis) -> Rotation | None:
    """Time-aware scaled RoPE of Lumina-Next (arXiv:2406.18583, section 2.3): the base becomes
    ``theta * s ** (d / d_t)`` with ``d_t = (d - 1) t + 1``, and no pair turns slower than ``s``
    times. From noise, where all is interpolated, it goes over to NTK-aware scaling."""
    if axis.scale == 1:
        return None
    target = (axis.width - 1) * axis.time + 1
    # In logarithms: at time 0 the base itself may be too large for a number.
    base = math.log(axis.theta) + axis.width / target * math.log(axis.scale)
    slowed = np.exp(-base * np.arange(0, axis.width, 2) / axis.width)
    return Rotation(np.maximum(slowed, plain(axis.width, axis.theta) / axis.scale))


def scaled(axis: Axis) -> Rotation | None:
    """Scaled RoPE of Seedream 2.0 (arXiv:2503.07703): places
    are scaled with the resolution so that the middles of pictures of all sizes share theirs,
    ``p' = (p - (n - 1) / 2) / zoom + (m - 1) / 2``. The equation is ours; scaling both axes
    by one ``zoom`` keeps what is round round. Smaller pictures are spread in the same way."""
    if axis.zoom == 1 and axis.now == axis.trained:
        return None
    start = (axis.trained - 1) / 2 - (axis.now - 1) / 2 / axis.zoom
    return Rotation(plain(axis.width, axis.theta), 1 / axis.zoom, start)


def yarn(axis: Axis) -> Rotation | None:
    """Vision YaRN, the bands of UltraFlux (arXiv:2511.18050) without its resonance: see
    ``banded``."""
    return banded(axis, plain(axis.width, axis.theta))


def ultraflux(axis: Axis) -> Rotation | None:
    """Resonance 2D RoPE with YaRN of UltraFlux (arXiv:2511.18050): the bands of ``banded``, from
    frequencies that complete whole turns in the trained window. Made for models trained with it;
    others do better with ``yarn``."""
    return banded(axis, resonant(plain(axis.width, axis.theta), axis.trained))


def resonant(frequencies: Floats, window: float) -> Floats:
    """Frequencies that complete whole turns in a window of tokens: ``r = L f / 2 pi`` rounded, and
    ``f = 2 pi r / L``. Those that complete none stay as they are: the nearest whole number above
    0 would be another frequency altogether."""
    turns = window * frequencies / (2 * math.pi)
    return np.where(turns >= 1, np.rint(turns) * 2 * math.pi / window, frequencies)


def banded(axis: Axis, frequencies: Floats) -> Rotation | None:
    """Interpolation by bands (UltraFlux, arXiv:2511.18050; YaRN, arXiv:2309.00071).

    Pairs that turn often in the trained window keep their frequency, those that turn less than
    once are interpolated (``f / s``), and between them the base is NTK-aware; linear ramps over
    the pairs join the bands (``KEPT``, ``SQUEEZED``). ``gain`` is ``0.1 ln s + 1``.
    """
    if axis.scale == 1:
        return None
    exponents = -np.log(frequencies) / math.log(axis.theta)
    between = frequencies if axis.width <= 2 else _ntk_base(axis) ** -exponents
    squeezed = _ramp(axis, SQUEEZED)
    slow = frequencies / axis.scale * squeezed + between * (1 - squeezed)
    changed = _ramp(axis, KEPT)
    mixed = slow * changed + frequencies * (1 - changed)
    return Rotation(mixed, gain=0.1 * math.log(axis.scale) + 1)


def _ntk_base(axis: Axis) -> float:
    return float(axis.theta * axis.scale ** (axis.width / (axis.width - 2)))


def _ramp(axis: Axis, turns: tuple[float, float]) -> Floats:
    """From 0 for the pairs that complete so many turns in the trained window (and more) to 1 for
    those that complete as few as the second number (and fewer)."""
    pairs = axis.width // 2

    def pair(turned: float) -> float:
        return pairs * math.log(axis.trained / (2 * math.pi * turned)) / math.log(axis.theta)

    if pair(turns[1]) <= 0:  # even the fastest turns less often
        return np.ones(pairs)
    low = max(math.floor(pair(turns[0])), 0)
    high = max(low + 1e-3, min(math.ceil(pair(turns[1])), pairs))
    return np.clip((np.arange(pairs) - low) / (high - low), 0, 1)


METHODS: Mapping[str, Callable[[Axis], Rotation | None]] = MappingProxyType(
    {"ntk": ntk, "ntk_timed": ntk_timed, "scaled": scaled, "yarn": yarn, "ultraflux": ultraflux}
)
"""The methods by name."""
