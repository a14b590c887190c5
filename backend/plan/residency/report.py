"""The plan as data: what is done when, what it costs, or why it does not fit and what would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backend.plan.residency.bound import Bound
from backend.plan.residency.machine import Event, Machine
from backend.plan.residency.model import Budget, Course, Trace

Kind = Literal["read", "load", "stream", "keep", "evict", "drop", "use"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done from ``start`` to ``end`` (seconds from the beginning).

    ``read``: from disk to host memory. ``load``: to the device, to stay for more than one block's
    compute; ``stream``: to the device for one block's compute only. ``keep``: stays on the device
    between its first and its last use. ``evict`` and ``drop``: leaves the device, leaves the host.
    ``use``: a step computes, from its first block to its last. ``what`` is the piece or the step;
    ``after`` is the number of blocks that have been started when it is given.
    """

    kind: Kind
    what: str
    start: float
    end: float
    nbytes: int
    after: int


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a trace does not run: ``sentence`` says where, ``cures`` what would help, ``needs`` is
    the smallest budget that runs it."""

    sentence: str
    cures: tuple[str, ...]
    needs: Budget


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done, in the order in which it is given, and what it comes to.

    ``seconds`` are those from start to end: ``compute`` and, exposed, ``waiting``. Peaks include
    activations on the device and values on the host. ``copied`` bytes go to the device, ``read``
    bytes come from disk. ``bound`` is what no plan can beat. A plan with a ``misfit`` has no
    actions.
    """

    policy: str
    actions: tuple[Action, ...]
    seconds: float
    compute: float
    waiting: float
    device_peak: int
    host_peak: int
    copied: int
    read: int
    bound: Bound
    misfit: Misfit | None = None

    @property
    def fits(self) -> bool:
        """Whether it runs within the budget."""
        return self.misfit is None


def told(trace: Trace, machine: Machine, policy: str, limit: Bound) -> Plan:
    """The plan that a machine has run; it must have recorded its events."""
    return Plan(
        policy,
        tuple(_actions(trace, machine)),
        machine.ended,
        machine.course.compute,
        machine.waiting,
        machine.device_peak,
        machine.host_peak,
        machine.copied,
        machine.read_bytes,
        limit,
    )


def unfit(course: Course, misfit: Misfit) -> Plan:
    """The plan of what does not run."""
    return Plan("", (), 0.0, course.compute, 0.0, 0, 0, 0, 0, Bound(0.0, 0, 0), misfit)


def find_misfit(trace: Trace, course: Course, budget: Budget) -> Misfit | None:
    """Why a course does not run within a budget, or ``None`` if it does."""
    needs = Budget(course.least_device, course.least_host)
    if budget.device >= needs.device and budget.host >= needs.host:
        return None
    if budget.device >= needs.device:
        return _host_misfit(course, budget, needs)
    i = max(range(course.size + 1), key=lambda i: course.needed[i] + course.activation[i])
    need = course.needed[i] + course.activation[i]
    over = needs.device - budget.device
    if need < needs.device:
        sentence = f"What is on the device at the beginning takes {size(needs.device)}"
        cures = ["unload some of it first"]
    else:
        names = " and ".join(course.names[p] for p in course.sets[i])
        sentence = (
            f"Step {trace.uses[course.uses[i]].id!r} needs {size(need)} on the device at once, "
            f"{size(course.needed[i])} for {names or 'no piece'} and {size(course.activation[i])} "
            "to compute in"
        )
        cures = []
        if course.activation[i] >= over:
            cures.append(
                f"compute in {size(course.activation[i] - over)} or less there (smaller tiles, a "
                "smaller batch or picture)"
            )
        if course.needed[i] >= over:
            cures.append(f"pieces smaller by {size(over)} (fewer bits per weight, smaller blocks)")
    cures.append(f"a device budget of {size(needs.device)}")
    return Misfit(f"{sentence}; the budget is {size(budget.device)}.", tuple(cures), needs)


def _host_misfit(course: Course, budget: Budget, needs: Budget) -> Misfit:
    rest = needs.host - course.values
    sentence = (
        f"Host memory must hold {size(course.values)} of values and {size(rest)} of weights at "
        f"once; the budget is {size(budget.host)}."
    )
    cures = [f"a host budget of {size(needs.host)}"]
    if course.values:
        cures.insert(0, "fewer values at once (a smaller batch, or values kept on disk)")
    return Misfit(sentence, tuple(cures), needs)


def size(nbytes: int) -> str:
    """Bytes in words, in GiB, MiB or KiB, never rounded down."""
    if nbytes < 1 << 20:
        return f"{-(-nbytes // (1 << 10))} KiB"
    if nbytes >= 1 << 30:
        return f"{-(-nbytes * 100 // (1 << 30)) / 100:.2f} GiB"
    return f"{-(-nbytes * 10 // (1 << 20)) / 10:.1f} MiB"


def _actions(trace: Trace, machine: Machine) -> list[Action]:
    course, events = machine.course, machine.events or []
    spans = _stays(course, events)
    found: list[Action] = []
    last = 0
    for n, event in enumerate(events):
        if event.kind == "use":
            last = _use(found, trace, course, event, last)
            continue
        name = course.names[event.number]
        nbytes = (course.host if event.kind in ("read", "drop") else course.nbytes)[event.number]
        kind: Kind = event.kind
        if n in spans:
            uses, first, end = spans[n]
            kind = "stream" if uses == 1 else "load"
        found.append(Action(kind, name, event.start, event.end, nbytes, event.touch))
        if n in spans and spans[n][0] > 1:
            found.append(Action("keep", name, first, end, nbytes, event.touch))
    return found


def _use(found: list[Action], trace: Trace, course: Course, event: Event, last: int) -> int:
    """Add a block's compute, to that of its step if nothing but memory work lay between. ``last``
    is where the compute before it stands; where this one stands is given back."""
    u = course.uses[event.number]
    name = trace.uses[u].id
    if event.number > 1 and course.uses[event.number - 1] == u:
        before = found[last]
        found[last] = Action("use", name, before.start, event.end, 0, before.after)
        return last
    found.append(Action("use", name, event.start, event.end, 0, event.touch))
    return len(found) - 1


def _stays(course: Course, events: Sequence[Event]) -> dict[int, tuple[int, float, float]]:
    """For each load: the number of uses until the piece leaves, the end of the first and of the
    last one."""
    loaded: dict[int, int] = {}
    found: dict[int, tuple[int, float, float]] = {}
    for n, event in enumerate(events):
        if event.kind == "load":
            loaded[event.number] = n
            found[n] = (0, event.end, event.end)
        elif event.kind == "use":
            for p in course.sets[event.number]:
                if p in loaded:
                    uses, first, _ = found[loaded[p]]
                    found[loaded[p]] = (uses + 1, first if uses else event.end, event.end)
    return found
