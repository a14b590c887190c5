"""What a device can do at most: operations and bytes a second, measured.

Roofline (Williams, Waterman and Patterson 2009): an operator of ``f`` operations that moves ``b``
bytes takes at least ``max(f / peak, b / bandwidth)`` seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TRIES = 5


@dataclass(frozen=True)
class Roof:
    """Operations a second of a large product of matrices, and bytes a second of a large copy."""

    peak: float
    bandwidth: float

    def least(self, operations: int, moved: int) -> float:
        """The seconds that so much work takes at least."""
        return max(operations / self.peak, moved / self.bandwidth)


def measure_roof(device: str, dtype: Any, check: Callable[[], None] = lambda: None) -> Roof:
    """Try the device with a product of matrices of this type and with a copy, each the best of
    ``TRIES``; it takes a fraction of a second. ``check`` is asked between and may raise."""
    import torch

    large = device.startswith("cuda")
    side, numbers = (8192, 2**28) if large else (1024, 2**24)
    left, right = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.ones(numbers, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    multiply = _best(lambda: torch.mm(left, right, out=product), device, check)
    copy = _best(lambda: target.copy_(source), device, check)
    return Roof(2.0 * side**3 / multiply, 8.0 * numbers / copy)


def _best(work: Callable[[], Any], device: str, check: Callable[[], None]) -> float:
    import torch

    best = float("inf")
    for _ in range(TRIES + 1):  # the first sets things up
        check()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return best
