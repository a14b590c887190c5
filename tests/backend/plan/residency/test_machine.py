"""The judge: its clock, and what it refuses."""

from __future__ import annotations

import pytest

from backend.plan.residency.machine import BrokenPlan, Machine
from backend.plan.residency.model import Budget, Link, Piece, Trace, Use, lay_out

PIECES = (Piece("a", 4), Piece("b", 6))
USES = (Use("one", (("a",),), 3.0, 1), Use("two", (("b",),), 5.0, 2))


def machine(device=12, host=10, disk=1.0, uses=USES):
    return Machine(lay_out(Trace(PIECES, uses)), Budget(device, host), Link(2.0, disk), record=True)


def test_reading_copying_and_computing_overlap():
    m = machine()
    m.read(0)  # 0 to 4 s at 1 byte per second
    m.read(1)  # 4 to 10 s
    m.copy(0)  # follows its read: ends with it
    m.use()  # 4 to 7 s
    m.copy(1)
    m.use()  # 10 to 15 s
    assert [(e.kind, e.start, e.end) for e in m.events] == [
        ("read", 0, 4), ("read", 4, 10), ("load", 2, 4), ("use", 4, 7), ("load", 7, 10),
        ("use", 10, 15),
    ]  # fmt: skip
    assert (m.waiting, m.ended, m.copied, m.read_bytes) == (7, 15, 10, 10)
    assert (m.device_peak, m.host_peak) == (12, 10)


def test_a_copy_waits_for_the_room_that_the_touch_before_it_holds():
    m = machine(device=8, disk=float("inf"))
    m.read(0)
    m.read(1)
    m.copy(0)
    m.use()  # 2 to 5 s
    m.evict(0)
    m.copy(1)  # there is room from 5 s
    m.use()
    assert (m.waiting, m.device_peak) == (5, 8)


def test_what_is_not_there_cannot_be_used_nor_copied():
    m = machine()
    with pytest.raises(BrokenPlan, match="'a', which is not loaded"):
        m.use()
    with pytest.raises(BrokenPlan, match="'a' is loaded though it is not in host memory"):
        m.copy(0)


def test_budgets_hold():
    m = machine(device=11)
    m.read(0)
    m.read(1)
    m.copy(0)
    m.use()
    m.copy(1)
    with pytest.raises(BrokenPlan, match="1 bytes too much on the device after touch 1"):
        m.use()
    m = machine(host=9)
    m.read(0)
    with pytest.raises(BrokenPlan, match="No room in host memory to read 'b'"):
        m.read(1)


def test_nothing_leaves_while_it_is_on_its_way():
    m = machine()
    m.read(0)
    with pytest.raises(BrokenPlan, match="'a' is dropped while it is being read"):
        m.drop(0)
    m = machine()
    m.read(0)
    m.copy(0)
    with pytest.raises(BrokenPlan, match="'a' is evicted while it is being loaded"):
        m.evict(0)
    m.drop(0)  # at the end of the copy


def test_nothing_is_moved_twice_or_evicted_twice():
    m = machine()
    m.read(0)
    with pytest.raises(BrokenPlan, match="is read though"):
        m.read(0)
    m.copy(0)
    with pytest.raises(BrokenPlan, match="though it is on the device"):
        m.copy(0)
    for act in (m.evict, m.drop):
        with pytest.raises(BrokenPlan, match="'b' is"):
            act(1)
