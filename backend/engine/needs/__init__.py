"""What a program needs of the device before it runs: components, passes, bytes. Light: no torch."""

from backend.engine.needs.budget import (
    device_budget,
    gpu_budget,
    host_budget,
    machine_budget,
    machine_memory,
)
from backend.engine.needs.find import find_needs, running

__all__ = [
    "device_budget",
    "find_needs",
    "gpu_budget",
    "host_budget",
    "machine_budget",
    "machine_memory",
    "running",
]
