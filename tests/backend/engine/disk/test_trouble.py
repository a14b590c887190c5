"""Whatever becomes of the folder, nothing is raised, nothing wrong is read, and it is told once."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3

import pytest

from tests.backend.engine.disk.conftest import digests, entries, result
from tests.backend.engine.disk.test_processes import start, told


def keep(opened, *names: str) -> None:
    """Put results and close the cache, as a process that ends."""
    cache = opened()
    for n, name in enumerate(names):
        cache.put(name, "s", result(n / 8))
    cache.close()


@pytest.mark.parametrize("place", ["length", "header", "metadata", "pixels", "end", "cut", "empty"])
def test_a_damaged_file_is_forgotten_and_told_once(root, opened, place):
    keep(opened, "a", "b")
    for name in entries(root):
        data = bytearray((root / name).read_bytes())
        at = {"length": 2, "header": 9, "metadata": 200, "pixels": -500, "end": -1}.get(place)
        if at is not None:
            data[at] ^= 1
        left = {"cut": len(data) // 2, "empty": 0}.get(place)
        (root / name).write_bytes(data[:left])
    cache = opened()
    assert cache.get("a") is cache.get("b") is None
    (sentence,) = cache.troubles()
    assert "was damaged; it is computed again" in sentence
    assert cache.find("a") is None
    cache.flush()
    assert entries(root) == []
    cache.put("a", "s", result())
    cache.close()
    assert opened().get("a") is not None


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_can_be_emptied(root, opened):
    keep(opened, "a", "b")
    there = [(root / name).stat().st_size for name in entries(root)]
    found = told(start("limited.py", "clear", root.parent))
    assert found == {"told": [], "held": [2, sum(there)]}
    assert [name for name in os.listdir(root) if name != "held"] == []
    keep(opened, "a")
    assert opened().get("a") is not None


def test_a_missing_file_is_forgotten(root, opened):
    keep(opened, "a")
    (root / entries(root)[0]).unlink()
    cache = opened()
    assert cache.get("a") is None
    assert cache.find("a") is None
    cache.flush()
    assert cache.info().entries == 0


def test_verify_finds_what_is_damaged(root, opened):
    keep(opened, "a", "b", "c")
    with (root / entries(root)[0]).open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"!")
    found = opened().verify()
    assert (found.sound, found.broken, found.orphans) == (2, 1, 0)
    assert opened().verify().sound == 2


@pytest.mark.parametrize("damage", ["noise", "page", "empty", "tables"])
def test_a_broken_index_is_put_aside_and_made_anew_from_the_files(root, opened, damage):
    keep(opened, *"abcdefgh")
    index = root / "index.sqlite"
    if damage == "noise":
        index.write_bytes(os.urandom(5000))
    elif damage == "page":
        data = bytearray(index.read_bytes())
        data[1000:] = os.urandom(len(data) - 1000)
        index.write_bytes(data)
    elif damage == "empty":
        index.write_bytes(b"")
    else:
        with sqlite3.connect(index) as db:
            db.execute("DROP TABLE tally")
            db.execute("DROP TABLE result")
        db.close()
    cache = opened()
    cache.get("a")
    cache.put("i", "s", result(0.9))
    cache.flush()
    cache.troubles()
    assert digests(cache.get("c").values) == dict(result(2 / 8).digests)
    other = opened()
    assert all(other.get(name) for name in "abcdefghi")
    assert other.verify().sound == 9


def test_the_index_of_a_later_weft_is_left_alone(root, opened):
    keep(opened, "a")
    with sqlite3.connect(root / "index.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    cache = opened()
    assert cache.get("a") is None
    cache.put("b", "s", result())
    cache.flush()
    (sentence,) = cache.troubles()
    assert "A newer version of Weft" in sentence
    cache.close()
    assert {p.name: p.read_bytes() for p in root.iterdir() if p.name in before} == before
    cleared = opened()
    cleared.clear()
    cleared.put("b", "s", result())
    cleared.flush()
    assert opened().get("b") is not None


def test_the_folder_is_removed_while_it_is_used(root, opened):
    cache, other = opened(), opened()
    for one in (cache, other):
        one.put("a", "s", result(0.1))
        one.flush()
        assert one.get("a")
    shutil.rmtree(root.parent)
    assert cache.get("a") is None
    for name, one in (("b", cache), ("c", other), ("d", cache)):
        one.put(name, "s", result(0.2))
        one.flush()
    assert opened().get("b")
    assert cache.get("c")
    assert other.get("d")
    assert cache.troubles() == other.troubles() == ()
    assert opened().verify().broken == 0


def test_a_file_where_the_folder_should_be(root, opened):
    root.parent.mkdir()
    root.write_text("mine")
    cache = opened()
    for name in "ab":
        cache.put(name, "s", result())
        cache.flush()
        assert cache.get(name) is None
    (sentence,) = cache.troubles()
    assert "a file stands where the folder should be. The run goes on without." in sentence
    assert root.read_text() == "mine"


@pytest.mark.parametrize("at", range(6))
def test_a_full_disk_costs_only_what_did_not_fit(root, opened, monkeypatch, at):
    """The system says that there is no room at the n-th sync; later there is room again."""
    keep(opened, "before")
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if at <= len(calls) - 1 < at + 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    cache = opened()
    for name in "abcdef":
        cache.put(name, "s", result(0.3))
        cache.flush()
    cache.close()
    assert [("the disk is full" in sentence) for sentence in cache.troubles()] == [True]
    monkeypatch.undo()
    other = opened()
    assert other.get("before")
    assert other.get("f")
    found = other.verify()
    assert (found.broken, found.orphans) == (0, 0)


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_no_file_may_grow(tmp_path):
    """A limit of the system, in a process of its own: the small result is kept, the big one not."""
    found = told(start("limited.py", "disk", tmp_path))
    assert found["here"] == ["small"]
    (sentence,) = found["told"]
    assert "a file would be larger than this system allows" in sentence
    assert len(entries(tmp_path / "results")) == 1


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    os.chmod(tmp_path, 0o755)
    found = told(start("limited.py", "user", folder))
    assert found["here"] == []
    (sentence,) = found["told"]
    assert "Results are not kept in the cache folder" in sentence
    assert list(folder.iterdir()) == []
