"""Which frame is due when."""

from hypothesis import given
from hypothesis import strategies as st

from app.viewer.playhead import Playhead, time_words


def test_it_goes_on_by_the_clock_and_stays_at_the_end():
    head = Playhead(10, 25.0, 4, 100.0, False)
    assert [head.due(100 + t) for t in (0, 0.039, 0.04, 0.1, 9)] == [4, 4, 5, 6, 9]
    assert head.is_last(9)
    assert head.due(90) == 4


def test_where_it_loops_the_first_comes_behind_the_last():
    head = Playhead(10, 10.0, 8, 0.0, True)
    assert [head.frame(head.due(t)) for t in (0.1, 0.2, 1.2)] == [9, 0, 0]
    assert not head.is_last(9)


@given(st.integers(1, 1000), st.floats(0.1, 1000), st.integers(0, 50), st.floats(0, 1e4))
def test_it_never_is_more_than_half_a_second_ahead_of_what_is_shown(count, rate, shown, later):
    head = Playhead(count, rate, shown, 0.0, True).held(shown, later)
    assert head.due(later) - shown <= max(1, int(rate / 2))


def test_times_are_written_to_the_thousandth():
    assert [time_words(t) for t in (0, 4.25, 59.9996, 3723.5)] == [
        "0:00.000", "0:04.250", "1:00.000", "1:02:03.500",
    ]  # fmt: skip
