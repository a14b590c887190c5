"""The operators of one call: how long each took, what it computed, and the memory there was.

The call is made several times. Plain calls tell the time that it takes. In timed ones a dispatch
mode takes the time at which each operator is called and at which it is back, on CUDA by events in
the stream. On the CPU the mode costs as much as a small operator, so there the times are brought to
those of marked calls, which cost hardly more than plain ones (``stretches``). One more call, of
which no time is taken, tells kinds, operations, bytes and memory. All make the same operators in
the same order. Of each sort of call the quickest are taken, which other programs disturbed least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from backend.diffusion.errors import DiffusionError
from backend.models.card import Card
from backend.models.profiling.kinds import held_bytes, kind_of, operations, tensors, tokens
from backend.models.profiling.stretches import Clocked, borders_of, marked, shared_out
from backend.models.seams.sites import layers_of

MARK = "weft operator "


@dataclass(frozen=True)
class Operator:
    """One operator of a call: its kind, operations, bytes read and written, bytes of new tensors,
    queries and keys of an attention; its time, and the most bytes held beside the weights while it
    ran."""

    name: str
    kind: str
    operations: int
    moved: int
    made: int
    tokens: tuple[int, int] | None
    seconds: float = 0.0
    held: int = 0


@dataclass(frozen=True)
class Trace:
    """The operators of one call in order, the seconds that it takes when nobody looks, and the
    most bytes that it holds beside weights and what it was given."""

    operators: tuple[Operator, ...]
    wall: float
    peak: int

    @property
    def seconds(self) -> float:
        """The operators' time together."""
        return sum(each.seconds for each in self.operators)


