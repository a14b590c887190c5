"""What the steps of a run need of the device: components, passes, bytes and seconds, as data.

Whoever knows nodes and models fills it in (`backend.engine.needs`); from here on it is numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backend.plan.blocks import REST, blocks_of
from backend.plan.measured import Estimate, Key, Measured
from backend.plan.residency.model import Piece
from backend.plan.sizes import Weight, held_sizes
from backend.values import Weights


@dataclass(frozen=True, slots=True)
class Block:
    """What is moved as a whole: bytes in the file and on the device. ``REST`` is needed throughout
    each pass, the others one after the other."""

    name: str
    stored: int
    held: int


@dataclass(frozen=True, slots=True)
class Component:
    """A network or adapter that steps use, in the precision that they compute in.

    ``weights`` is the reference by which it is loaded, once for all; ``id`` names it for people,
    such as ``primer/transformer``.
    """

    id: str
    weights: Weights
    dtype: str
    blocks: tuple[Block, ...]

    @property
    def stored(self) -> int:
        """Bytes in its files."""
        return sum(block.stored for block in self.blocks)

    @property
    def held(self) -> int:
        """Bytes on the device, all of it."""
        return sum(block.held for block in self.blocks)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Its blocks for a trace, that of ``REST`` first."""
        return tuple(Piece(self.piece(b.name), b.held, b.stored) for b in self.blocks)

    def passing(self, within: str = "") -> tuple[tuple[str, ...], ...]:
        """One pass: the pieces that are needed at once, one row after the other; of the blocks
        those whose names begin with ``within``."""
        rest = tuple(self.piece(b.name) for b in self.blocks if b.name == REST)
        inner = [b.name for b in self.blocks if b.name != REST and b.name.startswith(within)]
        return tuple((*rest, self.piece(name)) for name in inner) or ((rest,) if rest else ())

    def piece(self, block: str) -> str:
        """The name of a block among the pieces of a trace."""
        return f"{self.id} {block or '(rest)'}"


def in_blocks(
    id: str, weights: Weights, dtype: str, sizes: Mapping[str, Weight], whole: bool = False
) -> Component:
    """A component in its blocks, or ``whole`` in one, from what the headers of its files say."""
    held = held_sizes(sizes, dtype)
    stored = {name: one.nbytes for name, one in sizes.items()}
    named = {REST: tuple(sizes)} if whole else blocks_of(stored)
    blocks = (
        Block(name, sum(stored[n] for n in names), sum(held[n] for n in names))
        for name, names in named.items()
        if names
    )
    return Component(id, weights, dtype, tuple(blocks))


@dataclass(frozen=True, slots=True)
class Used:
    """A component that one call of a step uses: how often it is gone through, and the adapters that
    lie over it meanwhile, by ``Component.id``. ``within`` is how the names of its blocks begin
    where only some are called, such as a VAE's ``decoder``; ``before`` are networks that are gone
    through before each pass of it, such as ControlNets."""

    component: str
    passes: int = 1
    beside: tuple[str, ...] = ()
    within: str = ""
    before: tuple[str, ...] = ()

    @property
    def components(self) -> tuple[str, ...]:
        """All that it uses."""
        return (self.component, *self.beside, *self.before)


@dataclass(frozen=True, slots=True)
class Loop:
    """A zone around a step: its turns, and whether each needs the one before it."""

    id: str
    turns: int
    chained: bool


@dataclass(frozen=True, slots=True)
class Need:
    """What one step needs, in one call.

    ``uses`` are its components in order. ``activation`` is what it computes in on the device, in
    bytes, ``None`` where it is not known; ``result`` what all its calls give, in bytes of host
    memory. It is called ``calls`` times in each turn of the ``loops`` around it, the outermost
    first. ``after`` are the steps with needs whose results lead to it. ``key`` is what it is
    measured by, ``seconds`` are those of one call, where some were measured. ``unknown`` says in a
    sentence what could not be told before the run, if anything.
    """

    step: str
    type: str
    uses: tuple[Used, ...] = ()
    activation: int | None = 0
    result: int = 0
    seconds: float | None = None
    measured: bool = False
    calls: int = 1
    loops: tuple[Loop, ...] = ()
    after: tuple[str, ...] = ()
    key: Key | None = None
    unknown: str = ""

    @property
    def turns(self) -> int:
        """In how many turns of the zones around it it is called."""
        turns = 1
        for loop in self.loops:
            turns *= loop.turns
        return turns

    @property
    def passes(self) -> int:
        """Passes of all components in one call; seconds are in proportion to them."""
        return sum(use.passes for use in self.uses) or 1

    def corrected(self, known: Estimate) -> Need:
        """This need with what was measured on this machine."""
        size = self.key.size if self.key else 0
        told = known.activation if known.measured or size else self.activation
        seconds = None if known.seconds is None else known.seconds * self.passes
        return replace(self, activation=told, seconds=seconds, measured=known.measured)

    def learn(self, measured: Measured, activation: int | None, seconds: float | None) -> None:
        """Remember what one call took: the most bytes beside weights, and seconds of compute,
        without the time in which it waited for weights. ``None`` is what was not measured."""
        if self.key is not None and self.uses:
            each = None if seconds is None else seconds / self.passes
            measured.learn(self.key, activation, each)


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs of a run, in the order of its steps, and the components that they name."""

    needs: tuple[Need, ...] = ()
    components: Mapping[str, Component] = field(default_factory=dict)

    def corrected(self, measured: Measured) -> Needs:
        """These with what was measured on this machine."""
        needs = tuple(
            need.corrected(measured.estimate(need.key)) if need.key else need for need in self.needs
        )
        return replace(self, needs=needs)
