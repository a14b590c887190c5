"""``weft history``: shown, searched and exported."""

from __future__ import annotations

import csv
import json

import pytest

from backend.cli.errors import DONE, FAILED, USAGE
from backend.engine.queue.job import Draft
from backend.engine.queue.store import Queue

SOLID = {"weft": 1, "nodes": {"x": {"type": "solid_image", "version": 1}}}


@pytest.fixture
def past(weft):
    """Two jobs that were cancelled; nothing needs to be computed for a history."""
    base = str(weft.folder)
    with Queue(weft.folder / "data" / "weft" / "queue.sqlite") as queue:
        drafts = [
            Draft(json.dumps(SOLID), base, base, title=title, words="#102030")
            for title in ("=red square", "blue")
        ]
        queue.add(drafts)
        queue.cancel()
    return weft


def test_the_last_job_is_shown_first(past):
    done = past("history", "show")
    assert done.status == DONE, done.err
    assert [line.split()[0] for line in done.out.splitlines()] == ["2", "1"]
    assert past("history", "show", "--limit", "1", "--json").events[0]["id"] == 2


def test_one_job_is_shown_whole(past):
    done = past("history", "show", "1", "--json")
    (event,) = done.events
    assert (event["event"], event["state"], event["title"]) == (
        "history",
        "cancelled",
        "=red square",
    )
    assert "It was cancelled before it began." in past("history", "show", "1").out
    assert past("history", "show", "7").status == USAGE


def test_a_search_needs_all_its_words(past):
    assert [each["id"] for each in past("history", "search", "#102030", "--json").events] == [2, 1]
    assert [each["id"] for each in past("history", "search", "SQUARE", "red", "--json").events] == [
        1
    ]
    assert past("history", "search", "green").out == "Nothing.\n"


def test_an_export_holds_what_is_known(past):
    done = past("history", "export", "all.jsonl")
    assert done.out == "Wrote 2 jobs to all.jsonl.\n"
    lines = (past.folder / "all.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["blue", "=red square"]


def test_a_table_holds_no_formula(past):
    assert past("history", "export", "all.csv", "red").status == DONE
    with (past.folder / "all.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["title"] == "'=red square"
    assert row["state"] == "cancelled"


def test_what_cannot_be_written_leaves_nothing(past):
    assert past("history", "export", "all.txt").status == USAGE
    done = past("history", "export", "nowhere/all.csv")
    assert done.status == FAILED
    assert "cannot be written" in done.err
    assert not list(past.folder.glob("*.tmp"))
