"""What is loaded and evicted next: by the plan, and what is asked for beside it."""

from __future__ import annotations

from collections import deque
from functools import partial

from backend.memory.course import Course, Order
from backend.memory.errors import NoRoom
from backend.memory.parts import Part
from backend.memory.room import Held, Rank, Room
from backend.plan.residency.report import size


class Orders:
    """A plan that is followed by counting the blocks that have begun. Whoever owns it holds a lock.

    ``now`` is the block that computes, ``awaited`` are the parts that somebody waits for.
    """

    def __init__(self, room: Room, rank: Rank, held: Held) -> None:
        """``rank`` says who goes first when room must be made, ``held`` who may not go."""
        self._room, self._rank, self._held = room, rank, held
        self._course = Course((), (), streams=False)
        self._queue: deque[Order] = deque()
        self._urgent: deque[Part] = deque()
        self._leaving: set[Part] = set()
        self._begun = 0
        self.now: Part | None = None
        self.awaited: tuple[Part, ...] = ()

    @property
    def streams(self) -> bool:
        """Whether parts come and go while the plan is followed."""
        return self._course.streams

    @property
    def ended(self) -> bool:
        """Whether all blocks of the plan have begun."""
        return self._begun >= len(self._course.touches)

    def follow(self, course: Course) -> None:
        """Follow this plan from its beginning."""
        self._course, self._begun = course, 0
        self._queue = deque(course.orders)

    def void(self) -> None:
        """Follow no plan any more."""
        self._queue.clear()
        self._begun = len(self._course.touches)

    def count(self, part: Part) -> bool:
        """Note that a part has begun; whether it is the one that the plan had next."""
        touches = self._course.touches
        expected = not self.ended and touches[self._begun] is part
        self._begun += expected
        return expected

    def release(self) -> None:
        """The block that computed is over: what was to leave after it leaves."""
        for part in self._leaving:
            self._room.drop(part)
        self._leaving.clear()

    def ask(self, part: Part) -> None:
        """A part is needed now: what the plan does not bring in time is loaded at once.

        Raises:
            Exception: why it could not be read.
        """
        if part.error is not None:
            error, part.error = part.error, None
            raise error
        if part.state == "absent" and not self._is_coming(part) and part not in self._urgent:
            self._urgent.append(part)

    def next(self) -> Part | None:
        """The part to be read now, with room for it; evicts what is to be evicted before."""
        return self._from_urgent() or self._from_plan()

    def _is_coming(self, part: Part) -> bool:
        for order in self._queue:
            if order.after > self._begun:
                return False
            if order.part is part and order.kind == "load":
                return True
        return False

    def _from_urgent(self) -> Part | None:
        while self._urgent:
            part = self._urgent.popleft()
            if part.state != "absent":
                continue
            if self._make_room_for(part):
                return part
            part.error = NoRoom(
                f"There is no room for {part.id}: it takes {size(part.nbytes)}, and of the budget "
                f"of {size(self._room.budget)} this step uses {size(self._room.taken)}. Raise the "
                "budget, or make the picture or the batch smaller."
            )
        return None

    def _from_plan(self) -> Part | None:
        while self._queue and self._queue[0].after <= self._begun:
            order, part = self._queue[0], self._queue[0].part
            if order.kind == "evict":
                self._evict(part)
            elif part.state == "absent":
                fits = self._room.fits(part.nbytes)
                if not fits and not self._is_late():
                    return None
                self._queue.popleft()
                if fits or self._room.make(part.nbytes, self._rank, self._held):
                    return part
                continue
            self._queue.popleft()
        return None

    def _make_room_for(self, part: Part) -> bool:
        """Evict what is needed last. Where that is not enough and somebody waits, so that nothing
        computes: also what lies between the blocks of other networks of this step."""
        make = partial(self._room.make, part.nbytes, self._rank)
        return make(self._held) or (part in self.awaited and make(self._computes))

    def _computes(self, part: Part) -> bool:
        now = self.now
        between = part.rest and now is not None and now.network is part.network
        return part is now or between or part in self.awaited

    def _is_late(self) -> bool:
        """Whether a load whose room is not there must not wait for it: somebody waits, or all was
        to fit and nothing will leave."""
        return not self.streams or any(part.state == "absent" for part in self.awaited)

    def _evict(self, part: Part) -> None:
        if part is self.now:
            self._leaving.add(part)
        elif part.state == "here" and not self._held(part):
            self._room.drop(part)
