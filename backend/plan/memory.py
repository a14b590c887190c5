"""The plan of memory for a run: what is loaded when, what it waits for, and whether it fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from backend.plan.measured import Measured
from backend.plan.needs import Needs
from backend.plan.parts import Part, Run
from backend.plan.residency.bound import Bound
from backend.plan.residency.model import Budget, Link
from backend.plan.residency.report import Misfit
from backend.plan.stages import Stage, stages_of
from backend.plan.stretch import in_order, stretches

USUAL_DISK, USUAL_COPY = 1e9, 10e9
"""Bytes per second by which a plan is made where nothing was measured; they show in no figure."""


NOTHING = Bound(0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Speeds:
    """Bytes per second from disk and to the device, ``None`` where they were never measured. On the
    CPU nothing is copied."""

    disk: float | None = None
    copy: float | None = None

    @classmethod
    def of(cls, measured: Measured, device: str) -> Speeds:
        """What was measured on this machine."""
        copy = math.inf if device == "cpu" else measured.speed("copy")
        return cls(measured.speed("disk"), copy)

    @property
    def known(self) -> bool:
        """Whether a plan can tell seconds."""
        return self.disk is not None and self.copy is not None

    @property
    def link(self) -> Link:
        """These, or where they are not known usual ones."""
        return Link(self.copy or USUAL_COPY, self.disk or USUAL_DISK)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What a run does with the memory of the device and the host.

    ``measured``: what every step computes was measured; only where the ``speeds`` are known too
    does any figure in seconds mean something (``timed``). ``copied`` and ``read`` are bytes to the
    device and from disk. ``bound`` is what no plan can beat, and ``against`` what this one has of
    the same: the waiting and bytes of what was laid out, of which a long batch is a multiple
    (``whole`` is False). ``misfit`` says why it does not run within ``budget``; then nothing but
    ``needs`` is known.
    """

    needs: Needs
    budget: Budget
    device: str
    speeds: Speeds
    measured: bool
    stages: tuple[Stage, ...] = ()
    seconds: float = 0.0
    compute: float = 0.0
    waiting: float = 0.0
    device_peak: int = 0
    host_peak: int = 0
    copied: int = 0
    read: int = 0
    bound: Bound = NOTHING
    against: Bound = NOTHING
    whole: bool = True
    misfit: Misfit | None = None

    @property
    def fits(self) -> bool:
        """Whether it runs within the budget."""
        return self.misfit is None

    @property
    def timed(self) -> bool:
        """Whether seconds are told by what was measured on this machine, all of them."""
        return self.measured and self.speeds.known

    @property
    def moving(self) -> float | None:
        """Seconds that what is moved takes by itself; ``None`` where speeds are not known."""
        if not self.speeds.known:
            return None
        return max(self.copied / self.speeds.link.copy, self.read / self.speeds.link.disk)


def plan_memory(
    needs: Needs,
    budget: Budget,
    device: str = "cpu",
    speeds: Speeds | None = None,
    here: Sequence[str] = (),
) -> MemoryPlan:
    """Plan the memory of a run. ``here`` are components that are on the device already, all of
    them."""
    speed = speeds or Speeds(copy=math.inf if device == "cpu" else None)
    link = speed.link
    seconds = {
        name: c.held / link.copy + c.stored / link.disk for name, c in needs.components.items()
    }
    order = in_order(needs, budget, {n: 0.0 if n in here else s for n, s in seconds.items()})
    laid = stretches(order.batches, needs, budget, order.values, link)
    known = all(need.seconds is not None for need in needs.needs if need.uses)
    made = MemoryPlan(needs, budget, device, speed, known)
    if not laid:
        return made
    parts = list(Run(needs, laid, budget, link, here).parts())
    if isinstance(parts[-1], Misfit):
        return replace(made, misfit=parts[-1])
    done = [part for part in parts if isinstance(part, Part)]
    stages = stages_of(needs, laid, order.batches, done)
    compute = math.fsum(stage.compute for stage in stages)
    waiting = math.fsum(stage.waiting for stage in stages)
    return replace(
        made,
        stages=stages,
        seconds=compute + waiting,
        compute=compute,
        waiting=waiting,
        device_peak=max(part.device_peak for part in done),
        host_peak=max(part.host_peak for part in done),
        copied=sum(stage.bytes("load", "stream") for stage in stages),
        read=sum(stage.bytes("read") for stage in stages),
        bound=added([part.limit for part in done]),
        against=added([part.came_to(laid) for part in done]),
        whole=all(stretch.times == 1 for stretch in laid),
    )


def added(bounds: Sequence[Bound]) -> Bound:
    """Waiting and bytes of several parts together."""
    return Bound(
        math.fsum(each.waiting for each in bounds),
        sum(each.copied for each in bounds),
        sum(each.read for each in bounds),
    )
