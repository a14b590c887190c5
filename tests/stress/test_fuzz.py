"""The short form of ``python -m tests.stress.fuzz``; the long one is run by hand."""

import pytest

from tests.stress.fuzz import Tally, fuzz
from tests.stress.targets import TARGETS, Images


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_inputs_are_answered_with_a_sentence(name):
    count = TARGETS[name].count // 100
    tally = fuzz(name, seed=7, count=count)
    assert tally.faults == []
    assert sum(tally.words.values()) == count
    assert len(tally.words) > 1  # neither all good nor all bad


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        ("import os; os.kill(os.getpid(), 11)", "ended the process (status -11)"),
        ("open('/etc/hostname').close()", "opened /etc/hostname"),
        ("import time; time.sleep(60)", "took more than"),
    ],
)
def test_the_fuzzer_sees_what_it_looks_for(monkeypatch, tmp_path, code, said):
    """A target with a fault, in the process that tries it."""
    (tmp_path / "faulty.py").write_text(
        "from tests.stress import targets\n"
        f"def attempt(self, data):\n    {code}\n    return 'fine'\n"
        "targets.Headers.attempt = attempt\n"
        "from tests.stress.fuzz import main\nmain()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("tests.stress.fuzz.MODULE", "faulty")
    monkeypatch.setattr("tests.stress.fuzz.LONGEST", 1.0)
    tally: Tally = fuzz("headers", seed=7, count=1)
    assert any(said in fault for fault in tally.faults), tally


def test_a_seed_makes_the_same_inputs_again(tmp_path):
    import random

    images = Images(tmp_path)
    assert images.make(random.Random("7/images/3")) == images.make(random.Random("7/images/3"))
    images.close()
