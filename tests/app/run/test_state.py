"""How what a run says changes steps, told as one would see it on a node."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.run.board import Board, Live, Origin
from app.run.costs import Costs
from app.run.going import Going
from app.run.state import IDLE, OVER, JobView, NodeRun, after, queued, stopped, together
from app.run.timeline import Timeline
from backend.engine.events import (
    Event,
    KeptFile,
    Note,
    Preview,
    Progress,
    RunFinished,
    RunStarted,
    SavedFile,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from backend.graph.document import Workflow


def told(*events: Event, run: NodeRun = IDLE, usual: float | None = None) -> NodeRun:
    """A step after events that come one second after another, the first at 100."""
    steps = enumerate(events, 100)
    return reduce(lambda run, at: after(run, at[1], float(at[0]), usual), steps, run)


def test_a_sampler_counts_up_shows_pictures_and_is_done():
    begun = told(StepStarted("s"), Progress("s", 7, 28), Preview("s", b"jpeg"))
    assert (begun.status, begun.share, begun.preview) == ("running", 0.25, b"jpeg")
    done = told(StepDone("s", False, 2.5, {"latent": "64 x 48"}), run=begun)
    assert (done.status, done.seconds, done.share) == ("done", 2.5, 1.0)
    assert done.outputs == {"latent": "64 x 48"}
    assert done.preview == b"jpeg"
    assert done.left is None


def test_time_left_is_by_what_is_usual_until_there_is_a_pace():
    begun = told(StepStarted("s"), usual=8.0)
    assert begun.left == 8.0
    assert told(StepStarted("s"), Progress("s", 0, 4), usual=8.0).left == 7.0
    assert told(StepStarted("s"), Progress("s", 1, 4), usual=8.0).left == 3.0
    assert told(StepStarted("s"), Progress("s", 0, 4)).left is None


def test_from_the_cache_costs_nothing_and_keeps_its_files():
    run = told(KeptFile("s", "a.png", "1"), StepDone("s", True, 0.0, {}))
    assert (run.status, run.seconds, run.saved) == ("cached", 0.0, ("a.png",))


def test_a_note_makes_done_degraded_but_not_what_came_from_the_cache():
    note = Note("s", "In tiles of 512.")
    run = told(StepStarted("s"), note, StepDone("s", False, 2.0, {}))
    assert (run.status, run.note) == ("degraded", "In tiles of 512.")
    assert told(note, StepDone("s", True, 0.0, {})).status == "cached"


def test_a_failure_keeps_its_sentence_and_trace():
    run = told(StepStarted("s"), StepFailed("s", "No.", "Traceback"))
    assert (run.status, run.sentence, run.trace) == ("failed", "No.", "Traceback")


def test_turns_side_by_side_run_until_the_last_is_over():
    begun = told(StepStarted("z/s", (1,)), StepStarted("z/s", (2,)))
    one = told(StepDone("z/s", False, 1.0, {}, (2,)), run=begun)
    assert (one.status, one.live, one.turns) == ("running", 1, (2,))
    both = told(StepDone("z/s", False, 1.5, {}, (1,)), run=one)
    assert (both.status, both.seconds) == ("done", 2.5)
    more = told(StepStarted("z/s", (3,)), run=both)
    assert (more.status, more.seconds) == ("running", 2.5)


def test_a_turn_that_failed_stays_while_others_go_on():
    run = told(
        StepStarted("z/s", (1,)),
        StepFailed("z/s", "Turn one.", turns=(1,)),
        StepStarted("z/s", (2,)),
        StepDone("z/s", False, 1.0, {}, (2,)),
    )
    assert (run.status, run.sentence) == ("failed", "Turn one.")


def test_a_new_run_begins_afresh_but_keeps_the_old_picture():
    before = NodeRun("failed", sentence="No.", preview=b"old", seconds=3.0, note="Split.")
    run = told(StepStarted("s"), run=queued(before, 2.0))
    assert (run.status, run.sentence, run.seconds, run.note) == ("running", "", 0.0, "")
    assert run.preview == b"old"


def test_a_step_that_never_ran_is_what_it_was():
    before = NodeRun("done", seconds=3.0)
    assert stopped(queued(before), before) == before
    assert stopped(told(StepStarted("s"), run=queued(before)), before) == before
    done = told(StepStarted("s"), StepDone("s", False, 1.0, {}))
    assert stopped(done, before) == done


def test_what_is_inside_a_subgraph_shows_as_one():
    done, cached = NodeRun("done", seconds=2.0), NodeRun("cached")
    half = NodeRun("running", done=1, total=2, left=4.0, preview=b"p")
    whole = together([done, cached, half, NodeRun("queued")])
    assert (whole.status, whole.done, whole.total) == ("running", 2.5, 4.0)
    assert (whole.seconds, whole.left, whole.preview) == (2.0, 4.0, b"p")
    assert together([done, NodeRun("queued")]).status == "running"
    assert together([NodeRun("queued"), NodeRun("queued")]).status == "queued"
    assert together([done, cached]).status == "done"
    assert together([done, NodeRun("failed", sentence="No.")]).sentence == "No."
    assert together([]) == IDLE
    assert together([half]) is half


events = st.one_of(
    st.builds(StepStarted, st.just("s")),
    st.builds(Progress, st.just("s"), st.floats(0, 9), st.floats(0, 9)),
    st.builds(Note, st.just("s"), st.text(max_size=3)),
    st.builds(Preview, st.just("s"), st.binary(max_size=3)),
    st.builds(SavedFile, st.just("s"), st.text(max_size=3), st.just("")),
    st.builds(StepDone, st.just("s"), st.booleans(), st.floats(0, 9), st.just({})),
    st.builds(StepFailed, st.just("s"), st.text(max_size=3)),
    st.builds(StepSkipped, st.just("s"), st.just("a")),
    st.builds(RunStarted, st.just(3), st.just({})),
    st.builds(RunFinished, st.just("done"), *[st.just(0)] * 6),
)


@given(st.lists(events, max_size=12))
def test_whatever_is_said_makes_sense(said):
    run = told(*said)
    assert 0 <= run.share <= 1
    assert run.live >= 0
    assert run.left is None or (run.status == "running" and run.left >= 0)
    assert (run.status == "running") <= (run.live > 0)
    assert run.status not in OVER or run.seconds >= 0


def board(*steps: str) -> tuple[Board, Costs]:
    made, costs = Board("d"), Costs({"wait": 2.0})
    made.begin(1, Origin("d", Workflow(), dict.fromkeys(steps, "wait")), costs)
    return made, costs


def test_the_time_left_of_a_job_is_what_its_steps_usually_take():
    made, costs = board("a", "b", "z", "z/in")
    live = Live(1, begun=10.0)
    assert made.left(live, 10.0, costs) == 6.0  # what is in the zone counts with it
    made.hear(StepStarted("a"), 10.0, costs)
    assert made.left(live, 10.0, costs) == 6.0
    made.tick(11.5)
    assert made.left(live, 11.5, costs) == 4.5
    made.hear(StepDone("a", False, 1.5, {}), 11.5, costs)
    assert made.left(live, 11.5, costs) == 4.0 - 2 * 0.25  # it has learnt


def test_what_a_job_says_of_itself_stands_at_it_until_a_step_begins():
    going = Going(Costs())
    going.live = Live(7, begun=10.0)
    going.timelines[7] = Timeline(7, "a job", 10.0, "")
    view = JobView(7, "a job", "running")
    assert going.lively(view, 11.0, {}).sentence == "Begins"
    going.heard(7, Note("", "First steps together."), 11.0, {})
    assert going.lively(view, 12.0, {}).sentence == "First steps together."
    made, going.costs = board("a", "b", "z", "z/in")  # of which the time left can be told
    going.boards["d"], going.origins[7] = made, made.origin
    assert going.lively(view, 12.0, {}).left == 6.0
    assert going.lively(view, 12.0, {}).sentence == "First steps together."
    going.heard(7, StepStarted("sample"), 13.0, {})
    assert going.lively(view, 14.0, {}).sentence == "sample"


def test_without_any_past_the_pace_of_the_job_tells_its_time_left():
    made = Board("d")
    made.begin(1, Origin("d", Workflow(), {"a": "x", "b": "x"}), Costs())
    live = Live(1, begun=10.0)
    live.hear(RunStarted(2, {}))
    assert made.left(live, 12.0, Costs()) is None
    live.hear(StepDone("a", False, 2.0, {}))
    assert live.progress == 0.5
    assert made.left(live, 12.0, Costs()) == 2.0


def test_pictures_stay_within_their_bytes(monkeypatch):
    monkeypatch.setattr("app.run.board.PICTURES", 10)
    made, costs = board("a", "b")
    made.hear(Preview("a", b"123456"), 0.0, costs)
    made.hear(Preview("b", b"123456"), 0.0, costs)
    assert made.runs["a"].preview == b""
    assert made.runs["b"].preview == b"123456"


def test_the_steps_of_a_waiting_job_stay_queued_when_another_ends():
    made, costs = board("a", "b")
    made.hear(StepStarted("a"), 0.0, costs)
    made.job = 0
    made.end({"b"})
    assert (made.runs["a"].status, made.runs["b"].status) == ("idle", "queued")
    made.end(())
    assert made.runs["b"].status == "idle"


def test_costs_outlive_the_program(tmp_path):
    costs = Costs()
    costs.learn("d", "a", "blur", 4.0)
    costs.learn("d", "b", "blur", 2.0)
    assert costs.usual("d", "a", "blur") == 4.0
    assert costs.usual("e", "x", "blur") == pytest.approx(3.0)
    assert costs.together("d", [("a", "blur"), ("x", "unknown")]) is None
    costs.save(tmp_path / "in" / "seconds.json")
    assert Costs.load(tmp_path / "in" / "seconds.json").usual("e", "x", "blur") == 3.0
    (tmp_path / "broken").write_bytes(b"{")
    assert Costs.load(tmp_path / "broken").usual("e", "x", "blur") is None
