"""A plan told step by step: what comes and goes in the course of each, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from backend.plan.needs import Needs
from backend.plan.parts import Part
from backend.plan.residency.report import Action, Kind
from backend.plan.stretch import Batch, Stretch


@dataclass(frozen=True, slots=True)
class Move:
    """Blocks of a component that come or go in the course of a stage, taken together.

    ``kind`` is that of an action of a plan: ``read``, ``load``, ``stream``, ``evict``, ``drop``.
    ``blocks`` and ``nbytes`` count every time anew.
    """

    kind: Kind
    component: str
    blocks: int
    nbytes: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that are alike, or some calls of one, from the end of the stage before to their own;
    with what is moved for them, be it ahead, and what is let go of meanwhile.

    Of the time ``compute`` seconds are computed and ``waiting`` are not. In a long batch these, and
    what moves, count for more than what lies between ``start`` and ``end``, where each stretch
    stands once.
    """

    steps: tuple[str, ...]
    calls: int
    start: float
    end: float
    compute: float
    waiting: float
    moves: tuple[Move, ...]

    def bytes(self, *kinds: Kind) -> int:
        """Bytes of the moves of these kinds."""
        return sum(move.nbytes for move in self.moves if move.kind in kinds)


def stages_of(
    needs: Needs, laid: Sequence[Stretch], batches: Sequence[Batch], parts: Sequence[Part]
) -> tuple[Stage, ...]:
    """The stages of planned stretches, one for each batch."""
    owner = {p.id: c.id for c in needs.components.values() for p in c.pieces}
    found: list[Stage] = []
    for number, group in groupby(_rows(laid, parts, owner), key=lambda row: row[0]):
        batch, stages = batches[number], [stage for _, stage in group]
        found.append(
            Stage(
                tuple(needs.needs[n].step for n in batch.needs),
                round(batch.calls * batch.times),
                stages[0].start,
                stages[-1].end,
                sum(stage.compute for stage in stages),
                sum(stage.waiting for stage in stages),
                _together(move for stage in stages for move in stage.moves),
            )
        )
    return tuple(found)


def _rows(
    laid: Sequence[Stretch], parts: Sequence[Part], owner: Mapping[str, str]
) -> Iterator[tuple[int, Stage]]:
    """Each stretch as a stage of its own, with the number of its batch."""
    clock = 0.0
    for part in parts:
        begin = clock
        for k, (ended, actions) in enumerate(zip(part.ends, part.actions, strict=True)):
            stretch, end = laid[part.first + k], begin + ended
            compute, times = stretch.use.seconds * stretch.use.repeat, stretch.times
            waited = max(end - clock - compute, 0.0)
            moves = _together(_move(action, owner, begin, times) for action in actions)
            stage = Stage((), 0, clock, end, compute * times, waited * times, moves)
            yield stretch.batch, stage
            clock = end


def _move(action: Action, owner: Mapping[str, str], begin: float, times: float) -> Move:
    return Move(
        action.kind, owner[action.what], round(times), round(action.nbytes * times),
        begin + action.start, begin + action.end,
    )  # fmt: skip


def _together(moves: Iterable[Move]) -> tuple[Move, ...]:
    found: dict[tuple[Kind, str], Move] = {}
    for move in moves:
        at = move.kind, move.component
        before = found.get(at)
        if before is not None:
            move = replace(
                move, blocks=before.blocks + move.blocks, nbytes=before.nbytes + move.nbytes,
                start=min(before.start, move.start), end=max(before.end, move.end),
            )  # fmt: skip
        found[at] = move
    return tuple(found.values())
