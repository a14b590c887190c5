"""A kill of everything at any moment: afterwards each job is done once, with each file once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the killer forks itself")


def killed(folder: Path, *how: object) -> list[dict]:
    """What was found after each kill; one process after another, real ones, killed for real."""
    command = [sys.executable, "-m", "tests.backend.engine.queue.killer", str(folder)]
    done = subprocess.run(
        [*command, *map(str, how)], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_whatever_moment_a_kill_comes_every_job_ends_once_with_every_file_once(tmp_path, step):
    found = killed(tmp_path, "each", step)
    assert len(found) > 100 // step  # moments between two acts on the disk
    # A loaded machine takes a few acts more or fewer than were counted: the last may not come.
    assert sum(each["killed"] for each in found) >= len(found) - 2
    wrong = [each for each in found if each["wrong"]]
    assert not wrong, wrong[:3]


def test_several_kills_in_a_row_do_no_more_harm_than_one(tmp_path):
    found = killed(tmp_path, "random", 6)
    assert sum(each["killed"] for each in found) >= len(found) - 1
    wrong = [each for each in found if each["wrong"]]
    assert not wrong, wrong[:3]
