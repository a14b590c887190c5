"""Kinds of operators, and what one operator costs: operations, bytes, tokens. Light.

The kinds are those of "Generative AI Beyond LLMs" (arXiv:2312.14385, section 4): convolution,
linear, attention (by what the sites of a card say), norm, and all else. Projections of an attention
count as linear, as there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CONVOLUTION, LINEAR, NORM, OTHER = "convolution", "linear", "norm", "other"
ATTENTION: Mapping[str, str] = {
    "self": "attention, self",
    "cross": "attention, cross",
    "text image": "attention, text and image",
    "image text": "attention, text and image",
    "": "attention",
}
"""By the stream of a site; "" is attention at no site."""
KINDS = (CONVOLUTION, LINEAR, *dict.fromkeys(ATTENTION.values()), NORM, OTHER)
"""In the order in which they are told."""

_PRODUCTS = frozenset({"mm", "addmm", "bmm", "baddbmm", "_scaled_mm"})
_NORMS = frozenset(
    {
        "native_layer_norm",
        "native_group_norm",
        "native_batch_norm",
        "_fused_rms_norm",
        "_native_batch_norm_legit_no_training",
    }
)
_BATCHED = frozenset({"bmm", "baddbmm", "_softmax", "_safe_softmax"})
"""Attention that is written out: its scores, their softmax, and the sum of values."""


def kind_of(operator: str, stream: str | None, in_norm: bool) -> str:
    """The kind of an operator of torch by its name, the stream of the attention site that it is
    called in (``None`` outside of all) and whether that is within a norm."""
    if "convolution" in operator:
        return CONVOLUTION
    if is_attention(operator) or (stream is not None and operator in _BATCHED):
        return ATTENTION[stream or ""]
    if operator in _PRODUCTS:
        return LINEAR
    return NORM if in_norm or operator in _NORMS else OTHER


def is_attention(operator: str) -> bool:
    """Whether an operator is an attention in one piece."""
    return "_attention" in operator


def operations(function: Any, arguments: Sequence[Any], named: Mapping[str, Any], out: Any) -> int:
    """Multiplications and additions of one call, as torch's own counter has them: products of
    matrices, convolutions and attention, nothing else.

    That counter knows the attention kernels of CUDA only, so those of the CPU are counted here by
    the same formula, ``2 b h q k (d + e)``.
    """
    from torch.utils.flop_counter import flop_registry

    packet = function.overloadpacket
    if (count := flop_registry.get(packet)) is not None:
        return int(count(*arguments, **named, out_val=out))
    if not is_attention(packet.__name__) or len(arguments) < 3:
        return 0
    query, key, value = arguments[:3]
    rows = math.prod(query.shape[:-1]) * key.shape[-2]
    return int(2 * rows * (query.shape[-1] + value.shape[-1]))


def tokens(operator: str, arguments: Sequence[Any]) -> tuple[int, int] | None:
    """Queries and keys of an attention; ``None`` of other operators."""
    if not is_attention(operator) or len(arguments) < 2:
        return None
    return int(arguments[0].shape[-2]), int(arguments[1].shape[-2])


def tensors(value: Any) -> Iterator[Any]:
    """The tensors in the arguments or results of an operator."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from tensors(each)
    elif hasattr(value, "untyped_storage"):
        yield value


def held_bytes(tensor: Any) -> int:
    """Bytes that reading a tensor takes from memory: of one that repeats itself, those it has."""
    size = int(tensor.element_size())
    return min(int(tensor.numel()) * size, int(tensor.untyped_storage().nbytes()))
