"""``weft plan``: what a run would do, step by step, and what it would do with the memory."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from backend.cli.check import counted, show_diagnostics
from backend.cli.errors import DONE, INVALID, Stop, wrong_usage
from backend.cli.flow import Flow, open_flow
from backend.cli.places import user_settings
from backend.cli.run import Wish, choose_device, make_engine, needs_device
from backend.cli.streams import Output
from backend.settings.declared import DEVICE
from backend.settings.values import read_size

if TYPE_CHECKING:
    from backend.plan.forecast import Plan
    from backend.plan.residency.model import Budget

GPUS = ("/dev/nvidiactl", "/dev/kfd", r"C:\Windows\System32\nvcuda.dll")
"""What there is where a driver for a GPU is installed; without, torch need not be asked for one."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a plan is for, as the command line says: ``None`` is what this machine has."""

    memory: str | None = None
    host_memory: str | None = None
    device: str | None = None


def plan_flow(name: str, allowed: Sequence[Path], machine: Machine, *, json: bool) -> int:
    """Show the plan of a workflow; returns the exit status.

    Raises:
        Stop: the file is no workflow, or what is said of the machine cannot be.
    """
    return show_plan(open_flow(name, allowed), machine, Output(json))


def show_plan(flow: Flow, machine: Machine, output: Output, *, steps: bool = True) -> int:
    """Show the plan of a workflow that is open, ``steps`` and memory; returns the exit status.

    Raises:
        Stop: what is said of the machine cannot be.
    """
    memory, host = _size("--memory", machine.memory), _size("--host-memory", machine.host_memory)
    settings = user_settings()
    memory = memory if memory is not None else settings.run.memory or None
    host = host if host is not None else settings.run.host_memory or None
    here, device = _devices(flow, machine.device or settings.run.device, memory)
    engine = make_engine(flow, Wish.of(settings), here)
    try:
        checked = engine.check(flow.workflow)
        if not checked.ok:
            show_diagnostics(output, [one for one in checked.diagnostics if one.level == "error"])
            return INVALID
        if steps:
            _show_steps(output, engine.plan(flow.workflow))
        from backend.cli.plan_memory import show_memory

        budget = _budget(device, memory, host)
        show_memory(output, engine.memory_plan(flow.workflow, budget=budget, device=device))
    finally:
        engine.close()
        engine.cache.close()
    return DONE


def _show_steps(output: Output, plan: Plan) -> None:
    width = max((len(step.id) for step in plan.steps), default=0)
    for number, step in enumerate(plan.steps, 1):
        output.record({"event": "planned", "order": number, **msgspec.to_builtins(step)})
        row = f"{number:4}  {step.id:{width}}  {step.type:20} {step.lane:7} {step.status:9}"
        output.line(f"{row} {step.why}")
    counts = {"run": plan.run, "maybe": plan.maybe, "left out": plan.left_out}
    output.record(
        {"event": "plan", "run": plan.run, "maybe": plan.maybe, "left_out": plan.left_out}
    )
    said = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    output.line(f"{counted(len(plan.steps), 'step')}: {said or 'nothing to do'}.")


def _size(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return read_size(text)
    except ValueError as error:
        raise wrong_usage(f"{option} {text}: {error}.") from None


def _devices(flow: Flow, wanted: str, memory: int | None) -> tuple[str, str]:
    """The device of this machine whose results count as cached, and the one that is planned for,
    which with a size of memory may be one that is not here.

    Raises:
        Stop: it is no device, or with no size of memory none of this machine.
    """
    if not re.fullmatch(DEVICE, wanted):
        raise wrong_usage(f"--device {wanted}: write auto, cpu, cuda or cuda:N.")
    specs = flow.registry.specs
    asked = wanted if wanted != "auto" or _may_have_gpu() else "cpu"
    if asked == "auto" and not needs_device(flow.workflow, specs):
        asked = "cpu"
    if not asked.startswith("cuda") or _may_have_gpu():
        try:
            found = choose_device(asked, flow.workflow, specs)
        except Stop:
            if memory is None or not asked.startswith("cuda"):
                raise
        else:
            return found, found
    if memory is None:
        raise wrong_usage(
            f"--device {wanted}: this machine has no GPU to ask for its memory. Say how much there "
            "is, as in --memory 8GiB."
        )
    return "cpu", asked if ":" in asked else f"{asked}:0"


def _may_have_gpu() -> bool:
    return any(os.path.exists(path) for path in GPUS)


def _budget(device: str, memory: int | None, host: int | None) -> Budget:
    from backend.engine.needs import device_budget, machine_memory
    from backend.plan.residency.model import Budget

    return Budget(
        device_budget(device) if memory is None else memory,
        machine_memory() // 2 if host is None else host,
    )
