"""The bound where it can be told by hand."""

from __future__ import annotations

import pytest

from backend.plan.residency.bound import bound, must_move
from backend.plan.residency.model import Budget, Link, Piece, Trace, Use, lay_out

LINK = Link(100.0)


def course(sizes, order, seconds=1.0, activation=0):
    pieces = tuple(Piece(name, size) for name, size in sizes.items())
    uses = tuple(Use(f"{n}", ((name,),), seconds, activation) for n, name in enumerate(order))
    return lay_out(Trace(pieces, uses))


def test_every_byte_that_is_used_is_moved_once():
    made = course({"a": 100, "b": 200, "c": 50}, "abab")
    limit = bound(made, Budget(1000, 1000), LINK)
    assert (limit.copied, limit.read) == (300, 300)
    assert limit.waiting == pytest.approx(2.0)  # 1 s for a, then 1 s of b's 2 s behind a's compute


def test_what_does_not_fit_beside_the_rest_is_moved_again():
    made = course({"a": 100, "b": 100, "c": 100}, "abcabc")
    assert must_move(made, made.nbytes, [200] * 7, 0, ()) == [0, 100, 200, 300, 300, 400, 400]
    assert must_move(made, made.nbytes, [300] * 7, 0, ())[-1] == 300
    assert must_move(made, made.nbytes, [250] * 7, 0, ())[-1] == 350  # half of one may stay


def test_windows_that_begin_later_choose_what_is_there():
    made = course({"a": 100, "b": 100, "c": 100}, "abcabc")
    assert must_move(made, made.nbytes, [200] * 7, 2, ()) == [0, 0, 100, 100, 200]


def test_room_for_a_block_and_a_half_is_room_for_one():
    made = course({"a": 100, "b": 100, "c": 100}, "abcabc")
    assert bound(made, Budget(299, 300), LINK).copied == 400


def test_beside_a_touch_that_fills_the_device_nothing_can_be_moved():
    made = course({"a": 100, "b": 100}, "abab", seconds=5.0)
    assert bound(made, Budget(199, 1000), LINK).waiting == pytest.approx(4.0)
    assert bound(made, Budget(200, 1000), LINK).waiting == pytest.approx(1.0)


def test_what_lies_on_the_host_need_not_be_read_and_on_the_device_not_be_copied():
    pieces = (Piece("a", 100), Piece("b", 100))
    uses = (Use("1", (("a",), ("b",)), 1.0),)
    made = lay_out(Trace(pieces, uses, on_device=("a",), on_host=("b",)))
    limit = bound(made, Budget(200, 200), Link(100.0, 1.0))
    assert (limit.copied, limit.read) == (100, 0)
    assert limit.waiting == pytest.approx(0.5)


def test_fewer_windows_never_give_more():
    made = course({"a": 100, "b": 70, "c": 130, "d": 40}, "abcdacbdabcd", seconds=0.3)
    budget, link = Budget(230, 400), Link(100.0, 60.0)
    whole = bound(made, budget, link).waiting
    for starts in ((), (3,), (2, 5, 9)):
        assert bound(made, budget, link, starts).waiting <= whole
