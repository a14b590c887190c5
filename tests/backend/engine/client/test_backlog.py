"""What waits for a slow reader: in order, under a budget, the least needed left out first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.client.backlog import KEEP, Backlog, Rank, rank
from backend.engine.events import (
    Note,
    Preview,
    Progress,
    SavedFile,
    StepDone,
    StepFailed,
    StepStarted,
)
from backend.engine.wire import JobEnd, JobEvent


def everything(backlog):
    return [backlog.pop() for _ in range(len(backlog))]


messages = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 40), st.sampled_from([None, "a", "b"]))
)


@given(messages, st.integers(1, 200))
def test_order_stays_and_only_what_must_not_be_left_out_passes_the_budget(rows, budget):
    backlog: Backlog[int] = Backlog(budget)
    needed = 0
    for i, (level, size, key) in enumerate(rows):
        backlog.put(i, size, Rank(level, key if level else None))
        needed += size if level == 0 else 0
        assert backlog.nbytes <= max(budget, needed)
    left = everything(backlog)
    assert left == sorted(left)
    assert [i for i in left if rows[i][0] == 0] == [i for i, r in enumerate(rows) if r[0] == 0]
    assert backlog.nbytes == 0
    newest = {key: i for i, (level, _, key) in enumerate(rows) if key and level}
    assert all(newest[rows[i][2]] == i for i in left if rows[i][2] and rows[i][0])


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=60))
def test_taking_between_putting_loses_nothing_within_the_budget(acts):
    backlog: Backlog[int] = Backlog(10**6)
    put, got = [], []
    for i, level in enumerate(acts):
        if level is None:
            got += [backlog.pop()] if len(backlog) else []
        else:
            backlog.put(i, 10, Rank(level))
            put.append(i)
    assert got + everything(backlog) == put
    assert backlog.dropped == 0


def test_pictures_go_first_then_progress_then_turns_then_steps():
    backlog: Backlog[str] = Backlog(60)
    events = {
        "failed": StepFailed("s", "no"),
        "done": StepDone("s", False, 1.0, {}),
        "turn": StepStarted("s", (1,)),
        "progress": Progress("s", 1, 2),
        "preview": Preview("s", b"x"),
    }
    for name, event in events.items():
        backlog.put(name, 10, rank(JobEvent("job", event)))
    for left in (["failed", "done", "turn", "progress"], ["failed", "done", "turn"]):
        backlog.put("kept", 70 - backlog.nbytes, KEEP)
        assert [each for each in everything(backlog) if each != "kept"] == left
        for name in left:
            backlog.put(name, 10, rank(JobEvent("job", events[name])))


@pytest.mark.parametrize(
    "event", [StepFailed("s", "no"), Note("s", "so"), SavedFile("s", "p", "h")]
)
def test_what_happened_once_is_never_left_out(event):
    assert rank(JobEvent("job", event)) == KEEP
    assert rank(JobEnd("job", "done")) == KEEP