class Places:
    """The network that runs, and where in it operators are called."""

    def __init__(self) -> None:
        self._net: Any = None
        self._card: Card | None = None
        self._inside: list[tuple[str | None, bool]] = []

    def use(self, net: Any, card: Card) -> None:
        """From now on this network runs."""
        self._net, self._card = net, card

    def now(self) -> tuple[str | None, bool]:
        """The stream of the attention site and whether within a norm."""
        return self._inside[-1] if self._inside else (None, False)

    @property
    def net(self) -> Any:
        """The network that runs; ``None`` before any."""
        return self._net

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Follow the network's calls."""
        handles = []
        for module, stream, norm in self._marked():

            def enter(*_: Any, stream: str | None = stream, norm: bool = norm) -> None:
                outer = self.now()
                self._inside.append((stream or outer[0], norm or outer[1]))

            def leave(*_: Any) -> None:
                self._inside.pop()

            handles += [
                module.register_forward_pre_hook(enter),
                module.register_forward_hook(leave, always_call=True),
            ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._inside.clear()

    def _marked(self) -> Iterator[tuple[Any, str | None, bool]]:
        if self._card is None:
            return
        for site in self._card.sites:
            for module in layers_of(self._net, site.path):
                yield module, site.stream, False
        for module in self._net.modules():
            if "Norm" in type(module).__name__:
                yield module, None, True


def trace(
    call: Callable[[], Any],
    places: Places,
    device: str = "cpu",
    repeats: int = 5,
    check: Callable[[], None] = lambda: None,
) -> Trace:
    """Look at the operators of a call, which is made ``3 * repeats + 2`` times, on CUDA
    ``2 * repeats + 2`` times.

    ``check`` is asked before each and may raise.

    Raises:
        DiffusionError: the call does something else each time.
    """
    call()  # what is made once only, such as a prepared text
    timing = OnCuda(device) if device.startswith("cuda") else OnCpu(places)
    plain = []
    for _ in range(repeats):
        check()
        timing.look(call)
    for _ in range(repeats):  # these beside one another: after a mode a call is slower
        check()
        plain.append(_clocked(call, device))
        check()
        timing.mark(call)
    check()
    counted, memory = _counted(call, places, device)
    try:
        seconds = timing.seconds()
        if len(seconds) != len(counted):
            raise ValueError("the calls differ")
    except ValueError as error:
        raise DiffusionError(
            "This model does not do the same each time that it is called, so its operators cannot "
            "be told apart. Take off patches that go by chance."
        ) from error
    found = tuple(
        replace(each, seconds=spent, held=held)
        for each, spent, held in zip(counted, seconds, memory.held, strict=True)
    )
    return Trace(found, min(plain), memory.peak)


def _clocked(call: Callable[[], Any], device: str) -> float:
    _wait(device)
    began = perf_counter_ns()
    call()
    _wait(device)
    return (perf_counter_ns() - began) / 1e9


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


class _Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Takes the time before and after each operator, in nanoseconds."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.taken: list[tuple[int, int]] = []

    def count(self) -> int:
        """Operators by now."""
        return len(self.taken)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = perf_counter_ns()
        out = func(*args, **(kwargs or {}))
        self.taken.append((began, perf_counter_ns()))
        return out


class _Events(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Puts an event before and after each operator into the stream of a CUDA device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.taken: list[tuple[Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        import torch

        event: Any = torch.cuda.Event
        began, ended = event(enable_timing=True), event(enable_timing=True)
        began.record()
        out = func(*args, **(kwargs or {}))
        ended.record()
        self.taken.append((began, ended))
        return out


class OnCpu:
    """Timed and marked calls on the CPU."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._clocked: list[Clocked] = []
        self._times: list[list[int]] = []

    def look(self, call: Callable[[], Any]) -> None:
        """Make a timed call."""
        clock = _Clock()
        with clock, marked(self._places.net, clock.count) as borders:
            began = perf_counter_ns()
            call()
        self._clocked.append(Clocked(began, clock.taken, borders))

    def mark(self, call: Callable[[], Any]) -> None:
        """Make a marked call."""
        self._times.append(borders_of(call, self._places.net))

    def seconds(self) -> list[float]:
        """Those of each operator.

        Raises:
            ValueError: the calls differ.
        """
        return shared_out(self._clocked, min(self._times, key=lambda times: times[-1] - times[0]))


class OnCuda:
    """Timed calls on CUDA."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._taken: list[list[float]] = []

    def look(self, call: Callable[[], Any]) -> None:
        """Make a timed call."""
        with (events := _Events()):
            call()
        _wait(self._device)
        self._taken.append([a.elapsed_time(b) / 1e3 for a, b in events.taken])

    def mark(self, call: Callable[[], Any]) -> None:
        """None is needed: the events are in the stream, where the mode takes no time."""

    def seconds(self) -> list[float]:
        """Those of each operator."""
        return min(self._taken, key=sum)


class _Count(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts what each operator does, and marks it for the record of memory."""

    def __init__(self, places: Places) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[Operator] = []
        self._places = places

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        from torch.profiler import record_function

        named = kwargs or {}
        with record_function(f"{MARK}{len(self.seen)}"):
            out = func(*args, **named)
        name = func.overloadpacket.__name__
        given = list(tensors([*args, *named.values()]))
        old = {each.untyped_storage().data_ptr() for each in given}
        new = [each for each in tensors([out]) if each.untyped_storage().data_ptr() not in old]
        looks = not new and func.is_view
        moved = 0 if looks else sum(held_bytes(each) for each in [*given, *tensors([out])])
        made = sum(int(each.untyped_storage().nbytes()) for each in new)
        counted = operations(func, args, named, out)
        kind = kind_of(name, *self._places.now())
        self.seen.append(Operator(name, kind, counted, moved, made, tokens(name, args)))
        return out


@dataclass(frozen=True)
class Memory:
    """Bytes held beyond those at the beginning: while each operator ran, at most, and in all."""

    held: tuple[int, ...]
    peak: int


def _counted(call: Callable[[], Any], places: Places, device: str) -> tuple[list[Operator], Memory]:
    with _recorded() as events, places.watched(), (count := _Count(places)):
        call()
    return count.seen, replayed(events, len(count.seen), device)


@contextmanager
def _recorded() -> Iterator[list[Any]]:
    """What the allocator gives and takes back on this thread, in order, with marks between.

    It is the recorder under ``torch.autograd.profiler_legacy``: that of ``torch.profiler`` has the
    same events, but without an order among those of one microsecond, and it writes to the terminal.
    """
    from torch._C import _autograd as recorder
    from torch._C._profiler import ProfilerConfig, ProfilerState, _ExperimentalConfig

    found: list[Any] = []
    told = (ProfilerState.CPU, False, True, False, False, False)  # memory, and nothing else
    recorder._enable_profiler_legacy(ProfilerConfig(*told, _ExperimentalConfig()))  # noqa: SLF001
    try:
        yield found
    finally:
        for events in recorder._disable_profiler_legacy():  # noqa: SLF001
            found.extend(events)


def replayed(events: Sequence[Any], operators: int, device: str) -> Memory:
    """The bytes held over the events of a record."""
    on_cuda = device.startswith("cuda")
    held, inside, live, peak, open_marks = [0] * operators, -1, 0, 0, []
    for event in events:
        kind = event.kind()
        if kind == "push":
            name = event.name()
            open_marks.append(name)
            if name.startswith(MARK):
                inside = int(name[len(MARK) :])
                held[inside] = live
        elif kind == "pop" and open_marks:
            if open_marks.pop().startswith(MARK):
                inside = -1
        elif kind == "memory_alloc":
            live += event.cuda_memory_usage() if on_cuda else event.cpu_memory_usage()
            peak = max(peak, live)
            if inside >= 0:
                held[inside] = max(held[inside], live)
    return Memory(tuple(held), peak)
