"""Two models denoise one picture together, each in a latent space of its own.

PanGu-Draw's Coop-Diffusion (arXiv:2312.16486, section 3.3). What one model takes for the clean
picture goes through pixels into the space of the other: decoded, resized, encoded. There both views
become one by their weights, and it is noised to the level of the next step, which for both models
is that of the same signal-to-noise ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import Estimate, Path
from backend.diffusion.process import Process

if TYPE_CHECKING:
    from torch import Tensor

FINE = 1000
"""Steps of a schedule that begins at the highest level, where a model names none itself."""


@dataclass(frozen=True)
class Partner:
    """One of the two models.

    ``ask(x, sigma, step, steps)`` is the guided model; ``across`` brings a clean latent of this
    partner into the space of the other. ``noise`` is what it begins with, in the shape of its
    latents, which have ``tokens`` in each sample.
    """

    process: Process
    ask: Callable[[Tensor, float, int, int], Estimate]
    across: Callable[[Tensor], Tensor]
    noise: Tensor
    tokens: int

    @property
    def top(self) -> float:
        """The highest noise level that the model knows."""
        return self.process.reach(FINE, self.tokens)[0]


def matched(sigma: float, source: Path, target: Path, top: float) -> float:
    """The level of ``target``, at most ``top``, with the signal-to-noise ratio that ``sigma`` has
    on ``source``."""
    return 0.0 if sigma == 0 else min(target.level(source.log_snr(sigma)), top)


def weights_of(points: Sequence[float], steps: int) -> list[float]:
    """The second model's weight at each step: through the points in even distances, straight
    between them.

    Raises:
        DiffusionError: there are none, or one is no weight from 0 to 1.
    """
    if not points or not all(0 <= point <= 1 for point in points):
        raise DiffusionError("The weights of the second model are one or more numbers from 0 to 1.")
    if len(points) == 1 or steps < 2:
        return [points[0]] * steps
    found = []
    for step in range(steps):
        place = step * (len(points) - 1) / (steps - 1)
        left = min(int(place), len(points) - 2)
        found.append(points[left] + (place - left) * (points[left + 1] - points[left]))
    return found


def cooperate(
    partners: tuple[Partner, Partner],
    levels: Sequence[float],
    weights: Sequence[float],
    check: Callable[[], None] = lambda: None,
    told: Callable[[int, Sequence[Tensor | None]], None] = lambda done, clean: None,
) -> tuple[Tensor, Tensor]:
    """Take both through the noise ``levels`` of the first, Euler's step each; ``weights`` are the
    second's, one for each step. A model of weight 0 is not asked.

    ``check`` is called before every step and may raise; ``told`` after it with the number of steps
    done and what each model that was asked has for the clean picture now.

    Returns:
        The clean latent in the space of each.

    Raises:
        DiffusionError: there is no step.
    """
    first, second = partners
    paths = first.process.path, second.process.path
    noisy: list[Tensor | None] = [None, None]
    clean: list[Tensor | None] = [None, None]
    for step, (sigma, target) in enumerate(pairwise(levels)):
        check()
        share = (1.0 - weights[step], weights[step])
        at = sigma, matched(sigma, *paths, second.top)
        to = target, matched(target, *paths, second.top)
        seen: list[Tensor | None] = [None, None]
        for k, partner in enumerate(partners):
            if share[k] == 0:
                noisy[k] = None  # it goes its own way no more
                continue
            x = noisy[k]
            if x is None:
                x = noisy[k] = _entered(partner, partners[1 - k], clean[1 - k], at[k])
            seen[k] = partner.ask(x, at[k], step, len(weights)).x0
        clean = [_agreed(k, seen, share, partners[1 - k]) for k in (0, 1)]
        for k, partner in enumerate(partners):
            noisy[k] = _moved(partner.process.path, noisy[k], clean[k], at[k], to[k])
        told(step + 1, clean)
    return _ended(partners, clean)


def _entered(partner: Partner, other: Partner, clean: Tensor | None, sigma: float) -> Tensor:
    """What a model begins with: noise, or what the other has made so far, noised."""
    if clean is None:
        return partner.process.begin(partner.noise, sigma)
    return partner.process.path.noisy(other.across(clean), partner.noise, sigma)


def _agreed(
    k: int, seen: Sequence[Tensor | None], share: Sequence[float], other: Partner
) -> Tensor | None:
    """The clean picture in the space of model ``k`` by both views, ``None`` where it was not
    asked."""
    own, theirs = seen[k], seen[1 - k]
    if own is None or theirs is None:
        return own
    return share[k] * own + share[1 - k] * other.across(theirs)


def _moved(
    path: Path, x: Tensor | None, clean: Tensor | None, sigma: float, target: float
) -> Tensor | None:
    """Euler's step from ``x`` to ``target``, with the noise that fits to the clean picture."""
    if x is None or clean is None:
        return None
    alpha, scale = path.scales(sigma)
    return path.noisy(clean, (x - alpha * clean) / scale, target)


def _ended(
    partners: tuple[Partner, Partner], clean: Sequence[Tensor | None]
) -> tuple[Tensor, Tensor]:
    one, two = clean
    if one is None:
        return partners[1].across(_known(two)), _known(two)
    return one, two if two is not None else partners[0].across(one)


def _known(clean: Tensor | None) -> Tensor:
    if clean is None:
        raise DiffusionError("There is no step between the noise levels. Take more steps.")
    return clean
