"""What is loaded and evicted next: by the plan, and what is asked for beside it."""

from __future__ import annotations

from collections import deque
from functools import partial

from backend.memory.copies import Copies
from backend.memory.course import Course, Order
from backend.memory.errors import NoRoom
from backend.memory.parts import Part
from backend.memory.room import Held, Rank, Room
from backend.plan.residency.report import size


class Orders:
    """A plan that is followed by counting the blocks that have begun. Whoever owns it holds a lock.

    ``now`` is the block that computes, ``awaited`` are the parts that somebody waits for.
    """

    def __init__(self, room: Room, copies: Copies, rank: Rank, held: Held) -> None:
        """``rank`` says who goes first when room must be made, ``held`` who may not go."""
        self._room, self._copies, self._rank, self._held = room, copies, rank, held
        self._course = Course((), (), streams=False)
        self._queue: deque[Order] = deque()
        self._reads: deque[Order] = deque()
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
        self._queue = deque(order for order in course.orders if order.kind != "read")
        self._reads = deque(order for order in course.orders if order.kind == "read")
        self._copies.follow(course.copies, course.keeps)

    def void(self) -> None:
        """Follow no plan any more."""
        self._queue.clear()
        self._reads.clear()
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

    def evict(self) -> None:
        """Let go of what is due to leave, also before loads that come first but take long: what
        computes is known to be over with it now."""
        kept: list[Order] = []
        while self._queue and self._queue[0].after <= self._begun:
            order = self._queue.popleft()
            loads = order.kind == "load" or order.part.state == "loading"
            if loads or any(each.part is order.part for each in kept):
                kept.append(order)
            else:
                self._leave(order)
        self._queue.extendleft(reversed(kept))

    def ask(self, part: Part) -> None:
        """A part is needed now: what the plan does not bring in time is loaded at once.

        Raises:
            Exception: why it could not be read.
        """
        if part.error is not None:
            error, part.error = part.error, None
            try:
                raise error
            finally:
                del error  # or it keeps what its frames hold, until the collector comes by
        if part.state == "absent" and not self._is_coming(part) and part not in self._urgent:
            self._urgent.append(part)

    def next(self) -> Part | None:
        """The part to be read now, with room for it; evicts what is to be evicted before."""
        return self._from_urgent() or self._from_plan()

    def ahead(self) -> Part | None:
        """The part to be read into host memory now, while none is to be read for the device."""
        while self._reads and self._reads[0].after <= self._begun:
            part = self._reads[0].part
            if not self._copies.want(part):
                if not self._copies.fits(part):
                    return None
                self._reads.popleft()
                return part
            self._reads.popleft()
        return None

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
            if order.kind != "load":
                self._leave(order)
            elif part.state == "absent":
                fits = self._room.fits(part.nbytes)
                if not fits and not self._is_late():
                    return None
                self._queue.popleft()
                self._read_now(part)
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

    def _read_now(self, part: Part) -> None:
        """A part is loaded: was it to be read before, that happens with it."""
        if self._copies.is_wanted(part):
            return
        self._copies.want(part)
        found = next((n for n, order in enumerate(self._reads) if order.part is part), None)
        if found is not None:
            del self._reads[found]

    def _leave(self, order: Order) -> None:
        if order.kind == "drop":
            self._copies.release(order.part)
        else:
            self._evict(order.part)

    def _evict(self, part: Part) -> None:
        if part is self.now:
            self._leaving.add(part)
        elif part.state == "here" and not self._held(part):
            self._room.drop(part)
