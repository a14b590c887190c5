"""Shifts of a flow schedule: larger images need more of the steps at high noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


def shifted(sigma: float, by: float) -> float:
    """``t' = a t / (1 + (a - 1) t)``, arXiv:2403.03206 eq. 23 with ``a = sqrt(m/n)``."""
    return by * sigma / (1.0 + (by - 1.0) * sigma)


@dataclass(frozen=True)
class Shift:
    """A shift rule.

    ``static``: the factor is ``value``. ``dynamic``: ``mu`` grows linearly with the token count,
    from ``base`` at ``base_tokens`` to ``top`` at ``top_tokens``, and the factor is ``exp(mu)``
    (``exponential``) or ``mu`` itself (``linear``), as FLUX.1 does. ``terminal`` stretches the
    levels so that the last one is that value.
    """

    kind: Literal["static", "dynamic"] = "static"
    value: float = 1.0
    base: float = 0.5
    top: float = 1.15
    base_tokens: int = 256
    top_tokens: int = 4096
    form: Literal["exponential", "linear"] = "exponential"
    terminal: float | None = None

    def factor(self, tokens: int) -> float:
        """The factor ``a`` for an image of ``tokens`` tokens."""
        if self.kind == "static":
            return self.value
        slope = (self.top - self.base) / (self.top_tokens - self.base_tokens)
        mu = self.base + slope * (tokens - self.base_tokens)
        return math.exp(mu) if self.form == "exponential" else mu

    def apply(self, levels: Sequence[float], tokens: int) -> list[float]:
        """Shift noise levels; a factor of 1 leaves them exactly as they are."""
        factor = self.factor(tokens)
        out = list(levels) if factor == 1.0 else [shifted(s, factor) for s in levels]
        if self.terminal is not None and out[-1] != 1.0:
            stretch = (1.0 - out[-1]) / (1.0 - self.terminal)
            out = [1.0 - (1.0 - s) / stretch for s in out]
        return out
