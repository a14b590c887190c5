"""The history: what ran is found by any part of what is known of it."""

import time

import pytest

from backend.engine.queue.errors import Refused
from backend.engine.queue.history import latest, past, search
from backend.engine.queue.submit import words_of
from backend.graph.format import parse
from tests.backend.engine.queue.conftest import document, saying


def found(shop, *words: str) -> list[int]:
    return [each.job.id for each in search(shop.queue, words)]


@pytest.fixture
def three(shop):
    """Jobs that ran: two that saved something, one that failed."""
    bad = document({"stop": {"type": "refuse", "params": {"text": "100% of_it"}}})
    texts = [saying("Ein Kreis 圆形", name="kreis"), saying("square", name="sq_1"), bad]
    ids = [
        shop.add(text, title=title, words=words_of(parse(text, "t")), seeds={})
        for text, title in zip(texts, ("Red circle", "other", "broken"), strict=True)
    ]
    shop.work()
    return ids


def test_a_job_is_found_by_any_part_of_a_prompt_title_node_file_or_date(shop, three):
    circle, square, broken = three
    assert found(shop, "eis 圆") == [circle]
    assert found(shop, "圆") == [circle]
    assert found(shop, "RED CIR") == [circle]
    assert found(shop, "refuse") == [broken]
    assert found(shop, "kreis-2.txt") == [circle]
    assert found(shop, "write") == [square, circle]
    assert found(shop, "write", "square") == [square]
    assert found(shop, time.strftime("%Y-%m-")) == [broken, square, circle]
    assert found(shop, "done") == [square, circle]
    assert found(shop, "nowhere") == []


def test_short_words_before_a_long_one_are_found(shop, three):
    """As patterns of the index they would end the process, with SQLite 3.40."""
    circle, *_ = three
    assert found(shop, "a", "red") == found(shop, "red", "a")
    assert found(shop, "r", "re", "red", "circle") == [circle]
    assert found(shop, "(%'", "circle") == []


def test_signs_that_mean_something_to_a_database_mean_themselves(shop, three):
    _, square, broken = three
    assert found(shop, "sq_1") == [square]
    assert found(shop, "sq%1") == []
    assert found(shop, "100%") == [broken]
    assert found(shop, "of_it") == [broken]
    assert found(shop, '"', "'") == []
    assert found(shop, "'; DROP TABLE jobs --") == []


def test_without_the_index_of_parts_the_same_is_found(shop, three):
    with shop.queue.database.changes() as db:
        rows = db.execute("SELECT rowid, text FROM words").fetchall()
        db.execute("DROP TABLE words")
        db.execute("CREATE TABLE words (rowid INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", [tuple(r) for r in rows])
    assert found(shop, "RED CIR") == [three[0]]
    assert found(shop, "sq_1") == [three[1]]


def test_the_last_comes_first_and_pages_join(shop):
    ids = shop.queue.add([shop.draft() for _ in range(450)])
    shop.queue.cancel()
    assert [each.job.id for each in latest(shop.queue)] == sorted(ids, reverse=True)
    assert [each.job.id for each in latest(shop.queue, 201)] == sorted(ids, reverse=True)[:201]


def test_what_has_not_ended_is_not_in_the_history(shop):
    number = shop.add()
    with pytest.raises(Refused, match=f"Job {number} is queued; it comes into the history"):
        past(shop.queue, number)


def test_an_ending_comes_back_as_it_was_written(shop, three):
    one = past(shop.queue, three[2])
    assert one.ending.state == "failed"
    assert one.ending.failures == {"stop": "It does not want to: 100% of_it."}
    assert one.job.title == "broken"
