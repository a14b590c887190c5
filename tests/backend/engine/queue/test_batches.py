"""Jobs that were queued together: found, held back, run alone, and looked at when they end."""

from __future__ import annotations

from backend.engine.queue.batches import ended_of, hold, marked, release, standing_of
from backend.engine.queue.job import Draft
from tests.backend.engine.queue.conftest import NOTHING, Here


def drafts(count: int, words: str = "") -> list[Draft]:
    return [Draft(NOTHING, "/", "/", title=f"{words} {n}", words=words) for n in range(count)]


def test_a_runner_of_batches_leaves_other_jobs_and_ends_with_its_own(shop):
    queue = shop.queue
    queue.add(drafts(70, "others"))
    mine = queue.add(drafts(2, "mine"))
    more = queue.add(drafts(1, "more"))
    here = Here()
    shop.work(here, batches=[mine[0], more[0]])
    assert [int(each.partition(":")[0]) for each in here.ran] == [*mine, *more]
    assert queue.standing.queued == 70


def test_a_mark_finds_the_jobs_in_order_and_no_retries(shop):
    queue = shop.queue
    ids = queue.add(drafts(3, "a prompt\nmark-1"))
    queue.add(drafts(2, "mark-2"))
    queue.cancel([ids[1]])
    queue.retry(ids[1])
    assert [job.id for job in marked(queue, "mark-1")] == list(ids)
    assert marked(queue, "mark-3") == []


def test_what_is_held_waits_and_what_runs_goes_on(shop):
    queue = shop.queue
    ids = queue.add(drafts(3))
    hold(queue, [ids[0]])
    standing = standing_of(queue, [ids[0]])
    assert (standing.held, standing.queued) == (3, 0)
    release(queue, [ids[0]])
    assert standing_of(queue, [ids[0]]).queued == 3
    hold(queue, [])
    assert queue.standing.held == 0


def test_ends_are_told_in_order_each_where_it_is_not_known(shop):
    queue = shop.queue
    one, two = queue.add(drafts(3)), queue.add(drafts(1))
    for number in (one[2], one[0], two[0]):
        queue.cancel([number])
    assert [past.job.id for past in ended_of(queue, [one[0]])] == [one[2], one[0]]
    assert [past.job.id for past in ended_of(queue, [one[0]], known={one[2]})] == [one[0]]
    last = queue.job(one[0]).ended
    assert [past.job.id for past in ended_of(queue, [one[0]], last)] == [one[0]]
    assert list(ended_of(queue, [])) == []
