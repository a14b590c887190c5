"""Experts: several denoisers, each in charge of its own range of noise levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Denoiser, Process
from backend.values import Conditioning

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Dressed:
    """A denoiser that is loaded, and what surrounds each of its calls."""

    denoiser: Denoiser
    around: Sequence[Around] = ()


@dataclass(frozen=True)
class ExpertSlot:
    """One expert: in charge below the noise level ``below``, down to where the next takes over.

    ``make`` loads it; it is called when a run first reaches its range.
    """

    name: str
    below: float
    make: Callable[[], Dressed]


@dataclass(frozen=True)
class Given:
    """Conditionings as they were given, and what each expert made of them by now."""

    conditionings: Sequence[Conditioning]
    count: int
    prepared: dict[str, Any]


class ExpertSwitch:
    """A denoiser that hands over from expert to expert as the noise falls.

    eDiff-I, arXiv:2211.01324 section 4: one expert is active per step, so the cost is that of one
    network. Here only the active one is held: the one before is let go before the next is loaded,
    and an expert whose range is never reached is never loaded.
    """

    def __init__(
        self, like: Denoiser, slots: Sequence[ExpertSlot], told: Callable[[str], None] | None = None
    ) -> None:
        """``slots`` run from high noise to low, the first below infinity; ``like`` gives process
        and token count, and is never called. ``told`` hears the name of each that takes over.

        Raises:
            DiffusionError: the levels do not descend.
        """
        levels = [slot.below for slot in slots[1:]]
        if not slots or levels != sorted(set(levels), reverse=True):
            raise DiffusionError("Experts take over at falling noise levels. Order them that way.")
        self.process: Process = replace(like.process, handovers=tuple(levels))
        self.ran: list[str] = []
        self._like = like
        self._slots = tuple(slots)
        self._told = told
        self._active: tuple[ExpertSlot, Dressed] | None = None

    def tokens(self, shape: Sequence[int]) -> int:
        """Tokens of one sample."""
        return self._like.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Given:
        """Keep the conditionings until an expert needs them."""
        return Given(conditionings, count, {})

    def __call__(self, x: Tensor, sigma: float, prepared: Given) -> Tensor:
        """The prediction of the expert in charge at ``sigma``.

        Raises:
            DiffusionError: the conditionings do not fit, or experts predict different things.
        """
        slot, dressed = self._take(sigma)
        if slot.name not in prepared.prepared:
            ready = dressed.denoiser.prepare(prepared.conditionings, prepared.count)
            prepared.prepared[slot.name] = ready
        return dressed.denoiser(x, sigma, prepared.prepared[slot.name])

    @contextmanager
    def around(self, moment: Moment) -> Iterator[None]:
        """Enter what surrounds the expert in charge."""
        with ExitStack() as stack:
            for each in self._take(moment.sigma)[1].around:
                stack.enter_context(each(moment))
            yield

    def _take(self, sigma: float) -> tuple[ExpertSlot, Dressed]:
        wanted = self._slots[in_charge(self.process.handovers, sigma)]
        if self._active is not None and self._active[0] is wanted:
            return self._active
        self._active = None  # let go of the one before, so that both need not fit at once
        made = wanted.make()
        own = made.denoiser.process
        if (own.path, own.prediction) != (self.process.path, self.process.prediction):
            raise DiffusionError(
                f"The expert {wanted.name} predicts {own.prediction} on the path {own.path.name}, "
                f"the first one {self.process.prediction} on {self.process.path.name}. Experts "
                "must agree in this; choose models of one kind."
            )
        self._active = wanted, made
        self.ran.append(wanted.name)
        if self._told is not None:
            self._told(wanted.name)
        return self._active


def in_charge(handovers: Sequence[float], sigma: float) -> int:
    """The number of the expert at a noise level: how many have handed over above it."""
    return sum(sigma < level for level in handovers)
