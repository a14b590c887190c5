"""Places inside networks at which a cancelled run stops: its blocks and its convolutions.

A network says nothing while it computes, and one call of a large one takes seconds. So whoever runs
it lays a hook before each member of its lists of modules (the blocks of a transformer, of a U-Net
and of a text encoder) and before each convolution (a VAE has few blocks, and large ones). What is
listed in a block gets hooks where the block is large. Each hook costs about two microseconds.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

SMALL = 2**20
"""Parameters up to which a block gets one stop only: 4096 tokens take it 0.1 s of a core."""


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


def _places(network: Any) -> list[Any]:
    from torch import nn

    return _inside(network, False, (nn.Conv2d, nn.Conv3d), (nn.ModuleList, nn.Sequential))[0]


def _inside(
    module: Any, listed: bool, convolutions: tuple[type, ...], lists: tuple[type, ...]
) -> tuple[list[Any], int]:
    """The stops in a module, which may be a member of a list, and its parameters; in one pass, for
    every step that loads a network makes it.

    ``children()`` and ``parameters()`` see to it that nothing comes twice, which takes four times
    as long: what is there twice in one network is counted twice, and gets two stops.
    """
    weights, children = module._parameters, module._modules  # noqa: SLF001  # see above
    held = sum(weight.numel() for weight in weights.values() if weight is not None)
    found: list[Any] = []
    inside = isinstance(module, lists)
    for child in children.values():
        if child is not None:
            stops, more = _inside(child, inside, convolutions, lists)
            found += stops
            held += more
    if isinstance(module, convolutions):
        return [module, *found], held
    if not listed:
        return found, held
    if held <= SMALL:  # its own stop does
        found = [each for each in found if isinstance(each, convolutions)]
    return [module, *found], held
