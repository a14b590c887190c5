"""The effective numerics: what decides, beside code and inputs, which bits come out."""

from __future__ import annotations

import os
import platform
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import backend
from backend.graph.spec import Lane

LIGHT = ("weft", "av", "numpy", "opencv-python-headless", "pillow", "soundfile")
HEAVY = ("torch", "diffusers", "transformers")


@dataclass(frozen=True)
class Numerics:
    """The numerics of one engine: its device and its number of threads.

    Versions are read from the packages' metadata; torch is imported only to name a GPU.
    """

    device: str
    threads: int

    @cached_property
    def light(self) -> str:
        """What counts for every node: Weft, the array libraries, the machine's architecture."""
        return ";".join((platform.machine(), *(f"{n}={_version(n)}" for n in LIGHT)))

    @cached_property
    def heavy(self) -> str:
        """What counts for nodes of the device lane beside that.

        The precision follows from the device and the model's card, so it needs no word of its own.
        """
        builds = [f"{name}={_version(name)}" for name in HEAVY]
        return ";".join((self.light, *builds, self.device_class, f"threads={self.threads}"))

    @cached_property
    def device_class(self) -> str:
        """``cpu`` with its capability, or the GPU's name with its compute capability."""
        if not self.device.startswith("cuda"):
            return "cpu"
        import torch

        found = torch.cuda.get_device_properties(self.device)
        return f"cuda {found.name} {found.major}.{found.minor}"

    def of(self, lane: Lane) -> str:
        """The numerics of a lane as they stand in keys."""
        return self.heavy if lane == "device" else self.light

    def told(self) -> dict[str, Any]:
        """The numerics as provenance tells them: what torch really computes with, where it was
        used, and what every node stands on."""
        told: dict[str, Any] = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.system(),
        }
        if "torch" in sys.modules:
            told |= {
                "device": self.device_class,
                "threads": self.threads,
                "precision": "bfloat16" if self.device.startswith("cuda") else "float32",
                "matmul": sys.modules["torch"].get_float32_matmul_precision(),
                "kernels": self._kernels(),
            }
        return told

    def _kernels(self) -> str:
        """The instructions of the CPU that torch uses, or the libraries of the GPU."""
        import torch

        if not self.device.startswith("cuda"):
            return torch.backends.cpu.get_cpu_capability()
        cudnn: Any = torch.backends.cudnn
        return f"cuda {torch.version.cuda} cudnn {cudnn.version()}"

    def begin_device(self) -> None:
        """Make the calling thread compute with as many threads as the keys say."""
        import torch

        torch.set_num_threads(self.threads)


def default_threads() -> int:
    """``OMP_NUM_THREADS`` where it is a number, else the cores that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """The versions of Weft and of the libraries that make results, as provenance tells them."""
    return {name: _version(name) for name in (*LIGHT, *HEAVY)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return _own_version() if name == "weft" else "none"


def _own_version() -> str:
    """Weft's version where it runs from its repository and is not installed."""
    project = Path(backend.__file__).resolve().parent.parent / "pyproject.toml"
    try:
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "none"
