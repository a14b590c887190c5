"""CFG whose result is as long, token by token, as the unguided prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.diffusion.guidance.cfg import guide
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number

if TYPE_CHECKING:
    from torch import Tensor


def token_norms(x: Tensor, patch: int) -> Tensor:
    """The norm of each token of ``patch`` x ``patch`` cells, at all of its cells:
    ``[b, 1, (frames,) height, width]``."""
    *lead, height, width = x.square().sum(1, keepdim=True).shape
    split = (*lead, height // patch, patch, width // patch, patch)
    squares = x.square().sum(1, keepdim=True).reshape(split)
    norms: Tensor = squares.sum((-3, -1), keepdim=True).sqrt().expand(split)
    return norms.reshape(*lead, height, width)


def apply(call: Call) -> Estimate:
    """Guide by ``cfg``, then give each token the norm that it has in the positive prediction.

    Guidance so turns a prediction and does not stretch it, up or down: Qwen-Image
    (arXiv:2508.02324) is sampled with it. At ``cfg`` 1 the negative is not asked.
    """
    cfg = number(call.params, "cfg", 1.0)
    if cfg == 1.0:
        (positive,) = call.predict([call.role("positive")])
        return call.split(positive)
    positive, negative = call.predict([call.role("positive"), call.role("negative")])
    guided, patch = guide(negative, positive, cfg), call.process.patch
    scale = token_norms(positive, patch) / token_norms(guided, patch).clamp_min(1e-12)
    return call.split(guided * scale)


CFG_TOKEN_NORM = GuidanceKind("cfg_token_norm", "CFG, token norm", apply, simple=True, rank=26)
