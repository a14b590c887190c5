"""The order of steps over many jobs, so that a component is loaded once for all that need it.

To load a component as seldom as possible under a bound on the values between is hard in general (it
contains scheduling with set-up times), so this is a greedy rule with two parts. It stays with the
components that are loaded as long as any step is ready for them and its result has room. When none
is, it turns to the components with which most can be done at once, preferring those for which no
further step can become ready elsewhere. Where room for values ends, it compares: to write values
that are needed last to disk and read them back, or to go on with steps that use values up, at the
price of loading components again later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class OrderError(ValueError):
    """The steps cannot be put in any order."""


@dataclass(frozen=True, slots=True)
class Task:
    """A step of a job. ``needs`` are the components it needs at once, ``after`` the tasks whose
    values it reads, ``result`` the bytes of its own value, which is held until the last reader is
    done. A task with a higher ``priority`` goes first."""

    id: str
    job: str
    needs: frozenset[str] = frozenset()
    after: tuple[str, ...] = ()
    result: int = 0
    seconds: float = 0.0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of host memory for values, and bytes per second at which they go to disk and back (0:
    they may not). ``patience``: seconds of work of lower priority that may be done before work of a
    higher one, where that saves a load."""

    values: int
    disk: float = 0.0
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """Tasks in order. ``spilled`` are those whose values go to disk, ``loads`` counts how often
    each component is loaded, ``peak`` is the most bytes of values in memory, ``overtaken`` the most
    seconds of work of lower priority that were done while a task of a higher one was ready."""

    tasks: tuple[str, ...]
    spilled: tuple[str, ...]
    loads: Mapping[str, int]
    peak: int
    overtaken: float


