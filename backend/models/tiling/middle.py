"""The middle block of an ``AutoencoderKL`` on a whole picture, with pauses in which to stop.

Its attention looks from every cell at every other, so its work grows with the square of the
picture: a minute and more for a very large one. Queries are independent of each other, so they go
in portions; each still has its softmax over all cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

SCORES = {"cpu": 2**26, "cuda": 2**30}
"""Scores of queries with keys in one portion: a second or two of a CPU. A GPU needs many
queries at once to be busy."""
LEAST = 64
"""Queries in one portion at least."""


def middle(block: Any, x: Tensor, pause: Callable[[], None]) -> Tensor:
    """``block`` of ``x`` ``[1, channels, height, width]``. ``pause`` is called before each of its
    convolutions and portions of attention, and may raise to stop. Without a mask only."""
    with _Portions(pause):
        out: Tensor = block(x, None)
    return out


class _Portions(TorchFunctionMode):
    """Answers attention on the running thread a portion of the queries at a time."""

    def __init__(self, pause: Callable[[], None]) -> None:
        super().__init__()
        self._pause = pause

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.conv2d:
            self._pause()
        if func is not scaled_dot_product_attention:
            return func(*args, **kwargs)
        query, *rest = args
        keys = kwargs.get("key", rest[0] if rest else None)
        rows = _rows(query, keys)
        masked = len(rest) > 2 or kwargs.get("attn_mask") is not None or kwargs.get("is_causal")
        if masked or query.shape[-2] <= rows:
            self._pause()
            return func(*args, **kwargs)
        made = []
        for part in query.split(rows, dim=-2):
            self._pause()
            made.append(func(part, *rest, **kwargs))
        return torch.cat(made, dim=-2)


def _rows(query: Tensor, keys: Tensor) -> int:
    """Queries in one portion."""
    scores = SCORES.get(query.device.type, SCORES["cuda"])
    alike = query.shape[:-2].numel() * keys.shape[-2]
    return max(LEAST, scores // alike)
