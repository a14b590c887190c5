"""What is moved as a whole: the parts of the networks that are loaded, and where each stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from backend.plan.blocks import REST, blocks_of

State = Literal["absent", "loading", "here"]
Check = Callable[[], None]


class Pool(Protocol):
    """Host memory beside a device with memory of its own; ``backend.memory.copying.ByStream``."""

    @property
    def used(self) -> int:
        """Bytes of it that are in use: what stays, and what is on its way to the device."""

    def bound(self, nbytes: int) -> None:
        """Keep nothing for later use beyond so many bytes in all."""

    def end_one(self) -> bool:
        """Wait for the oldest of what is on its way; whether there was any."""


class Weights(Protocol):
    """The weights of one network, which come and go by name; ``backend.memory.reading.Reading``."""

    @property
    def pool(self) -> Pool | None:
        """The host memory that they are read into; None where the device computes in it."""

    def cost(self, names: Sequence[str]) -> int:
        """Bytes of the pool that what ``read`` gives of these takes."""

    def unchanged(self, names: Sequence[str]) -> None:
        """See that the files of these are still those whose headers were read.

        Raises:
            CatalogError: one was cut, replaced or is gone.
        """

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes that each takes on the device, by name."""

    def read(self, names: Sequence[str], check: Check) -> Mapping[str, Any]:
        """Read these from their files into host memory; any thread. What is given tells its
        ``nbytes``.

        Raises:
            CatalogError: a file was cut, replaced or is gone.
        """

    def bring(self, raws: Any, spare: int) -> Any:
        """Have what was read on the device, or on its way there; any thread. What was let go of
        may still take up ``spare`` bytes meanwhile.

        Raises:
            torch.OutOfMemoryError: the device is full.
        """

    def begin(self) -> None:
        """This thread computes with the network from now on."""

    def place(self, brought: Any) -> None:
        """Put what was brought into the network; the thread that computes, which has it whole in
        all that it does from now on."""

    def absent(self, names: Sequence[str]) -> None:
        """Let go of these."""


@dataclass(eq=False)
class Part:
    """A block of a network, or what lies between its blocks (``REST``). ``nbytes`` are those that
    it takes on the device, ``host`` those of its copy in host memory, if that is apart from the
    device's. ``used`` counts upwards with every use; ``error`` is why it could not be read.
    ``brought`` is what came and is not in the network yet: the thread that computes puts it there
    before it uses it."""

    id: str
    block: str
    names: tuple[str, ...]
    nbytes: int
    network: Network
    host: int = 0
    state: State = "absent"
    used: int = 0
    error: Exception | None = None
    brought: Any = None

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
        self.pool = None
        self._forget = forget

    def cost(self, names: Sequence[str]) -> int:
        """It is never read."""
        return 0

    def unchanged(self, names: Sequence[str]) -> None:
        """It is never read."""

    def read(self, names: Sequence[str], check: Check) -> Mapping[str, Any]:
        """Never called: what has gone is not looked after any more."""
        raise LookupError("what is loaded as a whole is not read again")

    def bring(self, raws: Any, spare: int) -> Any:
        """Never called."""

    def begin(self) -> None:
        """It is there."""

    def place(self, brought: Any) -> None:
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
        host = 0 if weights.pool is None else weights.cost(names)
        known_as = f"{title}, {block or 'the rest'}"
        network.parts[block] = Part(known_as, block, names, size, network, host)
    network.order = tuple(block for block in blocks if block != REST)
    return network
