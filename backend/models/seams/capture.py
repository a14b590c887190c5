"""Seeing one module's calls of torch's attention, without touching the module's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor
from torch.nn import Module
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode


class Handle(Protocol):
    """Something to take back."""

    def remove(self) -> None:
        """Take it back."""


class _Watch(TorchFunctionMode):
    """Answers torch's attention by a function of ours; all else goes its way."""

    def __init__(self, answer: Callable[..., Tensor]) -> None:
        super().__init__()
        self._answer = answer
        self._inside = 0

    def enter(self, *_: Any) -> None:
        """Begin to answer; a hook."""
        self.__enter__()  # type: ignore[no-untyped-call]  # torch has no types here
        self._inside += 1

    def leave(self, *_: Any) -> None:
        """End it, where it was begun; a hook."""
        if self._inside:
            self._inside -= 1
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """End it after a cancel, which is no ``Exception``: torch calls no hook then."""
        while self._inside:
            self.leave()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is scaled_dot_product_attention:
            return self._answer(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def capture(module: Module, answer: Callable[..., Tensor]) -> tuple[Handle, ...]:
    """Have ``answer`` stand for torch's attention inside a module's call, on the calling thread.

    All handles are to be removed. The mode is left also where the call raises.
    """
    watch = _Watch(answer)
    return (
        module.register_forward_pre_hook(watch.enter),
        module.register_forward_hook(watch.leave, always_call=True),
        watch,
    )
