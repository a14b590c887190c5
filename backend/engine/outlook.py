"""What the steps of a run need of the device, told to whoever holds the models as it goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from backend.engine.context import Components
from backend.memory.gauge import Gauge, gauge_for
from backend.models.store import Coming
from backend.plan.measured import Key, Measured
from backend.plan.memory import USUAL_DISK
from backend.plan.needs import Need, Needs
from backend.plan.residency.model import Budget
from backend.plan.stretch import in_order

_log = logging.getLogger(__name__)
AHEAD = 16
"""Steps behind the one that runs whose components are told."""
VALUES = 2 * 2**30
"""Bytes of results between steps for which steps may be put in another order."""
NOISE = 64 * 2**20
"""Bytes below which what a step took is not told from what else goes on in the process."""


class Outlook:
    """Before each step that computes with models, says what it and the next steps use; after it,
    remembers what it took."""

    def __init__(
        self,
        find: Callable[[], Needs],
        store: Callable[[], Components],
        device: str,
        measured: Measured,
        known: set[Key],
    ) -> None:
        """``find`` is asked once, when the first such step is near; ``known`` outlives the run and
        holds what has run in this process."""
        self._find, self._store, self._device, self._measured = find, store, device, measured
        self._known = known
        self.short = 0
        self._needs: Needs | None = None
        self._sequence: list[Need] = []
        self._ended: set[str] = set()
        self._at: Mapping[str, int] = {}
        self._ranks: Mapping[str, int] = {}
        self._gauge: Gauge = gauge_for(device)

    def look(self) -> None:
        """Find the needs, once. What a node type says wrong costs the plan, not the run."""
        if self._needs is not None:
            return
        try:
            self._needs = self._find().corrected(self._measured)
        except Exception:
            _log.exception("What the steps need of memory could not be told before the run.")
            self._needs = Needs()
        self._ranks = self._ranked(self._needs)
        needs = self._needs.needs
        self._sequence = sorted(needs, key=lambda need: self._ranks.get(need.step, 0))
        self._at = {need.step: i for i, need in enumerate(self._sequence)}

    def rank(self, step: str) -> int | None:
        """The place of a step in the order in which each model is loaded least often; ``None``
        where the order does not matter, since all fits."""
        return self._ranks.get(step, 0) if self._ranks else None

    @property
    def tight(self) -> bool:
        """Whether the models of the run do not fit together."""
        return bool(self._ranks)

    def _ranked(self, needs: Needs) -> Mapping[str, int]:
        held = sum(component.held for component in needs.components.values())
        budget = self._store().budget if needs.needs else 0
        if held <= budget:
            return {}
        seconds = {id: c.stored / USUAL_DISK for id, c in needs.components.items()}
        order = in_order(needs, Budget(budget, VALUES), seconds)
        ranks: dict[str, int] = {}
        for place, batch in enumerate(order.batches):
            for number in batch.needs:
                ranks.setdefault(needs.needs[number].step, place)
        return ranks

    @contextmanager
    def step(self, step: str, more: int = 0) -> Iterator[None]:
        """While a step runs that may compute with models. ``more`` bytes are set aside beside what
        it is said to compute in."""
        at = self._at.get(step)
        need = None if at is None else self._sequence[at]
        if need is None or not need.uses:
            yield
            return
        store, self.short = self._store(), 0
        if need.calls == 1 and not need.loops:
            self._ended.add(step)
        activation = (need.activation or 0) + more
        store.expect(self._coming((need,), activation), self._after(at or 0), self._device)
        begin, waited, held, read = time.perf_counter(), store.waited, store.nbytes, store.read
        self._gauge.begin()
        try:
            yield
            spent = time.perf_counter() - begin - (store.waited - waited)
            peak = self._gauge.peak()
            beside = None if peak is None else peak - max(0, store.nbytes - held)
            self._learn(need, beside, max(0.0, spent))
        finally:
            nbytes, seconds = (now - then for now, then in zip(store.read, read, strict=True))
            self._measured.moved("disk", int(nbytes), seconds)
            self.short = store.short
            store.leave()

    def _learn(self, need: Need, beside: int | None, spent: float) -> None:
        """Remember what a step took. What a process does for the first time takes memory and time
        for code too, and little memory drowns in what else goes on."""
        first = need.key not in self._known
        if need.key is not None:
            self._known.add(need.key)
        if not first:
            need.learn(self._measured, None if (beside or 0) < NOISE else beside, spent)

    def activation(self, step: str) -> int:
        """Bytes that a step is thought to compute in."""
        at = self._at.get(step)
        known = None if at is None else self._sequence[at].activation
        return known or 0

    def _after(self, at: int) -> list[Coming]:
        """What comes behind a step. One that is called for many items comes again; so does one in a
        zone, whose other turns come first where models are loaded by turns (`ready`)."""
        need = self._sequence[at]
        behind = [each for each in self._sequence[at + 1 :] if each.step not in self._ended]
        if need.calls > 1:
            behind = [need, *behind]
        elif need.loops:
            turn = [each for each in self._sequence if need.loops[-1] in each.loops]
            here = turn.index(need) + 1
            rest = [each for each in behind if need.loops[-1] not in each.loops]
            again = [need] if self.tight and not need.loops[-1].chained else []
            behind = [*again, *turn[here:], *turn[:here], *rest]
        return self._coming(behind[:AHEAD])

    def _coming(self, needs: Sequence[Need], activation: int | None = None) -> list[Coming]:
        assert self._needs is not None
        components, found = self._needs.components, []
        for need in needs:
            aside = (need.activation or 0) if activation is None else activation
            for use in need.uses:
                for name in use.beside:
                    found.append(Coming(components[name].weights, 1, aside))
                main = components[use.component].weights
                if not use.before:
                    found.append(Coming(main, use.passes, aside))
                turn = [*(components[name].weights for name in use.before), main]
                for _ in range(use.passes if use.before else 0):
                    found += [Coming(weights, 1, aside) for weights in turn]
        return found
