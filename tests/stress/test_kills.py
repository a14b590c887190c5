"""The short form of ``python -m tests.stress.kills``; the long one is run by hand."""

import sys

import pytest

from tests.stress.kills import stress


@pytest.mark.skipif(sys.platform == "win32", reason="it kills by signals")
def test_each_job_ends_once_whatever_is_killed(tmp_path):
    assert stress(tmp_path, jobs=5, host=5, everything=2, seed=7) == []
