"""Seeing one module's calls of torch's attention, without touching the module's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle


class _Watch(TorchFunctionMode):
    """Answers torch's attention by a function of ours; all else goes its way."""

    def __init__(self, answer: Callable[..., Tensor]) -> None:
        super().__init__()
        self._answer = answer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is scaled_dot_product_attention:
            return self._answer(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def capture(
    module: Module, answer: Callable[..., Tensor]
) -> tuple[RemovableHandle, RemovableHandle]:
    """Have ``answer`` stand for torch's attention inside a module's call, on the calling thread.

    Both handles are to be removed. The mode is left also where the call raises.
    """
    watch: Any = _Watch(answer)  # torch leaves its entering and leaving without types

    def enter(*_: Any) -> None:
        watch.__enter__()

    def leave(*_: Any) -> None:
        watch.__exit__(None, None, None)

    return (
        module.register_forward_pre_hook(enter),
        module.register_forward_hook(leave, always_call=True),
    )
