"""Hooks before the blocks of networks, at which the thread that computes stops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from backend.memory.parts import Network, Part


class Hook(Protocol):
    """A hook that was laid on."""

    def remove(self) -> None:
        """Take it off."""


class Gates:
    """The hooks of one step, by the key of their network."""

    def __init__(self, begin: Callable[[Part], None]) -> None:
        """``begin`` is called with each block before it computes, in the thread that laid."""
        self._begin = begin
        self._hooks: dict[str, list[Hook]] = {}

    def lay(self, network: Network) -> None:
        """Stop before each block of a network, once."""
        if network.key in self._hooks or network.module is None:
            return
        here, begin = threading.get_ident(), self._begin

        def gate(part: Part) -> Callable[[Any, Any], None]:
            def stop(module: Any, args: Any) -> None:
                if threading.get_ident() == here:
                    begin(part)

            return stop

        self._hooks[network.key] = [
            network.module.get_submodule(block).register_forward_pre_hook(gate(part))
            for block, part in network.parts.items()
            if not part.rest
        ]

    def lift(self, key: str) -> None:
        """Stop no more in one network."""
        for hook in self._hooks.pop(key, ()):
            hook.remove()

    def clear(self) -> None:
        """Stop in none."""
        for key in list(self._hooks):
            self.lift(key)