@dataclass(slots=True, eq=False)
class _State:
    """Where an order stands. ``open`` counts what each task still waits for, ``readers`` who still
    reads its value, ``ready`` are tasks by the components they need."""

    tasks: Mapping[str, Task]
    rank: Mapping[str, int]
    users: Mapping[str, list[str]]
    open: dict[str, int]
    readers: dict[str, int]
    ready: dict[frozenset[str], dict[str, None]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    spilled: dict[str, None] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    loads: dict[str, int] = field(default_factory=dict)
    loaded: frozenset[str] = frozenset()
    peak: int = 0
    overtook: dict[int, float] = field(default_factory=dict)


def arrange(
    tasks: Sequence[Task], room: Room, seconds: Mapping[str, float], together: int = 1
) -> Order:
    """Put tasks in an order. ``seconds`` is what it takes to load each component; ``together``
    components can be loaded at the same time.

    Tasks that are alike keep the order in which they were given. If the values do not fit and may
    not go to disk, the order goes on with what uses the least, so ``peak`` may be above the room:
    the caller sees it there.

    Raises:
        OrderError: a task reads one that does not exist, a name is given twice, or there is a
        cycle.
    """
    state = _begin(tasks)
    while len(state.done) < len(tasks):
        if not state.ready:
            left = sorted(set(state.tasks) - set(state.done), key=state.rank.__getitem__)
            raise OrderError(f"Task {left[0]!r} waits for itself.")
        _make(state, _next(state, room, seconds), room, together)
    overtaken = max(state.overtook.values(), default=0.0)
    return Order(tuple(state.done), tuple(state.spilled), state.loads, state.peak, overtaken)


def _begin(tasks: Sequence[Task]) -> _State:
    known = {task.id: task for task in tasks}
    if len(known) < len(tasks):
        raise OrderError("Two tasks have the same name.")
    users: dict[str, list[str]] = {name: [] for name in known}
    for task in tasks:
        for source in dict.fromkeys(task.after):
            if source not in known:
                raise OrderError(f"Task {task.id!r} reads {source!r}, which does not exist.")
            users[source].append(task.id)
    state = _State(
        tasks=known,
        rank={task.id: n for n, task in enumerate(tasks)},
        users=users,
        open={task.id: len(set(task.after)) for task in tasks},
        readers={name: len(found) for name, found in users.items()},
    )
    for task in tasks:
        if not state.open[task.id]:
            state.ready.setdefault(task.needs, {})[task.id] = None
    return state


def _next(state: _State, room: Room, seconds: Mapping[str, float]) -> str:
    """The task to be done next."""
    groups = _allowed(state, room)
    here = [needs for needs in groups if needs <= state.loaded]
    fitting = [task for needs in here for task in groups[needs] if _fits(state, task, room)]
    if fitting:
        return min(fitting, key=lambda name: (_growth(state, name) > 0, state.rank[name]))
    if here:
        stay = min((task for needs in here for task in groups[needs]), key=state.rank.__getitem__)
        if _spill_seconds(state, stay, room) <= _again_seconds(state, groups, here, seconds):
            return stay
    return _turn(state, groups, room, seconds)


def _allowed(state: _State, room: Room) -> dict[frozenset[str], list[str]]:
    """The ready tasks that priorities allow: those of the highest, and of a lower one as long as
    nothing higher has been made to wait longer than the room's patience."""
    tasks = state.tasks
    highest = max(tasks[name].priority for group in state.ready.values() for name in group)
    waited = state.overtook.get(highest, 0.0)
    found: dict[frozenset[str], list[str]] = {}
    for needs, group in state.ready.items():
        allowed = [
            name
            for name in group
            if tasks[name].priority == highest
            or (needs <= state.loaded and waited + tasks[name].seconds <= room.patience)
        ]
        if allowed:
            found[needs] = allowed
    return found


def _growth(state: _State, name: str) -> int:
    """Bytes of values that a task adds, less those that it uses up."""
    task = state.tasks[name]
    freed = sum(
        state.held.get(source, 0) for source in set(task.after) if state.readers[source] == 1
    )
    return (task.result if state.readers[name] else 0) - freed


def _fits(state: _State, name: str, room: Room) -> bool:
    """Whether a task's result and the values it reads fit beside the values that are held."""
    back = sum(state.tasks[s].result for s in set(state.tasks[name].after) if s in state.spilled)
    more = state.tasks[name].result + back
    if _growth(state, name) > 0:  # else nothing that reads it could be done any more
        more += max((state.tasks[user].result for user in state.users[name]), default=0)
    return sum(state.held.values()) + more <= room.values


def _spill_seconds(state: _State, name: str, room: Room) -> float:
    """Seconds to write what is too much to disk, and to read it back."""
    if not room.disk:
        return math.inf
    more = sum(state.held.values()) + state.tasks[name].result - room.values
    return 2 * more / room.disk


def _again_seconds(
    state: _State,
    groups: Mapping[frozenset[str], list[str]],
    here: Sequence[frozenset[str]],
    seconds: Mapping[str, float],
) -> float:
    """Seconds to load again, later, what is left now with work to do, and to load what frees
    room."""
    others = [sum(seconds.get(c, 0.0) for c in needs) for needs in groups if needs not in here]
    left = {component for needs in here for component in needs}
    return sum(seconds.get(c, 0.0) for c in left) + min(others, default=math.inf)


def _turn(
    state: _State,
    groups: Mapping[frozenset[str], list[str]],
    room: Room,
    seconds: Mapping[str, float],
) -> str:
    """The first task of the group to turn to: one that fits, and can be done in whole without
    filling the room; whose components nobody who is not ready will need; with most tasks, and
    cheapest to load."""
    later: dict[str, int] = {}
    for name, waits in state.open.items():
        if waits:
            for component in state.tasks[name].needs:
                later[component] = later.get(component, 0) + 1
    full = not any(_fits(state, task, room) for tasks in groups.values() for task in tasks)

    free = room.values - sum(state.held.values())

    def worth(needs: frozenset[str]) -> tuple[bool, int, bool, bool, int, float, int]:
        tasks = groups[needs]
        first = min(tasks, key=state.rank.__getitem__)
        growth = min(_growth(state, task) for task in tasks)
        whole = sum(_growth(state, task) for task in tasks)
        return (
            not full and not any(_fits(state, task, room) for task in tasks),
            growth if full else 0,
            not room.disk and whole > free,
            any(later.get(component) for component in needs),
            -len(tasks),
            sum(seconds.get(component, 0.0) for component in needs - state.loaded),
            state.rank[first],
        )

    tasks = groups[min(groups, key=worth)]
    return min(tasks, key=lambda n: (not _fits(state, n, room), _growth(state, n), state.rank[n]))


def _make(state: _State, name: str, room: Room, together: int) -> None:
    """Do a task: load, make room, hold its result, let go of what nobody reads any more."""
    task = state.tasks[name]
    _overtake(state, task)
    missing = task.needs - state.loaded
    for component in sorted(missing):
        state.loads[component] = state.loads.get(component, 0) + 1
    if missing:
        spare = sorted(state.loaded - task.needs)[: max(0, together - len(task.needs))]
        state.loaded = task.needs | set(spare)
    sources = set(task.after)
    for source in sources & set(state.spilled):
        state.held[source] = state.tasks[source].result
    result = task.result if state.readers[name] else 0
    if room.disk:
        _spill(state, task.result, sources, room)
    state.peak = max(state.peak, sum(state.held.values()) + task.result)
    if result:
        state.held[name] = result
    for source in sources:
        state.readers[source] -= 1
        if not state.readers[source] or source in state.spilled:
            state.held.pop(source, None)
    state.done.append(name)
    group = state.ready[task.needs]
    del group[name]
    if not group:
        del state.ready[task.needs]
    for user in state.users[name]:
        state.open[user] -= 1
        if not state.open[user]:
            state.ready.setdefault(state.tasks[user].needs, {})[user] = None


def _overtake(state: _State, task: Task) -> None:
    """Note that all who are ready with a higher priority wait for this task; who has the highest of
    all has waited for nobody since."""
    waiting = {state.tasks[name].priority for group in state.ready.values() for name in group}
    for priority in waiting:
        if priority > task.priority:
            state.overtook[priority] = state.overtook.get(priority, 0.0) + task.seconds


def _spill(state: _State, more: int, reads: set[str], room: Room) -> None:
    """Write values to disk, those of the last tasks first, until there is room for ``more``."""
    order = sorted(state.held, key=lambda name: (-state.rank[name], name))
    for name in order:
        if sum(state.held.values()) + more <= room.values:
            return
        if name not in reads:
            del state.held[name]
            state.spilled[name] = None
