"""Settings of flow schedulers that place levels themselves, as Weft's own terms. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.shift import Shift, shifted
from backend.models.settings import SPACINGS, check_scheduler, flow_shift, spacing

UNIPC = "UniPCMultistepScheduler"
EULER = "FlowMatchEulerDiscreteScheduler"


@dataclass(frozen=True)
class FlowTimes:
    """The levels and times of one scheduler, called without a table of sigmas.

    ``lowest`` is where the even grid ends before the shift; ``open_end`` says that it stops one
    step short of there. Noise level 1 is ``top`` in the network's time, of which it is told only
    ``whole`` steps by some schedulers.
    """

    shift: Shift
    spacing: str
    lowest: float
    open_end: bool
    top: int
    whole: bool

    def grid(self, steps: int) -> list[float]:
        """``steps`` even levels from 1, before the shift."""
        spans = steps if self.open_end else max(steps - 1, 1)
        return [1.0 + i * ((self.lowest - 1.0) / spans) for i in range(steps)]

    def time(self, sigma: float) -> float:
        """What the network is told of a noise level."""
        return float(min(int(sigma * self.top), self.top - 1)) if self.whole else sigma * self.top


def flow_times(kind: str, settings: Mapping[str, Any]) -> FlowTimes:
    """The levels and times of a UniPC or flow-matching Euler scheduler.

    UniPC's grid goes from 1 towards the first trained step, and times are cut to whole steps; the
    Euler scheduler's goes to that step itself, which a static shift has already moved once.

    Raises:
        ValueError, TypeError: a setting that should be a number, or above 0, is not.
    """
    top = int(settings.get("num_train_timesteps", 1000))
    if kind == UNIPC:
        shift = Shift(
            "static",
            float(settings.get("flow_shift", 1.0)),
            terminal=settings.get("shift_terminal") or None,
        )
    else:
        shift = flow_shift(settings)
    if shift.factor(0) <= 0 or top < 1:
        raise ValueError(f"shift {shift.factor(0):g}, {top} time steps")
    unipc = kind == UNIPC
    moved = not unipc and shift.kind == "static"
    lowest = shifted(1.0 / top, shift.factor(0)) if moved else 1.0 / top
    return FlowTimes(shift, "" if unipc else spacing(settings), lowest, unipc, top, unipc)


def check_flow_scheduler(folder: ModelFolder, title: str) -> None:
    """Refuse scheduler settings that a run would not follow. ``title`` is the family's.

    Raises:
        CatalogError: there are such.
        ValueError, TypeError: one that should be a number is none.
    """
    scheduler = folder.component("scheduler")
    wanted: dict[str, object] = {"use_dynamic_shifting": False}
    if scheduler.kind == UNIPC:
        wanted |= {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        wanted |= {f"use_{name}_sigmas": False for name in SPACINGS}
        wanted |= {"final_sigmas_type": "zero"}
    else:
        check_scheduler(folder, title)
    for name, value in wanted.items():
        absent = "zero" if name == "final_sigmas_type" else False
        found = scheduler.config.get(name, absent)
        if found != value:
            raise CatalogError(
                f"{folder.path}: the scheduler has {name} {found}, but a {title} runs with {value} "
                "only. Set it so in scheduler/scheduler_config.json."
            )
    flow_times(scheduler.kind, scheduler.config)
