"""A lock on a file is dropped with the process that holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from backend.locks import is_at, is_free, lock, try_lock

HOLDER = """
import os, sys
from backend.locks import lock
lock(os.open(sys.argv[1], os.O_RDWR))
print("locked", flush=True)
sys.stdin.read()
"""


def test_others_see_a_lock_until_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"locked"
        file = os.open(path, os.O_RDWR)
        assert not is_free(file)
        assert not try_lock(file)
        holder.kill()
        holder.wait()
        assert is_free(file)
        assert try_lock(file)
        os.close(file)


def test_a_locked_file_can_be_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    lock(file)
    os.write(file, b"content")
    assert path.read_bytes() == b"content"
    os.close(file)


def test_a_file_that_was_replaced_is_not_the_one_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    assert is_at(file, path)
    path.rename(tmp_path / "other")
    assert not is_at(file, path)
    path.touch()
    assert not is_at(file, path)
    os.close(file)
