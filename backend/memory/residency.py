"""Which parts of which networks are loaded, now: the one owner of the device's memory for weights.

A thread of its own reads, in the order of a plan (`course`), while the thread that computes goes
on. That one stops before each block until the block is there. The plan is followed by counting the
blocks that have begun, never by a clock. Where reality differs (another block than expected, more
calls than told), what is needed is loaded at once, the parts that are needed last make room, and
the rest of the step is planned anew.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from backend.memory.copies import Copies
from backend.memory.course import Host, Visit, lay
from backend.memory.errors import NoRoom
from backend.memory.gates import Gates
from backend.memory.orders import Orders
from backend.memory.parts import Check, Network, Part, Weights, Whole, divide
from backend.memory.passes import Passes
from backend.memory.reader import Reader
from backend.memory.room import Room
from backend.plan.residency.report import size

BANDWIDTH = 2e9
"""Bytes per second at which weights are taken to be read until some have been."""
POLL = 0.05
"""Seconds between two looks at whether a wait was cancelled."""
PASSES = 8
"""How often a network is taken to be called where nobody said."""


def go_on() -> None:
    """The check of who cannot be cancelled."""


def _keep(nbytes: int) -> None:
    """What is told to nobody."""


class Residency:
    """Loads and evicts parts under a budget. One thread computes at a time; any may ask.

    ``waited`` are the seconds in which computing waited for weights and ``loaded`` the bytes that
    came, from the beginning; ``copies`` says what of it was read. ``short`` are the bytes that the
    step is thought to compute in beyond what its largest block leaves of the budget.
    """

    def __init__(self, budget: int, trim: Callable[[int], None] = _keep, host: int = 0) -> None:
        """``budget`` is in bytes, for weights and what steps compute in. ``trim`` is told how many
        bytes of buffers may be kept for what is read next. ``host`` are the bytes of host memory
        in which parts may stay that come back to a device with memory of its own."""
        self.waited = 0.0
        self.short = 0
        self.loaded = 0
        self._trim = trim
        self._room = Room(budget, trim)
        self._open = False
        self._step: tuple[Visit, ...] = ()
        self._later: tuple[Visit, ...] = ()
        self._planned: frozenset[str] = frozenset()
        self._clock = 0
        self._in_step: dict[str, Network] = {}
        self._gates = Gates(self._begin)
        self._passes = Passes()
        self._lock = threading.Condition()
        self.copies = Copies(host, self._distance, self._lock)
        self._orders = Orders(self._room, self.copies, self._distance, self._is_held)
        self._bandwidth = BANDWIDTH
        self._check: Check = go_on
        self._closed = self._reading = False
        self._reader = Reader(self._next, self.copies.fetch, self._arrived, self._failed)

    # Who is looked after

    def add(
        self, key: str, module: Any, weights: Weights, beside: int = 0, title: str = ""
    ) -> None:
        """Look after a network of which nothing is loaded yet but ``beside`` bytes that are always
        there; ``title`` is what people call it."""
        network = divide(key, module, weights, beside, title or key)
        with self._lock:
            self._room.networks[key] = network
            self.copies.welcome(network)

    def add_whole(self, key: str, nbytes: int, forget: Callable[[], None], title: str = "") -> None:
        """Count something that is loaded already, and of which no part can go alone; ``forget`` is
        called when it must go, after which it is no longer looked after."""
        with self._lock:
            whole = Whole(nbytes, lambda: self._forget(key, forget))
            network = Network(key, title or key, None, whole)
            part = Part(key, "", ("",), nbytes, network, state="here")
            network.parts[""] = part
            self._room.networks[key] = network
            self._use((part,))
            self._room.make(0, self._distance, lambda p: p is part or self._is_held(p))
            self._room.note()

    def _forget(self, key: str, forget: Callable[[], None]) -> None:
        self._room.networks.pop(key, None)
        forget()

    def remove(self, key: str) -> None:
        """Look after this network no more; what is there of it goes."""
        with self._lock:
            network = self._room.networks.pop(key, None)
            if network is not None:
                self.copies.forget(network)
                for part in network.parts.values():
                    self._room.drop(part)
            self._orders.void()
            self._planned -= {key}
            self._in_step.pop(key, None)
            self._gates.lift(key)

    def make_room(self, nbytes: int) -> None:
        """Evict what is needed last until so many bytes are free, as far as that can be."""
        with self._lock:
            self._room.make(nbytes, self._distance, self._is_held)

    def knows(self, key: str) -> bool:
        """Whether something of this key is looked after."""
        with self._lock:
            return key in self._room.networks

    def clear(self) -> None:
        """Let go of all that no step computes with, of what is being read, too, and of all that is
        in host memory."""
        with self._lock:
            self._orders.void()
            self.copies.follow((), keeps=False)
            for part in list(self._room.parts()):
                if not self._open or part.network.key not in self._in_step:
                    self._room.drop(part)
            while self._reading and not self._closed:
                self._lock.wait(POLL)
            self.copies.clear()

    def close(self) -> None:
        """Let go of everything and end the thread."""
        with self._lock:
            self._closed = True
            self._end_step()
            self._lock.notify_all()
        self._reader.close()
        self.clear()

    @property
    def budget(self) -> int:
        """Bytes for weights and what steps compute in."""
        return self._room.budget

    @property
    def taken(self) -> int:
        """Bytes of all that is there or coming."""
        with self._lock:
            return self._room.taken

    @property
    def peak(self) -> int:
        """The most bytes that were there or coming at once, with what was set aside to compute."""
        with self._lock:
            return self._room.peak

    def resident(self) -> dict[str, int]:
        """Bytes that are there, and those in host memory, by what people call it."""
        with self._lock:
            held: dict[str, int] = {}
            for part in self._room.parts():
                if part.state == "here":
                    held[part.network.title] = held.get(part.network.title, 0) + part.nbytes
            waiting = self.copies.resident()
            return held | {f"{name} in host memory": size for name, size in waiting.items()}

    # What steps say

    def expect(self, step: Sequence[Visit], later: Sequence[Visit] = ()) -> None:
        """A step begins: what it visits, in order, and what the steps after it visit. Room to
        compute in is set aside from now on."""
        with self._lock:
            self._end_step()
            self._open, self._step, self._later = True, tuple(step), tuple(later)
            self.short = 0
            self._room.activation = max((visit.activation for visit in step), default=0)
        self._plan()

    def enter(self, key: str, check: Check = go_on) -> None:
        """The step computes with this from now on: what all of a network needs is there when this
        returns, and its blocks when they are called. Outside of a step all of it is there, if it
        fits.

        Raises:
            NoRoom: not even one block of it fits.
            CatalogError: its files cannot be read.
        """
        with self._lock:
            if not self._open:
                self._end_step()
                self._step, self._later = (), ()
            network = self._room.networks.get(key)
            if network is None:
                return  # it had to go, and whoever asked has it in hand
            self._check = check
            self._in_step[key] = network
            self._check_fits(network)
            network.weights.begin()
            if self._orders.now is not None and self._orders.now.network is not network:
                self._orders.release()
                self._orders.now = None
            if not any(visit.network == key for visit in self._step):
                self._step = (*self._step, Visit(key, PASSES))
            stays = network.here and network.whole_order and not self._orders.streams
            if network.module is None or stays:
                self._await(tuple(network.parts.values()))
                return
            planned = self._open and key in self._planned
        if not planned:
            self._plan()
        with self._lock:
            self._gates.lay(network)
            self._orders.count(network.rest)
            whole = not self._open and self._room.fits_alone(network.nbytes)
            self._await(tuple(network.parts.values()) if whole else (network.rest,))

    def leave(self) -> None:
        """The step is over. What is loaded stays until its room is wanted."""
        with self._lock:
            self._end_step()
            self._open, self._step, self._room.activation = False, (), 0
            self._trim(0)

    def demand(self, key: str, name: str) -> None:
        """A weight was used that is not there, outside of any block: have its part loaded, if
        there is room for it.

        Raises:
            CatalogError: its file cannot be read.
        """
        with self._lock, contextlib.suppress(NoRoom):
            network = self._room.networks.get(key)
            parts = () if network is None else network.parts.values()
            self._await(tuple(p for p in parts if name in p.names))

    def copied(self, key: str, name: str) -> Any:
        """The stored bytes of a weight, if there is a copy of them in host memory; else None.

        Raises:
            CatalogError: its file was cut, replaced or is gone.
        """
        with self._lock:
            network = self._room.networks.get(key)
            parts = () if network is None else network.parts.values()
            found = [part for part in parts if name in part.names]
        return self.copies.of(found[0], name) if found else None

    # The thread that computes

    def _begin(self, part: Part) -> None:
        """A block is called: count it, and wait until it is there."""
        orders = self._orders
        with self._lock:
            orders.release()
            self._passes.watch(part)
            orders.now = part
            again = orders.ended and part.block == part.network.order[0]
            if not orders.count(part) and not orders.ended:
                orders.void()  # another block than planned
            orders.evict()
            self._lock.notify_all()
        if again and orders.streams:
            self._plan()
            with self._lock:
                orders.count(part)
        with self._lock:
            self._await((part.network.rest, part))

    def _await(self, wanted: tuple[Part, ...]) -> None:
        self._use(wanted)
        if all(part.state == "here" for part in wanted):
            return self._put(wanted)
        begin = time.perf_counter()
        self._orders.awaited = wanted
        try:
            while not all(part.state == "here" for part in wanted):
                for part in wanted:
                    self._orders.ask(part)
                self._reader.start()
                self._lock.notify_all()
                self._lock.wait(POLL)
                self._check()
        finally:
            self._orders.awaited = ()
            spent = time.perf_counter() - begin
            self.waited += spent
            self._passes.forgive(spent)
        self._put(wanted)

    def _put(self, parts: Iterable[Part]) -> None:
        """Have what came in its network, where this thread uses it next."""
        for part in parts:
            if part.brought is not None:
                try:
                    part.network.weights.place(part.brought)
                except BaseException:
                    self._room.drop(part)  # also what was placed of it before that
                    raise
                part.brought = None

    def _use(self, parts: Iterable[Part]) -> None:
        self._clock += 1
        for part in parts:
            part.used = self._clock

    def _end_step(self) -> None:
        self._passes.end()
        self._orders.release()
        self._orders.now = None
        self._in_step.clear()
        self._check = go_on
        self._gates.clear()
        self._lock.notify_all()

    # Plans

    def _plan(self) -> None:
        """Make the plan for what is expected from here."""
        with self._lock:
            self._orders.void()
            for part in self._room.parts():
                part.error = None  # of a read ahead for an earlier plan; it is tried again
            known = self._known()
            if not known:
                return
            parts = [p for p in self._room.parts() if p.network.module is not None]
            whole = self._room.taken - sum(p.nbytes for p in parts if p.state != "absent")
            present = [p for p in parts if p.state != "absent"]
            budget, bandwidth = self.budget - whole, self._bandwidth
            host = Host(self.copies.budget, self.copies.parts)
        course = lay(known, present, budget, bandwidth, host)
        with self._lock:
            self._orders.follow(course)
            self._planned = frozenset(network.key for _, network in known)
            if course.streams:
                for network in self._in_step.values():
                    self._gates.lay(network)
            if course.orders:
                self._reader.start()
            self._lock.notify_all()

    def _known(self) -> list[tuple[Visit, Network]]:
        """The visits of networks that are looked after. What none of them needs makes room."""
        networks = self._room.networks
        visits = [v for v in (*self._step, *self._later) if v.network in networks]
        known = [(v, networks[v.network]) for v in visits if networks[v.network].module is not None]
        wanted = {network.key: network for _, network in known}
        absent = sum(
            p.nbytes for n in wanted.values() for p in n.parts.values() if p.state == "absent"
        )
        self._room.make(
            absent, self._distance, lambda p: p.network.key in wanted or self._is_held(p)
        )
        free = self.budget - max((n.least for n in wanted.values()), default=0)
        aside = max(0, min(self._room.activation, free))
        steps = len([v for v in self._step if v.network in networks])
        return [
            (replace(v, activation=aside if i < steps else min(v.activation, max(free, 0))), n)
            for i, (v, n) in enumerate(known)
        ]

    def _check_fits(self, network: Network) -> None:
        if network.module is None:
            return
        if network.least <= self.budget:
            afforded = min(self._room.activation, self.budget - network.least)
            self.short = max(self.short, self._room.activation - afforded)
            self._room.activation = afforded
            return
        blocks = network.least - network.rest.nbytes
        raise NoRoom(
            f"{network.title} needs {size(network.least)} at once ({size(blocks)} for its largest "
            f"block, {size(network.rest.nbytes)} for what lies between the blocks), but the memory "
            f"budget is {size(self.budget)}. Raise it to at least {size(network.least)}, or choose "
            "the model with fewer bits per weight."
        )

    # The thread that reads

    def _next(self) -> tuple[Part, bool] | None:
        with self._lock:
            while not self._closed:
                part = self._orders.next()
                ahead = self._orders.ahead() if part is None else None
                self._lock.notify_all()
                if part is not None:
                    self._room.take(part)
                if (found := part or ahead) is not None:
                    self._reading = True
                    return found, found is part
                self._lock.wait()
        return None

    def _arrived(self, part: Part, raws: Any | None, seconds: float) -> None:
        with self._lock:
            if part.nbytes >= 2**20 and seconds > 0:
                self._bandwidth += 0.3 * (part.nbytes / seconds - self._bandwidth)
            if raws is None:  # it stays where it is
                self._reading = False
                return self._lock.notify_all()
            spare = self._room.spare
        brought = part.network.weights.bring(raws, spare)
        with self._lock:
            self._reading = False
            if part.state == "loading":
                part.state, part.brought = "here", brought
                self.loaded += part.nbytes
            self._lock.notify_all()

    def _failed(self, part: Part, error: Exception) -> None:
        with self._lock:
            self._reading = False
            if part.state == "loading":  # else it was read ahead, and is tried again when needed
                part.state, part.error = "absent", error
            self._lock.notify_all()

    def _is_held(self, part: Part) -> bool:
        """Whether the step that runs needs a part right now."""
        in_step = part.network.key in self._in_step
        return part is self._orders.now or (part.rest and in_step) or part in self._orders.awaited

    def _distance(self, part: Part) -> tuple[int, ...]:
        """How far off the next use of a part is: the visit, the block in it, and its age."""
        keys = [visit.network for visit in (*self._step, *self._later)]
        key, order, now = part.network.key, part.network.order, self._orders.now
        at = keys.index(key) if key in keys else len(keys)
        if part.rest or part.block not in order:
            return at, len(order) if not part.rest else 0, -part.used
        # The last pass, from which the order is, need not have called the block that computes.
        here = now is not None and now.network is part.network and now.block in order
        begun = order.index(now.block) if now is not None and here else 0
        return at, (order.index(part.block) - begun) % len(order), -part.used
