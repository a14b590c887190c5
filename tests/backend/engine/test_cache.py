"""The memory cache: its budget, and what it keeps."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.cache import ENTRY_BYTES, MemoryCache
from backend.engine.content import Contents
from backend.plan.result import Result


def result(size: int, seconds: float = 1.0) -> Result:
    return Result({"out": np.zeros(1)}, {"out": f"d{size}"}, {"out": ""}, seconds, size)


def test_what_costs_most_per_byte_stays():
    cache = MemoryCache(3 * (1000 + ENTRY_BYTES))
    cache.put("dear", "s", result(1000, 9.0))
    cache.put("cheap", "s", result(1000, 0.1))
    cache.put("fair", "s", result(1000, 1.0))
    cache.put("new", "s", result(1000, 1.0))
    assert cache.get("cheap") is None
    assert all(cache.get(key) for key in ("dear", "fair", "new"))


def test_what_is_not_used_ages():
    cache = MemoryCache(2 * (1000 + ENTRY_BYTES))
    cache.put("old", "s", result(1000, 3.0))
    for n in range(10):
        cache.put(f"k{n}", "s", result(1000, 1.0))
    assert cache.get("old") is None


def test_a_use_keeps_it():
    cache = MemoryCache(2 * (1000 + ENTRY_BYTES))
    cache.put("used", "s", result(1000, 3.0))
    for n in range(10):
        assert cache.get("used")
        cache.put(f"k{n}", "s", result(1000, 1.0))
    assert cache.get("used")


def test_digests_outlive_their_values():
    cache = MemoryCache(5000)
    cache.put("a", "s", result(3000, 0.1))
    cache.put("b", "s", result(3000, 1.0))
    assert cache.get("a") is None
    assert cache.find("a").digests == {"out": "d3000"}
    assert cache.seen("s")
    cache.put("huge", "t", result(10_000))
    assert cache.get("huge") is None
    assert cache.find("huge").digests == {"out": "d10000"}
    assert cache.get("b")


def test_only_so_many_are_remembered():
    cache = MemoryCache(10**9, remembered=3)
    for n in range(10):
        cache.put(f"k{n}", f"s{n}", result(1))
        cache.decide(f"k{n}", frozenset("x"))
    assert [n for n in range(10) if cache.find(f"k{n}")] == [7, 8, 9]
    assert not cache.seen("s0")
    assert cache.decision("k0") is None
    assert cache.decision("k9") == {"x"}


def test_forget_and_clear():
    cache = MemoryCache(10**6)
    cache.put("a", "s", result(10))
    cache.put("b", "s", result(10))
    cache.forget("a")
    assert cache.find("a") is None
    assert len(cache) == 1
    cache.clear()
    assert (len(cache), cache.nbytes, cache.seen("s")) == (0, 0, False)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4000), st.floats(0, 5))),
    st.integers(0, 9000),
)
def test_the_budget_holds_whatever_comes(puts, budget):
    cache = MemoryCache(budget, remembered=5)
    for key, size, seconds in puts:
        cache.put(str(key), str(size), result(size, seconds))
        cache.get(str(key - 1))
        held = [e for e in cache._entries.values() if e.held]
        assert cache.nbytes == sum(e.result.nbytes + ENTRY_BYTES for e in held) <= budget
        assert len(cache._entries) <= 5
        assert sum(cache._statics.values()) == len(cache._entries)


def test_threads_may_share_it():
    cache = MemoryCache(20 * ENTRY_BYTES)

    def work(name: str) -> None:
        for n in range(300):
            cache.put(f"{name}{n % 30}", name, result(n))
            cache.get(f"{name}{(n + 7) % 30}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [e for e in cache._entries.values() if e.held]
    assert cache.nbytes == sum(e.result.nbytes + ENTRY_BYTES for e in held) <= cache.budget


def test_contents_read_a_file_once_while_it_stays(tmp_path, monkeypatch):
    contents = Contents()
    file = tmp_path / "a.bin"
    file.write_bytes(b"one")
    monkeypatch.setattr("backend.engine.content._FRESH", -(10**18))  # as if it were old
    first = contents.digest(file)
    opened = []
    real = type(file).open
    monkeypatch.setattr(
        type(file), "open", lambda self, *a, **k: opened.append(self) or real(self, *a, **k)
    )
    assert contents.digest(file) == first
    assert not opened
    file.write_bytes(b"other")
    assert contents.digest(file) != first
    assert opened


def test_a_folder_changes_with_its_files_and_their_names(tmp_path):
    contents = Contents()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"1")
    first = contents.digest(tmp_path)
    (tmp_path / "sub" / "a").rename(tmp_path / "sub" / "b")
    second = contents.digest(tmp_path)
    (tmp_path / "c").write_bytes(b"")
    assert len({first, second, contents.digest(tmp_path)}) == 3
    assert contents.digest(tmp_path / "missing") is None
