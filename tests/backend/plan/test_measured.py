"""What was measured corrects what is told, survives the process, and is never worth a failure."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace

import pytest

from backend.plan.measured import MOST_RATIO, Estimate, Key, Measured
from backend.plan.needs import Need, Needs, Used

KEY = Key("sample", ("blake3:a transformer",), 1000, "cpu", "float32")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "measured.sqlite"


@pytest.fixture
def store(path):
    made = Measured(path)
    yield made
    made.close()


def test_before_anything_was_measured_the_formula_holds(store, path):
    assert store.estimate(KEY) == Estimate(1000)
    assert store.speed("disk") is None
    assert not path.parent.exists()  # who only asks writes nothing


def test_what_was_measured_is_told(store):
    store.learn(KEY, 1300, 2.5)
    assert store.estimate(KEY) == Estimate(1300, 2.5, True)


def test_another_size_is_told_by_the_ratio_of_the_nearest(store):
    store.learn(KEY, 1300, 2.5)
    store.learn(replace(KEY, size=100_000), 200_000, 9.0)
    assert store.estimate(replace(KEY, size=2000)) == Estimate(2600)
    assert store.estimate(replace(KEY, size=80_000)) == Estimate(160_000)


def test_a_ratio_has_its_bounds(store):
    store.learn(KEY, 10**9, None)
    assert store.estimate(replace(KEY, size=2000)).activation == 2000 * MOST_RATIO
    assert store.estimate(KEY).activation == 10**9


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, node="decode"),
        replace(KEY, components=("blake3:b transformer",)),
        replace(KEY, device="cuda:0"),
        replace(KEY, dtype="bfloat16"),
    ],
    ids=["node", "component", "device", "precision"],
)
def test_nothing_is_learnt_of_others(store, other):
    store.learn(KEY, 5000, 1.0)
    assert store.estimate(other) == Estimate(1000)


def test_the_larger_peak_counts_and_an_old_one_fades(store):
    for peak in (1000, 3000, 1000):
        store.learn(KEY, peak, 1.0)
    assert 1000 < store.estimate(KEY).activation < 3000
    for _ in range(30):
        store.learn(KEY, 1000, 1.0)
    assert store.estimate(KEY).activation <= 1010


def test_what_was_not_measured_leaves_what_was(store):
    store.learn(KEY, 1300, None)
    store.learn(KEY, None, 4.0)
    assert store.estimate(KEY) == Estimate(1300, 4.0, True)


def test_it_is_known_to_the_next_process(store, path):
    store.learn(KEY, 1300, 2.5)
    store.moved("disk", 4 * 10**9, 2.0)
    other = Measured(path)
    assert other.estimate(KEY) == Estimate(1300, 2.5, True)
    assert other.speed("disk") == 2e9
    other.close()


def test_speeds_are_a_mean(store):
    store.moved("copy", 1000, 1.0)
    store.moved("copy", 2000, 1.0)
    assert 1000 < store.speed("copy") < 2000
    store.moved("copy", 0, 1.0)  # nothing was moved, so nothing is learnt
    store.moved("copy", 5, 0.0)
    assert 1000 < store.speed("copy") < 2000


@pytest.mark.parametrize(
    "broken", [b"no database at all" * 100, b"SQLite format 3\0" + b"\1" * 9000]
)
def test_a_broken_file_is_begun_anew_and_said(path, broken):
    path.parent.mkdir()
    path.write_bytes(broken)
    said: list[str] = []
    store = Measured(path, said.append)
    assert store.estimate(KEY) == Estimate(1000)
    store.learn(KEY, 1300, 1.0)
    assert store.estimate(KEY).activation == 1300
    assert len(said) == 1
    assert str(path) in said[0]
    assert "begun anew" in said[0]
    store.close()


def test_a_file_with_other_tables_is_begun_anew(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE steps (something TEXT)")
    file.close()
    said: list[str] = []
    store = Measured(path, said.append)
    store.learn(KEY, 1300, 1.0)
    assert store.estimate(KEY).activation == 1300
    assert len(said) == 1
    store.close()


def test_a_folder_that_cannot_be_is_said_once(tmp_path):
    (tmp_path / "file").write_text("")
    said: list[str] = []
    store = Measured(tmp_path / "file" / "measured.sqlite", said.append)
    for _ in range(3):
        store.learn(KEY, 1300, 1.0)
        assert store.estimate(KEY) == Estimate(1000)
    assert len(said) == 1


def test_without_a_file_nothing_is_remembered():
    store = Measured(None)
    store.learn(KEY, 1300, 1.0)
    assert store.estimate(KEY) == Estimate(1000)


def test_it_does_not_grow_without_end(store, monkeypatch):
    monkeypatch.setattr("backend.plan.measured.MOST", 50)
    for size in range(1, 200):
        store.learn(replace(KEY, size=size), size * 2, 1.0)
    store.close()
    with sqlite3.connect(store._path) as file:
        assert file.execute("SELECT COUNT(*) FROM steps").fetchone() == (50,)
    file.close()
    assert store.estimate(replace(KEY, size=199)).measured
    assert not store.estimate(replace(KEY, size=1)).measured


def test_threads_and_processes_share_it(store, path):
    other = Measured(path)

    def work(mine: Measured, node: str) -> None:
        for size in range(1, 30):
            mine.learn(replace(KEY, node=node, size=size), size * 3, 1.0)

    threads = [
        threading.Thread(target=work, args=(mine, f"{n}"))
        for n, mine in enumerate((store, store, other, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for node in "0123":
        assert store.estimate(replace(KEY, node=node, size=7)) == Estimate(21, 1.0, True)
    other.close()


def test_a_need_learns_by_the_pass(store):
    """Half as many steps of the same picture take half the time."""
    need = Need("s", "sample", (Used("net", 28),), activation=1000, key=KEY)
    need.learn(store, 1500, 14.0)
    told = Needs((need, replace(need, uses=(Used("net", 14),)))).corrected(store)
    assert [(n.activation, n.seconds, n.measured) for n in told.needs] == [
        (1500, pytest.approx(14.0), True),
        (1500, pytest.approx(7.0), True),
    ]


def test_a_need_of_unknown_size_stays_unknown_until_it_ran(store):
    need = Need("s", "whole", (Used("net"),), activation=None, key=replace(KEY, size=0))
    assert Needs((need,)).corrected(store).needs[0].activation is None
    need.learn(store, 77, 1.0)
    assert Needs((need,)).corrected(store).needs[0].activation == 77
