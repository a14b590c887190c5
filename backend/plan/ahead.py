"""Which steps of jobs that wait are taken before the jobs' own turns, so that each model is loaded
once for all that need it.

A step that was taken ahead lies among the remembered results when its job begins. So nothing has
to be right about what is told here: where it is not, a model is loaded once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from backend.plan.needs import Component, Need, Needs, Used
from backend.plan.residency.model import Budget
from backend.plan.stretch import in_order


@dataclass(frozen=True, slots=True)
class Turn:
    """Steps of one job, by its place among the jobs."""

    job: int
    steps: tuple[str, ...]


def turns_ahead(
    jobs: Sequence[Needs], budget: Budget, seconds: Mapping[str, float]
) -> tuple[Turn, ...]:
    """The turns that come before the first job is run; none where all models fit together.

    All steps of all jobs are put in the order in which each model is loaded least often
    (``in_order``). Of this order those are told that do not end a job, as long as the models of
    what is left do not fit together and the results that wait have room. Jobs with zones take no
    part.

    Args:
        jobs: What each job would still run, in the order of the jobs. A model has the same
            ``Component.id`` in all of them.
        budget: Bytes of the device for models, and of the host for results between steps.
        seconds: What it takes to load each component.
    """
    parts = [needs if _whole(needs) else Needs() for needs in jobs]
    components = {name: each for needs in parts for name, each in needs.components.items()}
    together = Needs(tuple(_named(parts)), components)
    if sum(map(bool, (needs.needs for needs in parts))) < 2:
        return ()
    left = [len(needs.needs) for needs in parts]
    users, waiting = _users(together.needs), _Waiting(together.needs)
    taken: list[Need] = []
    for batch in in_order(together, budget, seconds).batches:
        for need in (together.needs[number] for number in batch.needs):
            if left[_job(need)] == 1:
                continue
            waiting.take(need)
            if waiting.nbytes > budget.host or _fit(users, components, budget.device):
                return _turns(taken)
            taken.append(need)
            left[_job(need)] -= 1
            for name in _names(need):
                users[name] -= 1
    return _turns(taken)


class _Waiting:
    """Bytes of the results of steps that were taken, each until all that read it were."""

    def __init__(self, needs: Sequence[Need]) -> None:
        self.nbytes = 0
        self._results = {need.step: need.result for need in needs}
        self._readers = Counter(step for need in needs for step in need.after)

    def take(self, need: Need) -> None:
        """A step is taken."""
        self.nbytes += need.result
        for step in need.after:
            self._readers[step] -= 1
            if not self._readers[step]:
                self.nbytes -= self._results.get(step, 0)


def by_weights(needs: Needs) -> Needs:
    """Needs whose components are named by what their weights are, so that those of several jobs can
    be told apart: names for people are only unlike within one."""
    names = {
        name: f"{each.weights.family} {each.weights.part} {each.weights.identity} {each.dtype}"
        for name, each in needs.components.items()
    }

    def renamed(use: Used) -> Used:
        beside, before = (tuple(names[n] for n in each) for each in (use.beside, use.before))
        return replace(use, component=names[use.component], beside=beside, before=before)

    return Needs(
        tuple(replace(need, uses=tuple(map(renamed, need.uses))) for need in needs.needs),
        {names[name]: replace(each, id=names[name]) for name, each in needs.components.items()},
    )


def _whole(needs: Needs) -> bool:
    """Whether each of its steps can be asked for by itself."""
    return not any(need.loops for need in needs.needs)


def _named(jobs: Sequence[Needs]) -> Iterable[Need]:
    for number, needs in enumerate(jobs):
        for need in needs.needs:
            after = tuple(f"{number} {step}" for step in need.after)
            yield replace(need, step=f"{number} {need.step}", after=after)


def _job(need: Need) -> int:
    return int(need.step.partition(" ")[0])


def _step(need: Need) -> str:
    return need.step.partition(" ")[2]


def _names(need: Need) -> set[str]:
    return {name for use in need.uses for name in use.components}


def _users(needs: Sequence[Need]) -> Counter[str]:
    """How many steps use each component."""
    return Counter(name for need in needs for name in _names(need))


def _fit(users: Mapping[str, int], components: Mapping[str, Component], budget: int) -> bool:
    return sum(components[name].held for name, count in users.items() if count) <= budget


def _turns(taken: Sequence[Need]) -> tuple[Turn, ...]:
    return tuple(Turn(job, tuple(map(_step, row))) for job, row in groupby(taken, key=_job))
