"""A device with streams that is not there: the CPU, on which what is asked for happens later.

It has what ``ByStream`` asks of ``torch.cuda``. Operations are noted on the stream of the thread
that calls them, and carried out in an order that is drawn: each stream in its own, and only events
order one after another. What an operation gives is NaN until then. Memory is taken and given back
as torch's allocator for CUDA does it: at once, as far as the streams know that it was told of.
"""

from __future__ import annotations

import random
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from backend.memory.held import HeldTensor

ALIGNED = 64
NAN = 0xFF
"""All bits set: not a number in each of the forms with a point."""


class Stream:
    """Operations in order, of which so many were asked for and so many are done."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.waiting: deque[tuple[Callable[[], bool], Callable[[], None]]] = deque()
        self.asked = self.done = 0

    def submit(self, act: Callable[[], None], ready: Callable[[], bool] = lambda: True) -> None:
        with self.machine.lock:
            self.waiting.append((ready, act))
            self.asked += 1

    def wait_event(self, event: Event) -> None:
        self.submit(lambda: None, event.passed)

    def wait_stream(self, other: Stream) -> None:
        event = Event(self.machine)
        event.record(other)
        self.wait_event(event)


class Event:
    """A place in a stream."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.stream: Stream | None = None
        self.place = 0

    def record(self, stream: Stream) -> None:
        with self.machine.lock:
            self.stream, self.place = stream, stream.asked

    def passed(self) -> bool:
        return self.stream is None or self.stream.done >= self.place

    def query(self) -> bool:
        self.machine.advance()
        return self.passed()

    def synchronize(self) -> None:
        self.machine.run_until(self.passed)


