"""What goes to disk comes back, in another cache over the same folder, as it was."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from backend.engine.cache import MemoryCache
from backend.engine.disk import DiskCache
from backend.engine.disk.layered import LayeredCache
from backend.engine.results import make_result
from backend.plan.keys import result_digest
from backend.sdk import Saved
from backend.values import Audio, Conditioning, Image, Latent, Mask
from tests.backend.engine.disk.conftest import digests, entries, picture, result


def test_nothing_is_touched_before_there_is_something_to_keep(root, opened):
    cache = opened()
    assert cache.find("k") is cache.get("k") is cache.decision("d") is None
    assert not cache.seen("s")
    cache.put("cheap", "s", result(seconds=0.1))
    cache.flush()
    assert not root.parent.exists()


def test_a_costly_result_is_there_for_the_next_process(opened):
    cache, made = opened(), result(0.25, preview=b"jpeg")
    cache.put("k", "s", made)
    cache.flush()
    other = opened()
    known = other.find("k")
    assert not known.values
    assert (known.digests, known.summary) == (made.digests, made.summary)
    found = other.get("k")
    assert digests(found.values) == dict(made.digests)
    assert (found.seconds, found.nbytes, found.preview) == (1.0, made.nbytes, b"jpeg")
    assert other.seen("s")
    assert not other.seen("t")


def test_of_a_cheap_result_the_digests_go_with_the_next_costly_one(opened):
    cache = opened()
    cache.put("cheap", "s", result(0.1, seconds=0.1))
    cache.decide("d", frozenset({"yes"}))
    cache.flush()
    assert opened().find("cheap") is None
    cache.put("dear", "t", result(0.2))
    cache.flush()
    other = opened()
    assert other.find("cheap").digests == result(0.1).digests
    assert other.get("cheap") is None
    assert other.decision("d") == {"yes"}


def test_what_wrote_files_is_kept_however_quick_and_needs_no_file(root, opened):
    cache, saved = opened(), (Saved("a.png", "blake3:0"),)
    cache.put("k", "s", make_result({}, 0.01, True, saved))
    cache.flush()
    assert opened().get("k").saved == saved
    assert entries(root) == []


def test_what_waits_to_be_written_can_be_had_already(opened, monkeypatch):
    cache, gate, entered = opened(), threading.Event(), threading.Event()
    real = cache._writer.write

    def slow(batch):
        entered.set()
        gate.wait()
        return real(batch)

    monkeypatch.setattr(cache._writer, "write", slow)
    first, second = result(0.1), result(0.2)
    cache.put("a", "s", first)
    entered.wait()
    cache.put("b", "s", second)
    assert cache.get("a") is first
    assert cache.get("b") is second
    assert cache.find("a").digests == first.digests
    cache.forget("a")
    assert cache.get("a") is None
    gate.set()
    cache.flush()
    other = opened()
    assert other.get("a") is None
    assert other.get("b") is not None


def test_a_disk_that_is_slow_holds_up_a_run_for_so_long_only(opened, monkeypatch):
    cache, gate, entered = opened(), threading.Event(), threading.Event()

    def never(batch):
        entered.set()
        gate.wait()
        return False

    monkeypatch.setattr(cache._writer, "write", never)
    monkeypatch.setattr("backend.engine.disk.cache._WORTH_WAITING", 0.0)
    cache.settle(lambda: False)  # nothing waits
    cache.put("a", "s", result(seconds=3600.0))
    entered.wait()
    looks = iter([False, False, True])
    cache.settle(lambda: next(looks))  # cancelled meanwhile
    assert list(looks) == []
    cache.put("a", "s", result(seconds=0.5))
    cache._under_way.whole.clear()
    cache.settle(lambda: False)  # longer than it took
    gate.set()


def test_a_file_is_plain_safetensors_named_by_its_digest(root, opened):
    cache = opened()
    cache.put("k", "s", make_result({"image": picture(0.75), "count": 3}, 1.0, True))
    cache.flush()
    (name,) = entries(root)
    held = load_file(root / name)
    assert np.array_equal(held["0.0"], picture(0.75).pixels)
    data = (root / name).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"]["key"] == "k"


def test_another_build_of_weft_sees_nothing_of_it(opened):
    cache = opened(build="one")
    cache.put("k", "s", result())
    cache.flush()
    assert opened(build="one").get("k") is not None
    other = opened(build="two")
    assert (other.find("k"), other.get("k"), other.seen("s")) == (None, None, False)


def test_an_equal_result_is_not_written_twice_and_another_takes_its_place(root, opened):
    cache, other = opened(), opened()
    for one in (cache, other):
        one.put("k", "s", result(0.1))
        one.flush()
    (first,) = entries(root)
    cache.put("k", "s", result(0.2))
    cache.flush()
    (second,) = entries(root)
    assert first != second
    assert digests(other.get("k").values) == dict(result(0.2).digests)


def test_a_forgotten_result_is_gone_for_all(root, opened):
    cache = opened()
    cache.put("k", "s", result())
    cache.flush()
    cache.forget("k")
    assert cache.find("k") is None
    cache.flush()
    assert opened().get("k") is None
    assert entries(root) == []


def test_forgotten_and_put_again_is_the_new_one(opened):
    cache = opened()
    cache.put("k", "s", result(0.1))
    cache.flush()
    cache.forget("k")
    cache.put("k", "s", result(0.1))
    cache.flush()
    assert opened().get("k") is not None
    cache.forget("k")
    cache.put("k", "s", result(0.1, seconds=0.1))  # this time it was quick
    cache.put("other", "s", result(0.3))
    cache.flush()
    other = opened()
    assert other.get("k") is None
    assert other.find("k") is not None


def test_what_costs_most_per_byte_stays_and_digests_outlive_their_values(root, opened):
    cache = opened(budget=40_000)
    for name, seconds in (("dear", 9.0), ("cheap", 0.5), ("fair", 1.0), ("new", 1.0)):
        cache.put(name, "s", result(seconds, seconds, size=32))  # 12 kB each
        cache.flush()
    other = opened(budget=40_000)
    assert other.get("cheap") is None
    assert other.find("cheap").digests
    assert all(other.get(name) for name in ("dear", "fair", "new"))
    assert len(entries(root)) == 3
    assert (
        sum(p.stat().st_size for p in root.glob("*.safetensors")) == other.info().nbytes <= 40_000
    )


def test_what_is_not_used_ages_and_a_use_keeps_it(opened):
    cache = opened(budget=27_000)
    cache.put("old", "s", result(0, 3.0, size=32))
    cache.put("used", "s", result(1, 3.0, size=32))
    cache.flush()
    for n in range(1, 9):
        other = opened(budget=27_000)
        assert other.get("used") or n > 1
        other.put(f"k{n}", "s", result(n, 2.0, size=32))
        other.flush()
    assert opened().get("old") is None


def test_a_budget_that_shrank_holds_from_the_next_start(root, opened):
    cache = opened()
    for n in range(6):
        cache.put(f"k{n}", "s", result(n, size=32))
    cache.flush()
    small = opened(budget=30_000)
    small.find("k0")
    small.flush()
    assert small.info().nbytes <= 30_000
    assert len(entries(root)) == 2


def test_what_is_larger_than_all_is_not_written(root, opened):
    cache = opened(budget=1000)
    cache.put("k", "s", result(size=64))
    cache.flush()
    assert entries(root) == []
    assert opened().find("k").digests


def test_clear_empties_the_folder(root, opened):
    cache = opened()
    cache.put("k", "s", result())
    cache.decide("d", frozenset())
    cache.clear()
    assert entries(root) == []
    assert (opened().find("k"), opened().decision("d")) == (None, None)
    cache.put("k", "s", result())
    cache.flush()
    assert opened().get("k") is not None


def test_a_full_queue_holds_whoever_puts_more(opened, monkeypatch):
    monkeypatch.setattr("backend.engine.disk.cache.MOST_WAITING", 1000)
    cache = opened()
    for n in range(20):
        cache.put(f"k{n}", "s", result(n, size=16))
    cache.flush()
    assert opened().info().entries == 20


small = st.floats(width=32, allow_nan=False)
pixels = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)
single = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    pixels.map(lambda p: Image(np.array(p, np.float32).reshape(1, 1, 1, 3))),
    pixels.map(lambda p: Mask(np.array(p, np.float32).reshape(1, 1, 3))),
    pixels.map(lambda p: Audio(np.array(p, np.float32).reshape(1, 3), 8000)),
)


@pytest.fixture(scope="module")
def law_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("law")


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from("abc"), st.one_of(single, st.lists(single, max_size=3))))
def test_every_value_comes_back_with_its_digest(law_folder, values):
    """Also in a folder that holds what earlier examples left."""
    made = make_result(values, 1.0, True, preview=b"x")
    cache = DiskCache(law_folder / "cache", 10**9, 0.5)
    cache.put(str(sorted(made.digests.items())), "s", made)
    cache.flush()
    found = DiskCache(law_folder / "cache", 10**9, 0.5).get(str(sorted(made.digests.items())))
    assert {name: result_digest(v) for name, v in found.values.items()} == dict(made.digests)
    cache.close()


def test_read_arrays_are_not_copied_and_cannot_be_written(opened):
    cache = opened()
    tensors = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    held = Conditioning("flux", tensors)
    latent = Latent(np.ones((1, 4, 4, 16), np.float32), "flux")
    cache.put("k", "s", make_result({"c": held, "l": latent, "n": picture()}, 1.0, True))
    cache.flush()
    found = opened().get("k").values
    assert np.array_equal(found["c"].tensors["x"], tensors["x"])
    assert np.array_equal(found["l"].samples, latent.samples)
    base = found["n"].pixels
    assert not base.flags.writeable
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, bytes)


def test_who_waits_for_both_caches_may_stop_waiting(tmp_path):
    told = []

    class Asking(DiskCache):
        def settle(self, stop):
            told.append(stop())

    both = LayeredCache(MemoryCache(2**20), Asking(tmp_path, 2**20, 0.5))
    both.settle(lambda: True)
    both.disk.close()
    assert told == [True]
