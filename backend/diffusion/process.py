"""What a family declares about its model, and the one call that sampling makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from backend.diffusion.paths import Path, Prediction
from backend.diffusion.shift import Shift
from backend.values import Conditioning

if TYPE_CHECKING:
    from torch import Tensor


def reciprocal(steps: int) -> list[float]:
    """``steps`` levels from 1 down to 1/steps, evenly: the grid that most flow models use."""
    return [1.0 - i / steps for i in range(steps)]


@dataclass(frozen=True)
class Process:
    """How a model noises and what it predicts.

    ``grid(steps)`` gives its own noise levels, descending, before any shift and without the last
    0; ``shift`` is then laid over them, and ``spacing``, if it names a kind of schedule, places as
    many levels anew between the ends of that. ``ends`` is ``(highest, lowest)`` sigma for
    schedules that place levels themselves; ``None`` takes the first and last of the shifted grid.
    ``full`` says that a run without a picture begins with the path's whole variance, as if some
    picture were in it, and not with the noise's share of it alone.
    ``rest`` is the level at which a run ends, and what noise is left there counts as picture: some
    schedulers stop at the first trained level.
    ``handovers`` are the levels below which another expert takes over, descending; one network
    has none. ``patch`` cells a side are one token, for guidance that looks at tokens.
    """

    path: Path
    prediction: Prediction
    grid: Callable[[int], Sequence[float]] = reciprocal
    shift: Shift = field(default_factory=Shift)
    ends: tuple[float, float] | None = None
    spacing: str = ""
    rest: float = 0.0
    handovers: tuple[float, ...] = ()
    full: bool = True
    patch: int = 1

    def begin(self, eps: Tensor, sigma: float) -> Tensor:
        """What a run at ``sigma`` starts from when there is no picture."""
        return self.path.start(eps, sigma) if self.full else self.path.scales(sigma)[1] * eps

    def native(self, steps: int, tokens: int) -> list[float]:
        """The model's ``steps`` shifted levels for ``tokens`` image tokens, without the 0."""
        return self.shift.apply(self.grid(steps), tokens)

    def reach(self, steps: int, tokens: int) -> tuple[float, float]:
        """``(highest, lowest)`` sigma that is not 0."""
        if self.ends is not None:
            return self.ends
        levels = self.native(steps, tokens)
        return levels[0], levels[-1]


class Denoiser(Protocol):
    """A model ready to be called. In-painting, caches and experts wrap one in another."""

    @property
    def process(self) -> Process:
        """The path, parametrisation and own schedule of the model."""

    def tokens(self, shape: Sequence[int]) -> int:
        """Tokens of one sample, for a batch of latents of this shape: what dynamic shifts count."""

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Any:
        """Bring conditionings to the device for one batch: ``count`` samples for each, in order.

        A conditioning of one entry serves all samples. What comes back is handed to the call.

        Raises:
            UnequalTexts: they differ in a way that cannot share a batch; then they are asked for
                one by one.
            DiffusionError: a conditioning has neither one nor ``count`` entries.
        """

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """The prediction for float32 latents ``x`` at one noise level, of the same shape."""
