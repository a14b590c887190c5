"""The token by which somebody outside stops a run."""

from __future__ import annotations

from collections.abc import Callable

from backend.sdk import Cancelled


class Cancel:
    """Set once, from any thread or a signal handler; it takes no lock, so it cannot dead-lock."""

    def __init__(self) -> None:
        self._set = False
        self._wakers: tuple[Callable[[], None], ...] = ()

    def __call__(self) -> None:
        """Cancel. What waits is woken."""
        self._set = True
        for wake in self._wakers:
            wake()

    @property
    def is_set(self) -> bool:
        """Whether the run was cancelled."""
        return self._set

    def check(self) -> None:
        """Do nothing, or raise ``Cancelled``."""
        if self._set:
            raise Cancelled

    def on_cancel(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have ``wake`` called when it is set; the returned function takes that back."""
        self._wakers = (*self._wakers, wake)
        if self._set:
            wake()

        def remove() -> None:
            self._wakers = tuple(w for w in self._wakers if w is not wake)

        return remove
