"""A decoding worker does not outlive who asked it, even where it waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[4]
ASKS = """
import os, subprocess, sys
worker = subprocess.Popen(
    [sys.executable, "-P", "-m", "backend.media.film", sys.argv[1], str(os.getpid())],
    stdin=int(sys.argv[2]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    start_new_session=True,
)
print(worker.pid)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process there has no parent to lose")
def test_a_worker_whose_asker_was_killed_ends(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing is read of this")
    read, write = os.pipe()  # held open here, so that the worker never sees an end
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASKS, str(tmp_path / "a.mp4"), str(read)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=(read,), capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        worker = int(done.stdout)
        if psutil.pid_exists(worker):
            psutil.Process(worker).wait(timeout=60)
        assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie"
    finally:
        os.close(read)
        os.close(write)
