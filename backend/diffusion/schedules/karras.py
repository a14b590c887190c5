"""Karras' schedule: even in the rho-th root of sigma."""

from __future__ import annotations

from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Process
from backend.diffusion.schedule import ScheduleKind, number
from backend.values import Params


def place(steps: int, process: Process, tokens: int, params: Params) -> list[float]:
    """``sigma_i = (max^(1/rho) + i/(n-1) (min^(1/rho) - max^(1/rho)))^rho``.

    arXiv:2206.00364 eq. 5, ``rho`` 7 by default.

    Raises:
        DiffusionError: ``rho`` is not above 0.
    """
    rho = number(params, "rho", 7.0)
    if rho <= 0:
        raise DiffusionError(f"rho must be above 0, not {rho:g}.")
    high, low = process.reach(steps, tokens)
    top, bottom = high ** (1 / rho), low ** (1 / rho)
    roots = [top + i / max(steps - 1, 1) * (bottom - top) for i in range(steps)]
    return [max(root**rho, low) for root in roots]  # a small rho rounds the last ones away


KARRAS = ScheduleKind("karras", "Karras", place, rank=20)
