"""Noising paths: how a clean latent and noise mix at a noise level.

Every path has the form ``x = alpha(sigma) * x0 + scale(sigma) * eps`` with ``x0`` clean and
``eps`` standard normal. Noise levels are plain floats called ``sigma``, 0 = clean, descending
while sampling:

- ``flow``, rectified flow: alpha = 1 - sigma, scale = sigma, sigma in 0..1 (arXiv:2403.03206
  eq. 13).
- ``ve``, variance exploding: alpha = 1, scale = sigma, sigma from 0 to about 15 (arXiv:2206.00364
  eq. 1).
- ``vp``, variance preserving: alpha = 1/sqrt(1+sigma^2), scale = sigma*alpha, the same sigma
  (arXiv:2011.13456 eq. 11, indexed by the ratio scale/alpha).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from backend.diffusion.errors import DiffusionError

if TYPE_CHECKING:
    from torch import Tensor

PathName = Literal["flow", "ve", "vp"]
Prediction = Literal["velocity", "epsilon", "x0", "v"]
ALPHA_FLOOR = 1e-6
"""Pure noise has log-SNR minus infinity; multistep solvers need it finite, so alpha stops here."""

_STEEP = 700.0
"""A log-SNR beyond which its exponential is no number any more."""


@dataclass(frozen=True)
class Estimate:
    """What a model (after guidance) says about a point: its clean part and its noise.

    A solver's first-order step is ``alpha' * x0 + scale' * eps``. ``trend`` is the clean part from
    which higher-order corrections take their differences; it is ``x0`` itself except where
    guidance splits denoising from re-noising (CFG++).
    """

    x0: Tensor
    eps: Tensor
    trend: Tensor


@dataclass(frozen=True)
class Path:
    """One noising path, by name."""

    name: PathName

    def scales(self, sigma: float) -> tuple[float, float]:
        """``(alpha, scale)`` at a noise level."""
        if self.name == "flow":
            return 1.0 - sigma, sigma
        if self.name == "ve":
            return 1.0, sigma
        alpha = 1.0 / math.sqrt(1.0 + sigma * sigma)
        return alpha, sigma * alpha

    def slope(self, x0: Tensor, eps: Tensor) -> Tensor:
        """The direction by sigma in the coordinates in which ``move`` is a straight line.

        These are ``x`` itself for ``flow`` and ``ve``, and ``x / alpha`` for ``vp``.
        """
        return eps - x0 if self.name == "flow" else eps

    def unit(self, sigma: float) -> float:
        """What one unit of those coordinates is worth in ``x`` at a noise level."""
        return self.scales(sigma)[0] if self.name == "vp" else 1.0

    def log_snr(self, sigma: float) -> float:
        """``lambda = log(alpha / scale)``, infinite at sigma 0, floored at pure noise."""
        alpha, scale = self.scales(sigma)
        return math.inf if scale == 0 else math.log(max(alpha, ALPHA_FLOOR) / scale)

    def level(self, log_snr: float) -> float:
        """The noise level that has a log-SNR: the inverse of ``log_snr``, 0 at infinity."""
        if self.name == "flow":
            return 1.0 / (1.0 + math.exp(log_snr)) if log_snr < _STEEP else 0.0
        return math.exp(-log_snr)

    def noisy(self, x0: Tensor, eps: Tensor, sigma: float) -> Tensor:
        """``x0`` brought to a noise level with the noise ``eps``."""
        alpha, scale = self.scales(sigma)
        return alpha * x0 + scale * eps

    def start(self, eps: Tensor, sigma: float) -> Tensor:
        """What sampling begins from when there is no image: noise of the path's full variance."""
        return eps * math.sqrt(1.0 + sigma * sigma) if self.name == "ve" else eps

    def move(self, estimate: Estimate, sigma: float) -> Tensor:
        """The first-order step to ``sigma``: DDIM (arXiv:2010.02502 eq. 12), and Euler in flow."""
        return self.noisy(estimate.x0, estimate.eps, sigma)


FLOW, VE, VP = Path("flow"), Path("ve"), Path("vp")


def split(path: Path, kind: Prediction, x: Tensor, sigma: float, out: Tensor) -> Estimate:
    """Turn a network's output at ``(x, sigma)`` into clean part and noise.

    ``velocity`` is ``eps - x0``; ``v`` is ``alpha*eps - scale*x0`` of the path brought to unit
    variance (arXiv:2202.00512 section 4); ``epsilon`` and ``x0`` are what they say.

    Raises:
        DiffusionError: the prediction leaves the other part undefined at this noise level.
    """
    alpha, scale = path.scales(sigma)
    if kind == "velocity":
        total = alpha + scale
        x0, eps = x - scale * out, x + alpha * out
        if total != 1.0:  # in rectified flow it is 1, and two passes over the latent are saved
            x0, eps = x0 / total, eps / total
    elif kind == "v":
        norm = math.hypot(alpha, scale)
        a, s = alpha / norm, scale / norm
        x0, eps = a * (x / norm) - s * out, s * (x / norm) + a * out
    elif kind == "epsilon":
        if alpha == 0:
            raise DiffusionError("A model that predicts noise says nothing about pure noise.")
        x0, eps = (x - scale * out) / alpha, out
    else:
        if scale == 0:
            raise DiffusionError("A model that predicts the image cannot start from sigma 0.")
        x0, eps = out, (x - alpha * out) / scale
    return Estimate(x0, eps, x0)


def aim(path: Path, kind: Prediction, x0: Tensor, eps: Tensor, sigma: float) -> Tensor:
    """What a network should put out at ``path.noisy(x0, eps, sigma)``: what ``split`` undoes."""
    if kind == "velocity":
        return eps - x0
    if kind == "v":
        alpha, scale = path.scales(sigma)
        norm = math.hypot(alpha, scale)
        return (alpha * eps - scale * x0) / norm
    return eps if kind == "epsilon" else x0
