"""The queue as programs use it: order, priorities, pauses, cancels, retries, moves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.engine.queue.claims import Claims
from backend.engine.queue.errors import Refused
from backend.engine.queue.store import Queue
from tests.backend.engine.queue.conftest import NOTHING, document, saying


def test_jobs_stand_in_the_order_in_which_they_came_and_higher_priorities_first(shop):
    numbers = [shop.add(priority=p) for p in (0, 5, 0, 5, -1)]
    one, two, three, four, five = numbers
    assert shop.line() == [two, four, one, three, five]


def test_a_job_is_what_was_queued_with_its_seeds_in_it(shop):
    text = document({"n": {"type": "noise", "params": {"seed": "random"}}})
    number = shop.add(text, seeds={"n.seed": 77}, only=("n",), title="seven")
    job = shop.queue.job(number)
    assert (job.seeds, job.only, job.title, job.state) == (
        {"n.seed": 77},
        ("n",),
        "seven",
        "queued",
    )
    assert '"seed": 77' in shop.queue.document(number)


def test_a_batch_shares_one_document(shop):
    drafts = [shop.draft(saying("a " * 1000), seeds={"n.seed": i}) for i in range(50)]
    ids = shop.queue.add(drafts)
    assert {shop.queue.job(i).batch for i in ids} == {ids[0]}
    assert shop.queue.database.read("SELECT COUNT(*) AS n FROM documents")[0]["n"] == 1


def test_another_process_sees_what_is_queued(shop):
    number = shop.add()
    with Queue(shop.queue.path) as other:
        before = other.database.changed()
        assert [job.id for job in other.jobs()] == [number]
        shop.queue.cancel([number])
        assert other.database.changed() != before
        assert other.job(number).state == "cancelled"


def test_a_paused_job_is_passed_over_and_comes_back_in_its_place(shop):
    one, two = shop.add(), shop.add()
    shop.queue.pause([one])
    claims = Claims(shop.queue)
    assert claims.take().id == two
    assert claims.take() is None
    assert shop.queue.standing.held == 1
    shop.queue.resume([one])
    assert claims.take().id == one
    claims.close()


def test_nothing_is_taken_from_a_paused_queue(shop):
    number = shop.add()
    shop.queue.pause()
    claims = Claims(shop.queue)
    assert shop.queue.standing.paused
    assert claims.take() is None
    shop.queue.resume()
    assert claims.take().id == number
    claims.close()


def test_cancelling_ends_what_waits_and_asks_for_the_end_of_what_runs(shop):
    one, two = shop.add(), shop.add()
    claims = Claims(shop.queue)
    running = claims.take()
    assert shop.queue.cancel() == 2
    assert shop.state(two) == "cancelled"
    assert shop.state(one) == "running"
    assert claims.wish(running) == "cancel"
    claims.close()


def test_cancelling_several_of_which_one_has_ended_cancels_none(shop):
    one, two = shop.add(), shop.add()
    shop.queue.cancel([one])
    with pytest.raises(Refused, match=f"Job {one} is cancelled and cannot be cancelled any more"):
        shop.queue.cancel([two, one])
    assert shop.state(two) == "queued"


def test_a_retry_is_a_new_job_with_the_same_seeds(shop):
    one = shop.add(seeds={}, priority=3, title="again")
    with pytest.raises(Refused, match="is queued; only one that failed or was cancelled"):
        shop.queue.retry(one)
    shop.queue.cancel([one])
    two = shop.queue.retry(one)
    new, old = shop.queue.job(two), shop.queue.job(one)
    assert (new.title, new.priority, new.retry_of, new.state) == ("again", 3, one, "queued")
    assert old.state == "cancelled"
    assert shop.queue.document(two) == shop.queue.document(one)


def test_clear_takes_what_has_ended_off_the_list_and_keeps_it(shop):
    one, two = shop.add(), shop.add()
    shop.queue.cancel([one])
    assert [job.id for job in shop.queue.ended()] == [one]
    assert shop.queue.clear() == 1
    assert shop.queue.ended() == []
    assert shop.line() == [two]
    assert shop.state(one) == "cancelled"


def test_what_is_not_there_is_a_sentence(shop):
    for number in (99, -1, 2**80):
        with pytest.raises(Refused, match=f"There is no job {number};"):
            shop.queue.job(number)
        with pytest.raises(Refused, match=f"There is no job {number};"):
            shop.queue.cancel([number])
    with pytest.raises(Refused, match="A priority is from -1000 to 1000"):
        shop.add(priority=1001)


def test_a_running_job_is_not_moved(shop):
    one, two = shop.add(), shop.add()
    claims = Claims(shop.queue)
    claims.take()
    with pytest.raises(Refused, match=f"Job {one} runs already"):
        shop.queue.move(one, "last")
    with pytest.raises(Refused, match=f"Job {one} runs already"):
        shop.queue.move(two, one)
    claims.close()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from((-2, 0, 0, 0, 7)), min_size=2, max_size=6),
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(("first", "last")) | st.integers(0, 5)),
        max_size=12,
    ),
)
def test_moves_do_what_the_same_moves_do_to_a_list(tmp_path_factory, priorities, moves):
    with Queue(tmp_path_factory.mktemp("q") / "queue.sqlite") as queue:
        from tests.backend.engine.queue.conftest import Shop

        shop = object.__new__(Shop)
        shop.folder = shop.out = queue.path.parent
        shop.queue = queue
        queue.add([shop.draft(NOTHING, priority=p) for p in priorities])
        line = shop.line()
        for which, to in moves:
            number = line[which % len(line)]
            if isinstance(to, int):
                other = line[to % len(line)]
                if other == number:
                    continue
                line.remove(number)
                line.insert(line.index(other), number)
                queue.move(number, other)
            else:
                line.remove(number)
                line.insert(0 if to == "first" else len(line), number)
                queue.move(number, to)
            assert shop.line() == line


def test_a_job_can_be_moved_before_another_without_end(shop):
    one, two, three = shop.add(), shop.add(), shop.add()
    for _ in range(60):  # halves of halves: numbers between two places run out
        shop.queue.move(one, three)
        shop.queue.move(two, three)
        assert shop.line() == [one, two, three]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM jobs WHERE state = 'queued' AND NOT paused"
        " ORDER BY priority DESC, position, id LIMIT 1",
        "SELECT id FROM jobs WHERE state = 'running'",
        "SELECT id FROM jobs WHERE ended > 0 ORDER BY ended DESC LIMIT 20",
    ],
)
def test_what_is_asked_again_and_again_is_found_by_an_index(shop, query):
    rows = shop.queue.database.read(f"EXPLAIN QUERY PLAN {query}")
    plan = " ".join(row["detail"] for row in rows)
    assert "INDEX" in plan
    assert "SCAN jobs" not in plan.replace("SCAN jobs USING INDEX ends", "")
    assert "TEMP B-TREE" not in plan
