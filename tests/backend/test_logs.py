"""The log: several processes write to it at once, and it is put away when it is full."""

from __future__ import annotations

import multiprocessing
import os
import re

import pytest

from backend.logs import NAME, Log

HEAD = re.compile(r"== \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (\d+)\n")


def entries(log: Log) -> list[str]:
    """The texts of all entries, the oldest first."""
    whole = "".join(path.read_text() for path in log.files())
    return HEAD.split(whole)[2::2]


def test_an_entry_has_its_time_and_process(tmp_path):
    log = Log(tmp_path / "logs", 4096, 3)
    assert log.write("something\nwent wrong\n") == log.path
    head, rest = log.path.read_text().split("\n", 1)
    assert HEAD.fullmatch(head + "\n")[1] == str(os.getpid())
    assert rest == "something\nwent wrong\n"


def test_full_files_are_put_away_and_the_oldest_goes(tmp_path):
    log = Log(tmp_path, 4096, 2)
    for number in range(40):
        log.write(f"{number:04} " + "x" * 500)
    assert [path.name for path in log.files()] == [f"{NAME}.2", f"{NAME}.1", NAME]
    assert all(path.stat().st_size <= 4096 for path in log.files())
    numbers = [int(text[:4]) for text in entries(log)]
    assert numbers == list(range(numbers[0], 40))


def test_fewer_files_are_kept_when_that_is_wanted(tmp_path):
    for number in range(60):
        Log(tmp_path, 4096, 5).write(f"{number} " + "x" * 500)
    Log(tmp_path, 4096, 1).write("short")
    assert len(Log(tmp_path, 4096, 1).files()) == 2
    Log(tmp_path, 4096, 0).write("x" * 4000)
    assert len(Log(tmp_path, 4096, 0).files()) == 1


def test_an_entry_that_fills_more_than_a_file_loses_its_middle(tmp_path):
    log = Log(tmp_path, 4096, 2)
    log.write("begin" + "x" * 10_000 + "the end")
    text = log.path.read_text()
    assert len(text) <= 4096
    assert "begin" in text
    assert text.endswith("the end\n")
    assert "of these 10012 bytes" in text


def test_what_is_no_unicode_is_written_as_an_escape(tmp_path):
    log = Log(tmp_path, 4096, 2)
    log.write("half \udc80")
    assert log.path.read_text().endswith("half \\udc80\n")


def test_other_files_in_the_folder_stay(tmp_path):
    for name in (f"{NAME}.bak", f"{NAME}.0", "notes.txt"):
        (tmp_path / name).write_text("mine")
    for number in range(30):
        Log(tmp_path, 4096, 1).write(f"{number} " + "x" * 1000)
    assert (tmp_path / f"{NAME}.bak").read_text() == "mine"
    assert (tmp_path / f"{NAME}.0").read_text() == "mine"


def test_where_nothing_can_be_written_there_is_no_log(tmp_path):
    (tmp_path / "file").write_text("x")
    assert Log(tmp_path / "file", 4096, 2).write("text") is None


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_on_a_full_disk_there_is_no_log(tmp_path):
    (tmp_path / NAME).symlink_to("/dev/full")
    assert Log(tmp_path, 4096, 2).write("text") is None


def _write_many(folder, name, count, begin):
    log = Log(folder, 1024, 9000)
    begin.wait()
    for number in range(count):
        assert log.write(f"{name} {number} " + "y" * (number % 300)) is not None


def test_processes_that_write_at_once_lose_and_mangle_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(3)
    tasks = [context.Process(target=_write_many, args=(tmp_path, n, 300, begin)) for n in range(3)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    assert [task.exitcode for task in tasks] == [0] * 3
    log = Log(tmp_path, 1024, 9000)
    assert len(log.files()) > 100
    found = sorted(entries(log))
    expected = [f"{n} {i} " + "y" * (i % 300) + "\n" for n in range(3) for i in range(300)]
    assert found == sorted(expected)
