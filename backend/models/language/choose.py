"""Choosing the next token from a model's scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.diffusion.errors import DiffusionError

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class Choice:
    """How tokens are chosen. ``temperature`` 0 always takes the likeliest; ``top_k`` (0: all)
    keeps the likeliest so many, ``top_p`` then the fewest that together have that probability."""

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 50


def choose_token(scores: Tensor, choice: Choice, generator: Generator) -> int:
    """One token by ``scores`` ``[vocabulary]``; -inf is never chosen.

    Draws by inverting the cumulative distribution at one uniform number of ``generator``, a CPU
    generator, in float64: so the same scores and the same seed give the same token.

    Raises:
        DiffusionError: the scores are no numbers.
    """
    import torch

    if torch.isnan(scores).any() or not torch.isfinite(scores).any():
        raise DiffusionError(
            "The model's scores are not numbers, so no word can be chosen. Its weights are "
            "damaged, or the precision is too low for them; get the model again."
        )
    if choice.temperature <= 0:
        return int(scores.argmax())
    kept = choice.top_k if 0 < choice.top_k < len(scores) else len(scores)
    best, tokens = torch.topk(scores.cpu().double(), kept)
    likely = torch.softmax(best / choice.temperature, dim=0)
    total = torch.cumsum(likely, dim=0)
    # Of a token before which the share is reached already nothing is kept; the first always is.
    size = max(int(((total - likely) < choice.top_p).sum()), 1)
    size = min(size, max(int((likely > 0).sum()), 1))
    point = torch.rand((), dtype=torch.float64, generator=generator) * total[size - 1]
    place = int(torch.searchsorted(total[:size], point, right=True))
    return int(tokens[min(place, size - 1)])
