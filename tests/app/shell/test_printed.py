"""What the engine prints reaches the log once, and in whole lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.shell.printed import Printed, fresh

LINES = st.lists(st.text("ab\x01é ", max_size=6), max_size=30).map(
    lambda lines: "".join(f"{i} {line}\n" for i, line in enumerate(lines))
)


@given(LINES, LINES)
def test_what_is_new_is_what_came_after(before, more):
    if more:
        assert fresh(before, before + more) == more


def test_a_tail_that_has_moved_on_is_joined():
    whole = "".join(f"line {number}\n" for number in range(2000))
    before, now = whole[1000:15000], whole[9000:]
    assert fresh(before, now) == whole[15000:]


def test_another_process_begins_anew():
    assert fresh("the first\n", "the second\n") == "the second\n"


def test_only_whole_lines_are_told_and_each_once(application):
    tail = [""]
    said = []
    printed = Printed(lambda: tail[0])
    printed.came.connect(said.append)
    for text in ("", "half a li", "half a line\nand", "half a line\nand\n", "half a line\nand\n"):
        tail[0] = text
        printed.look()
    assert said == ["half a line\n", "and\n"]


@given(LINES, LINES, st.data())
def test_where_the_tail_has_moved_nothing_is_told_twice(before, more, data):
    gone = data.draw(st.integers(0, len(before)))
    assert (before + more).endswith(fresh(before, (before + more)[gone:]))
