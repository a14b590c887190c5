"""The second half of ``weft plan``: what a run would load and let go of, and whether it fits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from backend.cli.check import counted
from backend.cli.streams import Output
from backend.plan.memory import MemoryPlan
from backend.plan.needs import Need, Used
from backend.plan.residency.report import size
from backend.plan.stages import Move, Stage


def show_memory(output: Output, plan: MemoryPlan) -> None:
    """Show a plan of memory; nothing where no step that would run uses a model."""
    if not any(need.uses or need.unknown for need in plan.needs.needs):
        return
    for record in records(plan) if output.json else ():
        output.record(record)
    output.line()
    for line in lines(plan):
        output.line(line)


def records(plan: MemoryPlan) -> Iterator[dict[str, Any]]:
    """The plan for programs; bytes are bytes, times are seconds from the beginning, and what is not
    known is null."""
    for component in plan.needs.components.values():
        yield {
            "event": "component",
            "component": component.id,
            "family": component.weights.family,
            "part": component.weights.part,
            "identity": component.weights.identity,
            "precision": component.dtype,
            "stored": component.stored,
            "held": component.held,
            "blocks": [
                {"name": block.name, "stored": block.stored, "held": block.held}
                for block in component.blocks
            ],
        }
    for need in plan.needs.needs:
        yield {
            "event": "need",
            "step": need.step,
            "type": need.type,
            "uses": [
                {
                    "component": use.component,
                    "passes": use.passes,
                    "beside": list(use.beside),
                    "before": list(use.before),
                }
                for use in need.uses
            ],
            "activation": need.activation,
            "result": need.result,
            "seconds": need.seconds,
            "measured": need.measured,
            "calls": need.calls,
            "turns": need.turns,
            "unknown": need.unknown,
        }
    for number, stage in enumerate(plan.stages, 1):
        yield {
            "event": "stage",
            "order": number,
            "steps": list(stage.steps),
            "calls": stage.calls,
            "compute": _told(stage.compute, plan.measured),
            "waiting": _told(stage.waiting, plan.timed),
            **_span(plan, stage),
        }
        for move in stage.moves:
            yield {
                "event": "move",
                "order": number,
                "kind": move.kind,
                "component": move.component,
                "blocks": move.blocks,
                "bytes": move.nbytes,
                **_span(plan, move),
            }
    yield _memory(plan)


def _memory(plan: MemoryPlan) -> dict[str, Any]:
    misfit, fits = plan.misfit, plan.fits
    return {
        "event": "memory",
        "device": plan.device,
        "device_budget": plan.budget.device,
        "host_budget": plan.budget.host,
        "fits": fits,
        "sentence": misfit.sentence if misfit else "",
        "cures": list(misfit.cures) if misfit else [],
        "device_needed": misfit.needs.device if misfit else None,
        "host_needed": misfit.needs.host if misfit else None,
        "device_peak": plan.device_peak if fits else None,
        "host_peak": plan.host_peak if fits else None,
        "loaded": plan.copied if fits else None,
        "read": plan.read if fits else None,
        "seconds": _told(plan.seconds, fits and plan.timed),
        "compute": _told(plan.compute, fits and plan.measured),
        "waiting": _told(plan.waiting, fits and plan.timed),
        "moving": _told(plan.moving or 0.0, fits and plan.moving is not None),
        "measured": plan.measured,
        "whole": plan.whole,
        "laid_out": _bound(plan, plan.against),
        "bound": _bound(plan, plan.bound),
    }


def _bound(plan: MemoryPlan, limit: Any) -> dict[str, Any] | None:
    if not plan.fits:
        return None
    waiting = _told(limit.waiting, plan.timed)
    return {"waiting": waiting, "loaded": limit.copied, "read": limit.read}


def _span(plan: MemoryPlan, row: Stage | Move) -> dict[str, float | None]:
    return {"start": _told(row.start, plan.timed), "end": _told(row.end, plan.timed)}


def _told(seconds: float, known: bool) -> float | None:
    return round(seconds, 6) if known else None


def lines(plan: MemoryPlan) -> Iterator[str]:
    """The plan for people."""
    where = "the CPU" if plan.device == "cpu" else plan.device
    yield (
        f"Memory on {where}: {size(plan.budget.device)} for models and what they compute in, "
        f"{size(plan.budget.host)} of host memory beside that."
    )
    needs = {need.step: need for need in plan.needs.needs}
    width = max((len(need.step) for need in plan.needs.needs), default=0)
    for stage in plan.stages:
        name, more = stage.steps[0], len(stage.steps) - 1
        also = f"and {counted(more, 'more step')} like it: " if more else ""
        yield f"  {name:{width}}  {also}{_what(needs[name], stage, plan)}"
        for word, moved in _moved(plan, stage):
            told = ", ".join(f"{name} {size(nbytes)}" for name, nbytes in moved.items())
            yield f"  {'':{width}}    {word} {told}"
    if not plan.fits:
        for need in plan.needs.needs:
            yield f"  {need.step:{width}}  {_uses(need)}; {_computes(need)}"
    for need in plan.needs.needs:
        if need.unknown:
            yield f"Not known of {need.step}: {need.unknown}"
    yield from _verdict(plan)


def _what(need: Need, stage: Stage, plan: MemoryPlan) -> str:
    calls = f"{counted(stage.calls, 'call')}: " if stage.calls != 1 else ""
    known = need.seconds is not None
    times = f"; takes {_seconds(stage.compute)}" if known else ""
    if plan.timed and stage.waiting >= 0.0005:
        times += f"; waits {_seconds(stage.waiting)}"
    return f"{calls}{_uses(need)}; {_computes(need)}{times}"


def _uses(need: Need) -> str:
    return ", ".join(map(_use, need.uses)) or "no model"


def _use(use: Used) -> str:
    more = (*use.beside, *use.before)
    beside = f" with {' and '.join(more)}" if more else ""
    passes = f" {use.passes} times" if use.passes != 1 else ""
    return f"{use.component}{beside}{passes}"


def _computes(need: Need) -> str:
    if need.activation is None:
        return "computes in what is not known yet"
    return f"computes in {size(need.activation)}{' (measured)' if need.measured else ''}"


def _moved(plan: MemoryPlan, stage: Stage) -> Iterator[tuple[str, dict[str, int]]]:
    """What comes and goes, by component. More than all of it streams: it comes again and again."""
    comes: dict[str, int] = {}
    goes = {move.component: move.nbytes for move in stage.moves if move.kind == "evict"}
    for move in stage.moves:
        if move.kind in ("load", "stream"):
            comes[move.component] = comes.get(move.component, 0) + move.nbytes
    streams = {n: b for n, b in comes.items() if b > plan.needs.components[n].held}
    loads = {name: nbytes for name, nbytes in comes.items() if name not in streams}
    rows = {"loads": loads, "streams": streams, "lets go of": goes}
    return ((word, row) for word, row in rows.items() if row)


def _verdict(plan: MemoryPlan) -> Iterator[str]:
    if plan.misfit is not None:
        yield f"It does not fit. {plan.misfit.sentence}"
        yield f"What would make it fit: {', or '.join(plan.misfit.cures)}."
        return
    yield (
        f"It fits: {size(plan.device_peak)} at the most, and {size(plan.host_peak)} of host memory."
    )
    least = plan.against.copied <= plan.bound.copied
    than = ", the least that can be" if least else f"; at least {_least(plan)} in any plan"
    yield f"Loaded: {size(plan.copied)}{than}. Read from disk: {size(plan.read)}."
    yield from _times(plan)
    if not plan.whole:
        yield "What repeats was laid out a few times, and is counted on from there."


def _least(plan: MemoryPlan) -> str:
    """The bound in bytes; of a long batch what was laid out bears the same proportion to it."""
    part = plan.bound.copied / max(plan.against.copied, 1)
    return size(math.floor(plan.copied * part))


def _times(plan: MemoryPlan) -> Iterator[str]:
    if plan.moving is None:
        yield "How long weights take to come is known once a model has been loaded here."
    elif not plan.measured:
        yield f"To move that takes about {_seconds(plan.moving)} by the speeds measured here."
    if not plan.measured:
        yield "How long it computes is known once it has run."
        return
    yield f"Computing: about {_seconds(plan.compute)}, as measured here."
    if not plan.timed:
        return
    if plan.waiting < 0.0005:
        yield "It never waits for weights."
        return
    than = f"; no plan waits less than {_seconds(plan.bound.waiting)}" if plan.whole else ""
    yield f"Waiting for weights: about {_seconds(plan.waiting)}{than}."


def _seconds(seconds: float) -> str:
    if seconds >= 120:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
