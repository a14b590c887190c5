"""Which attention kernels of torch a device really computes with, found by a forward of each."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

KERNELS = {
    "flash": "FLASH_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
    "math": "MATH",
}
"""Names for people, and those of ``torch.nn.attention.SDPBackend``."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel, and why it does not work where it does not."""

    name: str
    problem: str = ""

    @property
    def works(self) -> bool:
        """Whether it computed."""
        return not self.problem


def probe_kernels(device: str, dtype: str) -> tuple[Kernel, ...]:
    """Call each kernel once on ``device`` in ``dtype`` (``float32``, ``bfloat16``) and compare it
    with the others' common definition, softmax(q k^T / sqrt(d)) v."""
    import torch
    from torch.nn.attention import SDPBackend

    generator = torch.Generator().manual_seed(0)
    shape = (1, 2, 64, 64)  # batch, heads, tokens, channels: what every kernel takes
    exact = [torch.randn(shape, generator=generator) for _ in range(3)]
    query, key, value = (each.to(device, getattr(torch, dtype)) for each in exact)
    scores = torch.softmax(exact[0] @ exact[1].mT / shape[-1] ** 0.5, -1)
    expected = scores @ exact[2]
    found = []
    for name, label in KERNELS.items():
        backend = getattr(SDPBackend, label, None)
        problem = "this build of torch has none"
        if backend is not None:
            problem = _problem(backend, (query, key, value), expected)
        found.append(Kernel(name, problem))
    return tuple(found)


def _problem(backend: Any, inputs: tuple[Tensor, Tensor, Tensor], expected: Tensor) -> str:
    import torch
    from torch.nn.attention import sdpa_kernel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns for each reason against a kernel
        try:
            with torch.no_grad(), sdpa_kernel([backend]):
                made = torch.nn.functional.scaled_dot_product_attention(*inputs)
        except RuntimeError as refused:
            return str(refused).splitlines()[0][:120]
    off = float((made.float().cpu() - expected).abs().max())
    return "" if off < 0.05 else f"it is wrong by {off:.2g}"
