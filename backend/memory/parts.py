"""What is moved as a whole: the parts of the networks that are loaded, and where each stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from backend.plan.blocks import REST, blocks_of

State = Literal["absent", "loading", "here"]
Check = Callable[[], None]


class Weights(Protocol):
    """The weights of one network, which come and go by name; ``backend.memory.sheet.Sheet``."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes that each takes on the device, by name."""

    def read(self, names: Sequence[str], check: Check) -> Any:
        """Read these from their files; any thread.

        Raises:
            CatalogError: a file was cut, replaced or is gone.
        """

    def place(self, raws: Any) -> None:
        """Put what was read into the network."""

    def absent(self, names: Sequence[str]) -> None:
        """Let go of these."""


@dataclass(eq=False)
class Part:
    """A block of a network, or what lies between its blocks (``REST``). ``used`` counts upwards
    with every use; ``error`` is why it could not be read."""

    id: str
    block: str
    names: tuple[str, ...]
    nbytes: int
    network: Network
    state: State = "absent"
    used: int = 0
    error: Exception | None = None

    @property
    def rest(self) -> bool:
        """Whether it is needed throughout each call of the network."""
        return self.block == REST


@dataclass(eq=False)
class Network:
    """A network whose weights are read from files part by part.

    ``order`` are its blocks as they are called, one pass; until one was seen it is a guess from
    their names. ``pass_seconds`` is what one pass computes, once one was seen. ``module`` is
    ``None`` for what is loaded as a whole.
    """

    key: str
    title: str
    module: Any
    weights: Weights
    parts: dict[str, Part] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    pass_seconds: float | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.nbytes for part in self.parts.values())

    @property
    def least(self) -> int:
        """Bytes that must be there at once: the largest block, and what lies between the blocks."""
        blocks = [part.nbytes for part in self.parts.values() if not part.rest]
        return self.rest.nbytes + max(blocks, default=0)

    @property
    def here(self) -> bool:
        """Whether all of it is loaded."""
        return all(part.state == "here" for part in self.parts.values())

    @property
    def whole_order(self) -> bool:
        """Whether a pass calls all blocks; what it leaves out may go while it is under way."""
        return len(self.order) + 1 == len(self.parts)

    @property
    def rest(self) -> Part:
        """The part that every call needs throughout."""
        return self.parts[REST]


class Whole:
    """The weights of what is loaded elsewhere and can only go as a whole."""

    def __init__(self, nbytes: int, forget: Callable[[], None]) -> None:
        """``forget`` is called when it is to go."""
        self.sizes: Mapping[str, int] = {"": nbytes}
        self._forget = forget

    def read(self, names: Sequence[str], check: Check) -> Any:
        """Never called: what has gone is not looked after any more."""
        raise LookupError("what is loaded as a whole is not read again")

    def place(self, raws: Any) -> None:
        """Never called."""

    def absent(self, names: Sequence[str]) -> None:
        """Forget it."""
        self._forget()


def divide(key: str, module: Any, weights: Weights, beside: int, title: str) -> Network:
    """A network in its parts, nothing of it loaded. Blocks that are no module of their own are
    needed throughout, and so are ``beside`` bytes that are always there."""
    sizes = weights.sizes
    network = Network(key, title, module, weights)
    known = {name for name, _ in module.named_modules()}
    blocks = blocks_of(sizes)
    for block in [b for b in blocks if b != REST and b not in known]:
        blocks[REST] += blocks.pop(block)
    for block, names in blocks.items():
        size = sum(sizes[name] for name in names) + (0 if block else beside)
        network.parts[block] = Part(f"{title}, {block or 'the rest'}", block, names, size, network)
    network.order = tuple(block for block in blocks if block != REST)
    return network
