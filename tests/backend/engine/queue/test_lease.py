"""A lease lives as long as its runner, whoever sweeps beside it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from backend.engine.queue.lease import Lease, is_alive, sweep


def test_a_lease_is_alive_until_it_is_let_go_of(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "runners")
    assert is_alive(tmp_path / "runners", lease.token)
    lease.release()
    assert not is_alive(tmp_path / "runners", lease.token)
    assert os.listdir(tmp_path / "runners") == []


def test_only_leases_of_the_dead_are_swept(tmp_path: Path) -> None:
    (tmp_path / "0123456789abcdef.lease").touch()
    lease = Lease(tmp_path)
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [f"{lease.token}.lease"]
    lease.release()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on open files")
def test_a_runner_of_which_nothing_can_be_told_counts_as_alive(tmp_path: Path) -> None:
    import resource

    lease = Lease(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # so that no file can be opened
    try:
        alive = is_alive(tmp_path, lease.token)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert alive
    lease.release()


def test_a_lease_that_is_taken_while_others_sweep_is_never_swept(tmp_path: Path) -> None:
    over = threading.Event()

    def sweeper() -> None:
        while not over.is_set():
            sweep(tmp_path)

    threads = [threading.Thread(target=sweeper) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            lease = Lease(tmp_path)
            sweep(tmp_path)
            assert is_alive(tmp_path, lease.token)
            lease.release()
    finally:
        over.set()
        for thread in threads:
            thread.join()
