"""Places inside networks at which a cancelled run stops: its blocks and its convolutions.

A network says nothing while it computes, and one call of a large one takes seconds. So whoever runs
it lays a hook before each member of its lists of modules (the blocks of a transformer, of a U-Net
and of a text encoder) and before each convolution (a VAE has few blocks, and large ones).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol


class Hook(Protocol):
    """A hook that was laid on."""

    def remove(self) -> None:
        """Take it off."""


class Stops:
    """The hooks of one call of a step, on all networks that it loads."""

    def __init__(self, check: Callable[[], None]) -> None:
        """``check`` raises when the run was cancelled."""
        self._check = check
        self._laid: list[tuple[weakref.ref[Any], tuple[Hook, ...]]] = []

    def lay(self, component: Any) -> None:
        """Stop in this component too, once; what is no network, such as a tokenizer, has no
        stops. It is not kept from being let go of."""
        if not hasattr(component, "register_forward_pre_hook"):
            return
        if not any(known() is component for known, _ in self._laid):
            self._laid.append((weakref.ref(component), lay_stops(component, self._check)))

    def remove(self) -> None:
        """Take all of them off."""
        while self._laid:
            for hook in self._laid.pop()[1]:
                hook.remove()


def lay_stops(network: Any, check: Callable[[], None]) -> tuple[Hook, ...]:
    """Have ``check`` called before each block and each convolution that the calling thread
    computes with a network; it may raise. Gives the hooks, which are to be removed."""
    here = threading.get_ident()  # a network is shared, and other threads have other checks

    def stop(module: Any, args: Any) -> None:
        if threading.get_ident() == here:
            check()

    return tuple(place.register_forward_pre_hook(stop) for place in _places(network))


def _places(network: Any) -> Iterator[Any]:
    from torch import nn

    inside = {
        id(each)
        for listed in network.modules()
        if isinstance(listed, nn.ModuleList | nn.Sequential)
        for each in listed
    }
    for module in network.modules():
        if id(module) in inside or isinstance(module, nn.Conv2d | nn.Conv3d):
            yield module
