"""The state of one graph while it runs: the whole one, or one turn of a zone's body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from backend.engine.words import Failure
from backend.plan.survey import DONE, WANT, Survey
from backend.sdk import Saved

if TYPE_CHECKING:
    from backend.engine.zones import Zone


class Frame:
    """Counts, for each step, what it waits for and who still needs its result.

    ``open`` steps are to be run and not finished. A result is let go of when its last user is done;
    as long as a lazy step has not made up its mind nothing is let go of, since it may ask for a
    step that uses it.
    """

    __slots__ = (
        "causes",
        "failures",
        "keep",
        "left",
        "level",
        "open",
        "saved",
        "seconds",
        "spent",
        "survey",
        "turns",
        "undecided",
        "waiting",
        "zone",
    )

    def __init__(
        self,
        survey: Survey,
        keep: Iterable[int],
        turns: tuple[int, ...] = (),
        zone: Zone | None = None,
    ) -> None:
        size = len(survey.program.units)
        self.survey = survey
        self.keep = frozenset(keep)
        self.turns = turns
        self.level = len(turns)
        self.zone = zone
        self.open = 0
        self.undecided = 0
        self.waiting = [0] * size
        self.left = [0] * size
        self.failures: dict[str, Failure] = {}
        self.causes: dict[int, str] = {}
        self.saved: list[Saved] = []
        self.seconds = self.spent = 0.0

    def enter(self, steps: Iterable[int]) -> None:
        """Count steps that are to be run from now on."""
        for i in steps:
            self.open += 1
            unit = self.survey.program.units[i]
            if unit.lazy and i not in self.survey.decided:
                self.undecided += 1
            for source in dict.fromkeys(unit.sources) if unit.later else unit.eager:
                self.left[source] += 1

    def count(self, i: int) -> int:
        """Count and note how many sources a step waits for."""
        state = self.survey.state
        self.waiting[i] = n = sum(state[s] == WANT for s in self.survey.sources(i))
        return n

    def release(self, i: int) -> None:
        """Step ``i`` is finished: let go of the results that nobody needs any more."""
        unit = self.survey.program.units[i]
        for source in dict.fromkeys(unit.sources) if unit.later else unit.eager:
            self.left[source] -= 1
            if not self.left[source] and not self.undecided:
                self._drop(source)

    def decide(self) -> None:
        """One lazy step has made up its mind; after the last, let go of what piled up."""
        self.undecided -= 1
        if not self.undecided:
            for i, state in enumerate(self.survey.state):
                if state == DONE and not self.left[i]:
                    self._drop(i)

    def _drop(self, i: int) -> None:
        if i not in self.keep:
            self.survey.results[i] = None
