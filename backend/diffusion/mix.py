"""MagicMix: the layout of one picture, the content of another prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.edit import Edit, EditMaker, Start
from backend.diffusion.errors import DiffusionError

if TYPE_CHECKING:
    from torch import Tensor


def semantic_mix(nu: float, k_min: float, k_max: float) -> EditMaker:
    """An edit that mixes in the layout, which is the latent that the run was given.

    arXiv:2210.16056 section 3: ``x <- nu x + (1 - nu) layout noised to the same level``, for
    levels at which the fraction of steps left lies in ``k_min..k_max``; the mixed latent is what
    the solver then steps from. The run itself starts at ``k_max`` (``Schedule.start = 1 - k_max``).
    ``nu = 1`` changes nothing; ``nu = 0`` with ``k_min = 0`` gives the layout back.

    Raises:
        DiffusionError: a setting is out of 0..1, or ``k_min`` above ``k_max``.
    """
    if not 0 <= nu <= 1 or not 0 <= k_min <= k_max <= 1:
        raise DiffusionError(
            f"Semantic mixing needs 0 <= nu <= 1 and 0 <= k_min <= k_max <= 1, not nu {nu:g}, "
            f"k_min {k_min:g}, k_max {k_max:g}."
        )

    def make(start: Start) -> Edit:
        def edit(x: Tensor, sigma: float, left: float) -> Tensor:
            if nu == 1 or not k_min - 1e-9 <= left <= k_max + 1e-9:
                return x
            return nu * x + (1 - nu) * start.path.noisy(start.original, start.noise, sigma)

        return edit

    return make
