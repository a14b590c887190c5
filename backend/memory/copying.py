"""From host memory to a device: at once, or by a stream of its own while others compute.

On a device with streams a copy only begins here. Three orders keep it right: what computes comes
after the copy of what it uses (`meet`); what was read stays until its copy is over; and memory of
weights that were let go of is used again only after what computed with them is over (`left`).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from backend.memory.buffers import Buffers, Pin, back_already, pinned, unpinned
from backend.memory.parts import Pool

EVERY = 2**62
"""Bytes of buffers that are kept as long as nobody says that there is no room for them."""
PINNED = 4 * 2**30
"""Bytes of pinned memory at the most, if no more may stay in host memory: a few blocks of the
largest models. It is also never more than a quarter of the machine's memory, which can do nothing
else with what is pinned."""

Made = Callable[[str, Tensor], Tensor]
"""What a network is to have, from the name of a weight and its bytes on the device."""


@dataclass(frozen=True)
class Brought:
    """Weights on the device by name; ``event`` is passed once they are there, and until then only
    ``Copier.meet`` may give them out."""

    weights: Mapping[str, Tensor]
    event: Any = None


class Copier(Protocol):
    """Brings weights to one device. Safe from several threads; one of them computes."""

    @property
    def pool(self) -> Pool | None:
        """The host memory that what is to be brought is read into; None where what was read is on
        the device already."""

    @property
    def buffers(self) -> Buffers:
        """Host memory to read into what is to be brought."""

    def bring(self, raws: Mapping[str, Tensor], made: Made, spare: int) -> Brought:
        """Have weights on the device, or on their way.

        Args:
            raws: What was read, by name, each ``[nbytes]`` uint8 in host memory.
            made: What becomes of the bytes once they are on the device.
            spare: Bytes that those which were let go of may still take up. For more than that it
                is waited here.

        Raises:
            torch.OutOfMemoryError: the device is full.
        """

    def meet(self, brought: Brought) -> Mapping[str, Tensor]:
        """Weights for the thread that computes: what it does from now on comes after their copy."""

    def begin(self) -> None:
        """This thread computes from now on, with all that was met before."""

    def left(self, weights: list[Tensor]) -> None:
        """Let go of weights. Nobody else may have the list, which is emptied."""

    def trim(self, nbytes: int) -> None:
        """Hear how many bytes of the device are free."""

    def settle(self) -> None:
        """Wait until nothing is on its way, and give pinned memory back."""


class AtOnce:
    """For the CPU, where what was read is there already, and devices without streams."""

    pool = None

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.buffers = Buffers(EVERY)

    def bring(self, raws: Mapping[str, Tensor], made: Made, spare: int) -> Brought:
        """Have weights on the device."""
        return Brought({name: made(name, raw.to(self._device)) for name, raw in raws.items()})

    def meet(self, brought: Brought) -> Mapping[str, Tensor]:
        """The weights."""
        return brought.weights

    def begin(self) -> None:
        """All is there."""

    def left(self, weights: list[Tensor]) -> None:
        """Let go of weights."""
        weights.clear()

    def trim(self, nbytes: int) -> None:
        """Keep no more buffers than there is room for: they are in the same memory."""
        self.buffers.trim(nbytes)

    def settle(self) -> None:
        """Nothing is ever on its way."""


class ByStream:
    """For devices with streams: copies from pinned memory on one stream of their own."""

    def __init__(
        self,
        device: torch.device,
        streams: Any,
        event: Callable[[], Any],
        limit: int,
        pin: Pin = pinned,
        record: Callable[[Tensor, Any], None] = Tensor.record_stream,
        freed: Callable[[], None] = back_already,
    ) -> None:
        """
        Args:
            device: Where to.
            streams: ``torch.cuda``, or what has ``Stream``, ``stream`` and ``current_stream`` like
                it.
            event: Makes an event.
            limit: Bytes of pinned memory at the most.
            pin: Gives pinned memory.
            record: Tells the allocator that a stream uses a tensor that another one made.
            freed: Has the system get back what was pinned and let go of.
        """
        self._device, self._streams, self._event, self._record = device, streams, event, record
        self._stream = streams.Stream(device=device)
        self._computing: Any = None
        self._copies: deque[tuple[Any, tuple[Tensor, ...]]] = deque()
        self._leaving: deque[tuple[Any, int]] = deque()
        self._lock = threading.Lock()
        self.buffers = Buffers(limit, pin, limit, self.end_one, freed)

    @property
    def pool(self) -> Pool:
        """Pinned memory, and what was given where none was left."""
        return self

    @property
    def used(self) -> int:
        """Bytes of what was read and is not let go of, or not there yet."""
        return self.buffers.used

    def bound(self, nbytes: int) -> None:
        """Keep buffers for what is read next only as far as all take so many bytes."""
        self.buffers.most = nbytes

    def bring(self, raws: Mapping[str, Tensor], made: Made, spare: int) -> Brought:
        """Begin to copy weights, once there is room for them."""
        self._wait_for_room(spare)
        try:
            with self._streams.stream(self._stream):
                weights = {name: made(name, self._copied(raw)) for name, raw in raws.items()}
        finally:  # also what was begun before something went wrong is read until it is over
            event = self._marked(self._stream)
            with self._lock:
                self._copies.append((event, tuple(raws.values())))
        return Brought(weights, event)

    def meet(self, brought: Brought) -> Mapping[str, Tensor]:
        """Weights that this thread's stream computes with after their copy; nobody waits here."""
        self.begin()
        self._computing.wait_event(brought.event)
        return brought.weights

    def begin(self) -> None:
        """Have this thread's stream come after the one that computed before."""
        now = self._streams.current_stream(self._device)
        if self._computing is not None and self._computing != now:
            now.wait_stream(self._computing)
        self._computing = now
        while self.end_one(wait=False):
            pass

    def left(self, weights: list[Tensor]) -> None:
        """Let go of weights, whose memory is free once what computes now is over."""
        if not weights or self._computing is None:
            return weights.clear()
        nbytes = sum(weight.nbytes for weight in weights)
        for weight in weights:
            self._record(weight, self._computing)
        weights.clear()
        with self._lock:  # recorded behind the allocator's own event, which then is passed too
            self._leaving.append((self._marked(self._computing), nbytes))

    def trim(self, nbytes: int) -> None:
        """Host memory takes no room on the device."""

    def end_one(self, wait: bool = True) -> bool:
        """Give the buffers of the oldest copy back, once it is over; whether there was one. Without
        ``wait`` only one that is over already."""
        with self._lock:
            if not self._copies or not (wait or self._copies[0][0].query()):
                return False
            event, _raws = self._copies.popleft()
        event.synchronize()
        return True

    def settle(self) -> None:
        """Wait until nothing is on its way, and give pinned memory back."""
        while self.end_one():
            pass
        self.buffers.trim(0)

    def _copied(self, raw: Tensor) -> Tensor:
        there = torch.empty(raw.shape, dtype=raw.dtype, device=self._device)
        return there.copy_(raw, non_blocking=True)

    def _marked(self, stream: Any) -> Any:
        event = self._event()
        event.record(stream)
        return event

    def _wait_for_room(self, spare: int) -> None:
        while True:
            with self._lock:
                while self._leaving and self._leaving[0][0].query():
                    self._leaving.popleft()
                if sum(nbytes for _, nbytes in self._leaving) <= spare:
                    return
                event = self._leaving[0][0]
            event.synchronize()


def copier_for(device: torch.device, host: int = 0) -> Copier:
    """The way to bring weights to a device: by a stream on CUDA, ROCm (which torch calls CUDA) and
    XPU. ``host`` bytes may stay in host memory, pinned as far as that goes."""
    if device.type == "cuda" and torch.cuda.is_available():
        # A thread that waits for a blocking event leaves its processor to others.
        event = partial(torch.cuda.Event, blocking=True)
        return ByStream(device, torch.cuda, event, _limit(host), freed=unpinned)
    if device.type == "xpu" and hasattr(torch.xpu, "Stream") and torch.xpu.is_available():
        return ByStream(device, torch.xpu, torch.xpu.Event, _limit(host), freed=unpinned)
    return AtOnce(device)


def _limit(host: int) -> int:
    if not hasattr(os, "sysconf"):
        return PINNED
    quarter = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    return min(max(PINNED, host), quarter)
