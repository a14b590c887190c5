"""What a run of an open document would do with the memory, found out beside the checks."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from backend.engine.checks.desk import Desk
from backend.engine.checks.wire import AskForecast, Forecast, ForecastStage, Lane, Stay
from backend.engine.host.device import computes
from backend.engine.registry import NodeRegistry
from backend.graph.document import Workflow
from backend.media.grants import Grants

if TYPE_CHECKING:  # the engine is loaded when the first forecast is asked for
    from backend.plan.memory import MemoryPlan
    from backend.plan.residency.model import Budget
    from backend.plan.stages import Move, Stage

POINTS = (0.02, 0.25, 0.5, 0.75, 0.98)
"""Where in a stage the curve is told, as shares of its time."""


class Forecaster:
    """Tells one forecast at a time, in a thread, so that no check waits for it.

    The last one of each document is kept: while those of others are found out it is asked for again
    and again, and one place for all would hold another's each time.
    """

    def __init__(self, registry: NodeRegistry) -> None:
        self._registry = registry
        self._under_way: threading.Thread | None = None
        self._known: dict[str, tuple[AskForecast, Forecast]] = {}
        self._open: set[str] = set()

    def ask(self, desk: Desk, order: AskForecast) -> Forecast:
        """The forecast, or that it is not known yet."""
        known = self._known.get(order.document)
        if known is not None and known[0] == order:
            return known[1]
        self._open.add(order.document)
        held = desk.held(order.document)
        if held is None or held.workflow is None:
            return Forecast(wrong="This document is not checked, so nothing is known of its run.")
        if self._under_way is None or not self._under_way.is_alive():
            self._under_way = threading.Thread(
                target=self._find,
                args=(order, held.workflow, held.shelf.grants),
                name="weft-forecast",
                daemon=True,
            )
            self._under_way.start()
        return Forecast(going=True)

    def forget(self, document: str) -> None:
        """A document is closed."""
        self._open.discard(document)
        self._known.pop(document, None)

    def _find(self, order: AskForecast, workflow: Workflow, grants: Grants) -> None:
        try:
            found = forecast(self._registry, order, workflow, grants)
        except Exception as error:  # what a node type says wrong must not end what checks
            wrong = f"Weft itself went wrong over this forecast ({type(error).__name__}: {error})."
            found = Forecast(wrong=wrong)
        if order.document in self._open:
            self._known[order.document] = order, found


def forecast(
    registry: NodeRegistry, order: AskForecast, workflow: Workflow, grants: Grants
) -> Forecast:
    """The forecast of a document. Reads headers of models, and never loads torch."""
    from backend.engine.engine import Engine, InvalidWorkflow
    from backend.media.outputs import OutputFolder
    from backend.plan.measured import FILE, Measured

    device = device_of(order, computes(workflow, registry.specs))
    budget = budget_of(order, device)
    if budget is None:
        return Forecast(
            wrong=f"How much memory {device} has is not known before a run. Set the memory for "
            "models in the settings, and this is told for so much."
        )
    measured = Measured(Path(order.cache_folder) / FILE if order.cache_folder else None)
    engine = Engine(
        registry, grants=grants, output=OutputFolder(grants.base), use_cache=False,
        measured=measured,
    )  # fmt: skip
    try:
        return told(engine.memory_plan(workflow, budget=budget, device=device))
    except InvalidWorkflow as invalid:
        first = next(each for each in invalid.diagnostics if each.level == "error")
        return Forecast(wrong=first.sentence)
    finally:
        engine.close()


def device_of(order: AskForecast, computes: bool) -> str:
    """``cpu`` or ``cuda:N``, by the setting and the GPU that the window has found."""
    if order.device == "auto":
        return "cuda:0" if order.gpu and computes else "cpu"
    return "cuda:0" if order.device == "cuda" else order.device


def budget_of(order: AskForecast, device: str) -> Budget | None:
    """The bytes that a run takes there; ``None`` where nobody knows what the device has."""
    from backend.engine.needs import gpu_budget, machine_memory
    from backend.plan.residency.model import Budget

    host = machine_memory() // 2
    if order.memory:
        return Budget(order.memory, host)
    if device == "cpu":
        return Budget(host, host)
    return Budget(gpu_budget(order.gpu), host) if order.gpu and device == "cuda:0" else None


def told(plan: MemoryPlan) -> Forecast:
    """A plan as it travels."""
    components = tuple(plan.needs.components.values())
    known = Forecast(
        device=plan.device,
        device_budget=plan.budget.device,
        host_budget=plan.budget.host,
        lanes=tuple(Lane(c.id, c.weights.part, c.held) for c in components),
        unknown=tuple(f"{n.step}: {n.unknown}" for n in plan.needs.needs if n.unknown),
    )
    if plan.misfit is not None:
        return replace(known, misfit=plan.misfit.sentence, cures=plan.misfit.cures)
    # Of a long batch what was laid out bears the same proportion to all of it.
    part = plan.bound.copied / max(plan.against.copied, 1)
    return replace(
        known,
        device_peak=plan.device_peak,
        host_peak=plan.host_peak,
        loaded=plan.copied,
        least_loaded=int(plan.copied * part),
        read=plan.read,
        timed=plan.timed,
        seconds=plan.seconds,
        waiting=plan.waiting,
        least_waiting=plan.bound.waiting,
        whole=plan.whole,
        stages=tuple(stages_of(plan)),
    )


def stages_of(plan: MemoryPlan) -> Sequence[ForecastStage]:
    """The stages, each with what lies on the device in the course of it."""
    names = {name: n for n, name in enumerate(plan.needs.components)}
    sizes = [component.held for component in plan.needs.components.values()]
    needs = {need.step: need for need in plan.needs.needs}
    levels = held_over(plan.stages, names, sizes)
    found = []
    for stage, rows in zip(plan.stages, levels, strict=True):
        # Steps of one stage need the same.
        need = needs[stage.steps[0]]
        used = {name for use in need.uses for name in use.components}
        comes = {
            name: sum(m.nbytes for m in stage.moves if m.component == name and _comes(m))
            for name in names
        }
        streams = {move.component for move in stage.moves if move.kind == "stream"}
        stays = tuple(
            Stay(n, held, comes[name], name in streams or comes[name] > sizes[n], name in used)
            for name, n in names.items()
            if (held := max(row[n] for row in rows)) or name in used
        )
        curve = tuple(min(sum(row) + (need.activation or 0), plan.device_peak) for row in rows)
        activation = -1 if need.activation is None else need.activation
        found.append(
            ForecastStage(
                stage.steps, stage.calls, stage.compute + stage.waiting, stage.waiting,
                activation, stays, curve,
            )
        )  # fmt: skip
    return found


def held_over(
    stages: Sequence[Stage], names: Mapping[str, int], sizes: Sequence[int]
) -> list[list[list[int]]]:
    """For each stage, at each of its ``POINTS``, the bytes on the device of each component.

    Moves of one kind are told together, from the first to the last, so between these a component
    is taken to come and go evenly.
    """
    times = [
        stage.start + share * (stage.end - stage.start) for stage in stages for share in POINTS
    ]
    under_way = [[0.0] * len(sizes) for _ in times]
    from_here = [[0] * len(sizes) for _ in (*times, 0.0)]
    for stage in stages:
        for move in stage.moves:
            if move.kind == "evict" or _comes(move):
                lane, nbytes = names[move.component], move.nbytes * (1 if _comes(move) else -1)
                begins, ends = bisect_right(times, move.start), bisect_left(times, move.end)
                for at in range(begins, ends):
                    share = (times[at] - move.start) / (move.end - move.start)
                    under_way[at][lane] += nbytes * share
                from_here[max(begins, ends)][lane] += nbytes
    levels = [
        [there + more for there, more in zip(row, rest, strict=True)]
        for row, rest in zip(accumulate(from_here, _sum), under_way, strict=False)
    ]
    whole = [
        [round(min(max(level, 0.0), size)) for level, size in zip(row, sizes, strict=True)]
        for row in levels
    ]
    return [whole[n : n + len(POINTS)] for n in range(0, len(whole), len(POINTS))]


def _sum(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _comes(move: Move) -> bool:
    return move.kind in ("load", "stream")
