"""CFG with one text inside and another in a border around it, so that a subject is not cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number

if TYPE_CHECKING:
    from torch import Tensor


def apply(call: Call) -> Estimate:
    """``v = m v+ + (1 - m) v'`` with ``v+`` the prediction for the positive conditioning, ``v'``
    that for the conditioning of role ``border``, each guided by ``cfg``, and ``m`` 1 in the middle
    and 0 in a border of the fraction ``border`` of each side
    (Alfie, arXiv:2408.14826).

    At ``border`` 0 it is CFG, and the border is not asked for.
    """
    cfg, border = number(call.params, "cfg", 1.0), number(call.params, "border", 0.0)
    inside = _inside(call.x, border)
    wanted = [call.role("positive")]
    if inside is not None:
        wanted.append(call.role("border"))
    if cfg != 1.0:
        wanted.append(call.role("negative"))
    made = call.predict(wanted)
    guided = [guide(made[-1], each, cfg) if cfg != 1.0 else each for each in made[:2]]
    if inside is None:
        return call.split(guided[0])
    return call.split(inside * guided[0] + (1 - inside) * guided[1])


def _inside(x: Tensor, border: float) -> Tensor | None:
    """1 in the middle of a latent ``[..., height, width]``, 0 in the border; ``None`` without."""
    import torch

    height, width = x.shape[-2:]
    rows, columns = round(border * height), round(border * width)
    if not rows and not columns:
        return None
    inside = torch.zeros(height, width, dtype=x.dtype, device=x.device)
    inside[rows : height - rows, columns : width - columns] = 1
    return inside


BORDERED = GuidanceKind(
    "bordered", "Other text in a border", apply, branches=lambda terms: min(terms, 3), rank=90
)
