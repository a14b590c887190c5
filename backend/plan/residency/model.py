"""What is to be planned: pieces of models, the steps that use them, budgets and links.

Bytes are bytes, times are seconds, bandwidths are bytes per second. All of it is plain data;
whoever plans fills it in from headers of files, from cards and from what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


class TraceError(ValueError):
    """The trace contradicts itself; the sentence says where."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A block or component of a model that is moved as a whole.

    ``nbytes`` is what it takes on the device, ``host`` what it takes in host memory and what is
    read from disk (``None``: the same). It is read-only: to evict it costs nothing.
    """

    id: str
    nbytes: int
    host: int | None = None

    @property
    def host_bytes(self) -> int:
        """Bytes in host memory, and bytes read from disk."""
        return self.nbytes if self.host is None else self.host


@dataclass(frozen=True, slots=True)
class Use:
    """A step. ``needs`` are its blocks in order, each with the pieces that it needs at once (a
    layer and its adapter, say); ``repeat`` times over.

    ``seconds`` of compute are for one turn and are split over the blocks by bytes. ``activation``
    bytes of the device are taken from the end of the step before to the end of this one. ``values``
    are bytes of host memory that hold results between steps. ``job`` says which prompt it belongs
    to.
    """

    id: str
    needs: tuple[tuple[str, ...], ...]
    seconds: float
    activation: int = 0
    values: int = 0
    job: str = ""
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """Steps in the order in which they run. ``on_device`` and ``on_host`` are there already; what
    is on the device need not be on the host."""

    pieces: tuple[Piece, ...]
    uses: tuple[Use, ...]
    on_device: tuple[str, ...] = ()
    on_host: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that may be taken on the device and on the host."""

    device: int
    host: int


@dataclass(frozen=True, slots=True)
class Link:
    """Bytes per second from host to device (one copy stream) and from disk to host (one reader).

    ``math.inf`` where nothing is moved: on the CPU, or from files that are in memory anyway.
    """

    copy: float
    disk: float = math.inf


@dataclass(frozen=True)
class Course:
    """A trace laid out block by block, with pieces as numbers.

    A *touch* is one turn of one block; touches count from 1, and at 0 stands the beginning, which
    needs nothing and takes no time. ``uses`` is the index of each touch's step.
    """

    names: tuple[str, ...]
    nbytes: tuple[int, ...]
    host: tuple[int, ...]
    sets: tuple[tuple[int, ...], ...]
    seconds: tuple[float, ...]
    activation: tuple[int, ...]
    uses: tuple[int, ...]
    jobs: tuple[str, ...]
    values: int
    on_device: tuple[int, ...]
    on_host: tuple[int, ...]

    @cached_property
    def size(self) -> int:
        """The number of touches, the beginning not counted."""
        return len(self.sets) - 1

    @cached_property
    def compute(self) -> float:
        """Seconds of compute in all."""
        return math.fsum(self.seconds)

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """Bytes of the pieces that each touch needs at once."""
        return tuple(sum(self.nbytes[p] for p in wanted) for wanted in self.sets)

    @cached_property
    def least_device(self) -> int:
        """The smallest device budget that runs it: the largest touch with its activation, and what
        is there at the beginning."""
        touches = (n + a for n, a in zip(self.needed, self.activation, strict=True))
        return max(*touches, sum(self.nbytes[p] for p in self.on_device))

    @cached_property
    def least_host(self) -> int:
        """The smallest host budget that runs it: the values and the largest piece that must be
        moved, or what is there at the beginning."""
        moved = {p for wanted in self.sets for p in wanted}
        largest = max((self.host[p] for p in moved), default=0)
        return self.values + max(largest, sum(self.host[p] for p in self.on_host))

    @cached_property
    def following(self) -> tuple[tuple[int, ...], ...]:
        """For each touch and each of its pieces the next touch that needs the piece, or ``size +
        1``.

        At 0 stand the next touches of all pieces, by number.
        """
        end = self.size + 1
        ahead = [end] * len(self.names)
        found: list[tuple[int, ...]] = [()] * end
        for i in range(self.size, 0, -1):
            found[i] = tuple(ahead[p] for p in self.sets[i])
            for p in self.sets[i]:
                ahead[p] = i
        found[0] = tuple(ahead)
        return tuple(found)


def lay_out(trace: Trace) -> Course:
    """The touches of a trace.

    Raises:
        TraceError: a name is unknown or given twice, or a number is negative.
    """
    number = _numbers(trace)
    size = tuple(piece.nbytes for piece in trace.pieces)
    sets: list[tuple[int, ...]] = [()]
    seconds, activation, uses, jobs = [0.0], [0], [-1], [""]
    for u, use in enumerate(trace.uses):
        _check(use)
        blocks = [_wanted(use, block, number) for block in use.needs] or [()]
        weights = [sum(size[p] for p in block) for block in blocks]
        whole = sum(weights)
        shares = [use.seconds * (w / whole if whole else 1 / len(blocks)) for w in weights]
        for _ in range(use.repeat):
            sets += blocks
            seconds += shares
        turns = len(blocks) * use.repeat
        activation += [use.activation] * turns
        uses += [u] * turns
        jobs += [use.job] * turns
    return Course(
        names=tuple(number),
        nbytes=size,
        host=tuple(piece.host_bytes for piece in trace.pieces),
        sets=tuple(sets),
        seconds=tuple(seconds),
        activation=tuple(activation),
        uses=tuple(uses),
        jobs=tuple(jobs),
        values=max((use.values for use in trace.uses), default=0),
        on_device=_known(trace.on_device, number, "on the device"),
        on_host=_known(trace.on_host, number, "on the host"),
    )


def _numbers(trace: Trace) -> dict[str, int]:
    number: dict[str, int] = {}
    for piece in trace.pieces:
        if piece.id in number:
            raise TraceError(f"There are two pieces {piece.id!r}.")
        if piece.nbytes < 0 or piece.host_bytes < 0:
            raise TraceError(f"Piece {piece.id!r} has a negative size.")
        number[piece.id] = len(number)
    return number


def _check(use: Use) -> None:
    if use.repeat < 1 or min(use.activation, use.values) < 0:
        raise TraceError(f"Step {use.id!r} has a negative size, or is repeated less than once.")
    if not (use.seconds >= 0 and math.isfinite(use.seconds)):
        raise TraceError(f"Step {use.id!r} takes {use.seconds} seconds.")


def _wanted(use: Use, block: tuple[str, ...], number: Mapping[str, int]) -> tuple[int, ...]:
    return _known(tuple(dict.fromkeys(block)), number, f"in step {use.id!r}")


def _known(names: tuple[str, ...], number: Mapping[str, int], where: str) -> tuple[int, ...]:
    unknown = [name for name in names if name not in number]
    if unknown:
        raise TraceError(f"There is no piece {unknown[0]!r}, which is named {where}.")
    if len(set(names)) < len(names):
        raise TraceError(f"A piece is named twice {where}.")
    return tuple(number[name] for name in names)
