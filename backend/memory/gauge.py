"""How much memory a piece of work took at its peak, beside what was there before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Gauge(Protocol):
    """Measures from ``begin`` to ``peak``."""

    def begin(self) -> None:
        """From now on."""

    def peak(self) -> int | None:
        """The most bytes above those at the beginning; ``None`` where the system does not tell."""


class HostGauge:
    """The memory of this process, as Linux tells it (``VmHWM`` of ``/proc/self/status``, which is
    set back through ``clear_refs``). What other threads take meanwhile counts too."""

    def __init__(self) -> None:
        self._before: int | None = None

    def begin(self) -> None:
        """From now on."""
        try:
            _CLEAR.write_text("5")
            self._before = _told("VmRSS:")
        except OSError:
            self._before = None

    def peak(self) -> int | None:
        """The most bytes above those at the beginning."""
        try:
            most = _told("VmHWM:")
        except OSError:
            return None
        if self._before is None or most is None:
            return None
        return max(0, most - self._before)


class CudaGauge:
    """What torch has allocated on one GPU."""

    def __init__(self, device: str) -> None:
        self._device, self._before = device, 0

    def begin(self) -> None:
        """From now on."""
        import torch

        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)

    def peak(self) -> int | None:
        """The most bytes above those at the beginning."""
        import torch

        return max(0, int(torch.cuda.max_memory_allocated(self._device)) - self._before)


def gauge_for(device: str) -> Gauge:
    """The gauge of a device."""
    return CudaGauge(device) if device.startswith("cuda") else HostGauge()


def _told(name: str) -> int | None:
    if sys.platform != "linux":
        return None
    for line in _STATUS.read_text("ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None
