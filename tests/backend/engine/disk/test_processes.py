"""Real processes over one folder: side by side, killed, and one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.engine.disk import DiskCache
from tests.backend.engine.disk.conftest import entries, result

ROOT = Path(__file__).resolve().parents[4]
HERE = Path(__file__).resolve().parent


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(HERE / program), *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def told(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate("\n", timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its writers")
def test_kills_at_random_moments_leave_nothing_broken_and_nothing_over(tmp_path):
    found = told(start("killed.py", tmp_path, 4, 30))
    assert found["right"] > 100  # what was put before a kill is there after it
    assert {name: found[name] for name in ("wrong", "left_over", "broken", "told", "locks")} == {
        "wrong": 0,
        "left_over": 0,
        "broken": 0,
        "told": 0,
        "locks": 0,
    }


def test_processes_share_a_folder(tmp_path):
    three = [start("putter.py", tmp_path, name, 150) for name in "abc"]
    for process in three:
        process.stdin.write("\n")
        process.stdin.flush()
    found = [told(process) for process in three]
    assert [(one["wrong"], one["told"]) for one in found] == [(0, [])] * 3
    assert min(one["read"] for one in found) > 20
    cache = DiskCache(tmp_path / "results", 10**9, 0.5)
    held = cache.info()
    assert held.entries == len(entries(tmp_path / "results"))
    assert cache.verify().broken == cache.verify().orphans == 0
    cache.close()


def test_what_a_living_process_is_writing_stays(root, opened):
    """A file without a row belongs to a writer that is alive: no sweep takes it."""
    cache = opened()
    cache.put("k", "s", result())
    cache.flush()
    (token,) = {p.name[6:22] for p in root.glob(".weft-*.intent")}
    (root / f"{token}-99.part").write_bytes(b"half")
    (root / "0123456789abcdef-1.part").write_bytes(b"of a dead one")
    other = opened()
    assert other.verify().orphans == 1
    assert (root / f"{token}-99.part").exists()
    cache.close()
    assert other.verify().orphans == 2
    assert not (root / f"{token}-99.part").exists()