class Arena:
    """Memory that is given out from its lowest free address on. What an operation works on has no
    hold on it (``alias``): if it is given to somebody else too early, that is seen."""

    def __init__(self, nbytes: int, lock: threading.RLock) -> None:
        self.whole = torch.full((nbytes,), NAN, dtype=torch.uint8)
        self.memory = self.whole.numpy()
        self.lock = lock
        self.taken: dict[int, tuple[int, list[Stream]]] = {}
        self.leaving: list[tuple[int, list[tuple[Stream, int]]]] = []
        self.peak = 0

    @property
    def used(self) -> int:
        """Bytes that are given out, or that a stream may still use."""
        with self.lock:
            self._free_what_is_over()
            return sum(size for size, _ in self.taken.values())

    def take(self, nbytes: int) -> Tensor:
        size = max(1, -(-nbytes // ALIGNED)) * ALIGNED
        with self.lock:
            self._free_what_is_over()
            place = 0
            for start in sorted(self.taken):
                if start - place >= size:
                    break
                place = start + self.taken[start][0]
            assert place + size <= len(self.memory), "the arena is too small"
            self.taken[place] = size, []
            self.peak = max(self.peak, sum(size for size, _ in self.taken.values()))
            array = self.memory[place : place + nbytes]
            weakref.finalize(array, self._left, place).atexit = False
            return torch.from_numpy(array)

    def record(self, tensor: Tensor, stream: Stream) -> None:
        with self.lock:
            place = tensor.data_ptr() - self.whole.data_ptr()
            ((_, streams),) = [t for at, t in self.taken.items() if at <= place < at + t[0]]
            streams.append(stream)

    def alias(self, tensor: Tensor) -> Tensor | None:
        """The same memory, without a hold on it; None if it is not of here."""
        place = tensor.data_ptr() - self.whole.data_ptr()
        if not 0 <= place < len(self.memory):
            return None
        found = torch.empty(0, dtype=tensor.dtype)
        offset = place // tensor.element_size()
        return found.set_(self.whole.untyped_storage(), offset, tensor.shape, tensor.stride())

    def _left(self, place: int) -> None:
        with self.lock:
            self.leaving.append((place, [(s, s.asked) for s in self.taken[place][1]]))
            self._free_what_is_over()

    def _free_what_is_over(self) -> None:
        for place, uses in list(self.leaving):
            if all(stream.done >= asked for stream, asked in uses):
                self.leaving.remove((place, uses))
                del self.taken[place]


class Machine:
    """The device: two arenas (its own memory, and pinned memory of the host) and its streams."""

    def __init__(self, seed: int, nbytes: int = 2**22) -> None:
        self.random = random.Random(seed)
        self.pace = self.random.choice([0, 1, 3])
        self.lock = threading.RLock()
        self.device, self.host = Arena(nbytes, self.lock), Arena(nbytes, self.lock)
        self.streams: list[Stream] = []
        self.here = threading.local()
        self.usual = self.Stream()

    # As torch.cuda has it

    def Stream(self, device: object = None) -> Stream:
        with self.lock:
            made = Stream(self)
            self.streams.insert(self.random.randint(0, len(self.streams)), made)
            return made

    def Event(self) -> Event:
        return Event(self)

    def current_stream(self, device: object = None) -> Stream:
        return getattr(self.here, "stream", self.usual)

    @contextmanager
    def stream(self, stream: Stream, makes: bool = True) -> Iterator[None]:
        """What this thread asks for goes to ``stream``, and is ``made`` in the device's memory."""
        before, self.here.stream = self.current_stream(), stream
        try:
            with Later(self, makes):
                yield
        finally:
            self.here.stream = before

    # The stand-in's own

    def computing(self, stream: Stream | None = None) -> Any:
        """This thread computes, on a stream."""
        return self.stream(stream or self.usual, makes=False)

    def advance(self) -> None:
        """Carry out a few operations, as a device does meanwhile; one that is slow, none."""
        with self.lock:
            for _ in range(self.random.randint(0, self.pace)):
                self._step()

    def run_until(self, over: Callable[[], bool]) -> None:
        """Carry out operations until something is so."""
        while not over():
            with self.lock:
                assert self._step() or over(), "what is waited for never comes"

    def synchronize(self) -> None:
        """Carry out everything."""
        self.run_until(lambda: all(s.done == s.asked for s in self.streams))

    def weak(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        for arena in (self.device, self.host):
            if (found := arena.alias(value)) is not None:
                return found
        return value

    def _step(self) -> bool:
        ready = [s for s in self.streams if s.waiting and s.waiting[0][0]()]
        if not ready:
            return False
        # Mostly the same stream for a while: so they come far apart.
        if self.random.random() < 0.1:
            self.random.shuffle(self.streams)
        stream = self.random.choice(ready) if self.random.random() < 0.2 else ready[0]
        _, act = stream.waiting.popleft()
        self.here.acts = True
        try:
            act()
        finally:
            self.here.acts = False
        stream.done += 1
        return True


class Later(TorchDispatchMode):
    """Has what this thread computes happen later."""

    def __init__(self, machine: Machine, makes: bool) -> None:
        super().__init__()
        self.machine, self.makes = machine, makes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, machine = kwargs or {}, self.machine
        if any(issubclass(kind, HeldTensor) for kind in types):
            return NotImplemented
        if getattr(machine.here, "acts", False):
            return func(*args, **kwargs)
        if func is torch.ops.aten.empty.memory_format:
            return self._room(func(*args, **kwargs)) if self.makes else func(*args, **kwargs)
        schema, stream = func._schema, machine.current_stream()
        late, late_named = tree_map(machine.weak, (args, kwargs))
        if schema.is_mutable:
            stream.submit(lambda: func(*late, **late_named))
            machine.advance()
            return args[0]
        found = func(*args, **kwargs)
        assert isinstance(found, Tensor), f"{func} is not known here"
        given = [each for each in args if isinstance(each, Tensor)]
        if any(found.untyped_storage()._cdata == g.untyped_storage()._cdata for g in given):
            return found  # only seen in another way
        place = self._room(found)
        target = machine.weak(place)
        stream.submit(lambda: target.copy_(func(*late, **late_named)))
        machine.advance()
        return place

    def _room(self, like: Tensor) -> Tensor:
        """Where a result of this form comes to lie; not a number until then."""
        if not self.makes:
            return like.fill_(torch.nan) if like.is_floating_point() else like
        place = self.machine.device.take(like.nbytes)
        blank = self.machine.weak(place)
        self.machine.current_stream().submit(lambda: blank.fill_(NAN))
        return place.view(like.dtype).as_strided(like.shape, like.stride())
