"""The plan as frozen data: what a run would do, as far as that can be told before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec

from backend.graph.spec import Lane
from backend.plan.survey import DONE, NEW, SEEN, WANT, Survey

Status = Literal["run", "cached", "maybe", "left out"]


class PlanStep(msgspec.Struct, frozen=True, omit_defaults=False):
    """One step: what would happen to it, and why."""

    id: str
    type: str
    lane: Lane
    status: Status
    why: str


class Plan(msgspec.Struct, frozen=True):
    """All steps, first those a run would do or take from the cache in their order, then the rest.

    ``run``, ``cached``, ``maybe`` and ``left_out`` count them.
    """

    steps: tuple[PlanStep, ...]
    run: int
    cached: int
    maybe: int
    left_out: int


def to_json(plan: Plan) -> bytes:
    """The plan as one JSON object."""
    return msgspec.json.encode(plan)


def forecast(survey: Survey, roots: Iterable[int]) -> Plan:
    """Plan the run of ``roots`` on a fresh survey. Linear in steps and links; runs no node."""
    wanted = list(roots)
    survey.look(wanted)
    survey.demand(wanted)
    perhaps = _perhaps(survey)
    units, rank = survey.program.units, survey.rank
    order = sorted(range(len(units)), key=lambda i: (rank[i] == 0, rank[i] or i))
    statics: set[str] = set()
    steps = []
    for i in order:
        status, why = _status(survey, i, i in perhaps, statics)
        unit = units[i]
        steps.append(PlanStep(unit.step.id, unit.step.type, unit.spec.lane, status, why))
    count = [sum(s.status == wanted_status for s in steps) for wanted_status in _STATUSES]
    return Plan(tuple(steps), *count)


_STATUSES: tuple[Status, ...] = ("run", "cached", "maybe", "left out")


def _status(survey: Survey, i: int, perhaps: bool, statics: set[str]) -> tuple[Status, str]:
    state, unit, memory = survey.state[i], survey.program.units[i], survey.desk.memory
    if state in (DONE, SEEN):
        return "cached", "nothing changed" if state == DONE else "its result is not needed again"
    if state == NEW:
        if perhaps:
            return "maybe", "a lazy node decides whether it is needed"
        return "left out", "nothing that is wanted needs it"
    assert state == WANT
    twin = unit.static in statics
    statics.add(unit.static)
    if not survey.desk.remembers:
        return "run", "the cache is not used"
    if unit.lazy and i not in survey.decided:
        return "maybe", "it chooses its inputs while it runs"
    if twin:
        return "maybe", "another step of this run may give the same result"
    if not memory.seen(unit.static):
        return "run", "it has not run with these settings yet"
    if survey.keys[i] is None:
        return "maybe", "its inputs may turn out as they were"
    if any(survey.is_list(link.wire) for link in survey.links(i)):
        return "maybe", "some of its items may be cached"
    if unit.body is not None:
        return "run", "its turns run; steps in them may be cached"
    return "run", "its inputs changed, or its result is gone"


def _perhaps(survey: Survey) -> set[int]:
    """The steps that only undecided lazy nodes may come to need."""
    units, found = survey.program.units, set[int]()
    undecided = [
        i for i, unit in enumerate(units)
        if unit.lazy and survey.state[i] == WANT and i not in survey.decided
    ]  # fmt: skip
    todo = deque(s for i in undecided for s in units[i].later)
    while todo:
        i = todo.popleft()
        if i not in found and survey.state[i] == NEW:
            found.add(i)
            todo.extend(units[i].sources)
    return found
