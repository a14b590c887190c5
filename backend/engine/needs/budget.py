"""The memory that an engine takes where nobody says how much it may."""

from __future__ import annotations

import os
from pathlib import Path

from backend.plan.residency.model import Budget

_ABOUT = Path("/proc/meminfo")

LEFT = 4 * 2**30
"""Bytes of the machine's memory that weights never wait in."""
UNKNOWN = 16 * 2**30
"""Bytes that a machine is taken to have which does not say."""


def machine_budget(device: str) -> Budget:
    """Bytes for models and what they compute in: most of the GPU's memory, or half of the machine's
    on the CPU; and as much host memory beside that.

    Torch is asked for a GPU only.
    """
    half = machine_memory() // 2
    return Budget(device_budget(device), half)


def device_budget(device: str) -> int:
    """The bytes of the device."""
    if device.startswith("cuda"):
        import torch

        return gpu_budget(torch.cuda.mem_get_info(device)[1])
    return machine_memory() // 2


def gpu_budget(total: int) -> int:
    """The bytes of a GPU that has so many in all."""
    return int(total * 0.8)


def host_budget(asked: int = 0) -> int:
    """Bytes of host memory in which weights may wait for a GPU: what is asked for, or half of what
    is free now; and always 4 GiB less than there are."""
    return max(0, min(asked or free_memory() // 2, machine_memory() - LEFT))


def free_memory() -> int:
    """Bytes of memory that are free now, or could be; all, where the system does not say."""
    if _ABOUT.exists():
        for line in _ABOUT.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return machine_memory()


def machine_memory() -> int:
    """Bytes of memory that the machine has."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return UNKNOWN
