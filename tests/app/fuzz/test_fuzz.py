"""The short form of ``python -m tests.stress.studio``; the long one is run by hand."""

from __future__ import annotations

import pytest

from backend.engine.registry import scan_nodes
from tests.app.fuzz.driver import Driver, Fault


@pytest.fixture(scope="module")
def specs():
    return scan_nodes().specs


@pytest.fixture
def drive(specs, tmp_path, monkeypatch):
    made = []
    for name in ("CACHE", "DATA", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))

    def begin(seed: int) -> Driver:
        made.append(Driver(specs, tmp_path, seed))
        return made[-1]

    yield begin
    for driver in made:
        driver.close()


def test_whatever_hands_do_the_studio_stays_whole(drive):
    driver = drive(11)
    driver.go(300, look=50)
    driver.end()
    assert driver.edits > 60
    assert len(driver.did) > 35


def test_the_hand_sees_what_it_looks_for(drive):
    """A slot that raises, and a board that does not follow."""
    driver = drive(3)
    driver.window.services.documents.current_changed.connect(lambda: 1 / 0)
    driver.window.services.documents.new()
    with pytest.raises(Fault) as caught:
        driver.go(1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    driver.faults.clear()
    driver.window.services.documents.look_at(next(iter(driver.window.services.documents)))
    driver.faults.clear()
    next(iter(driver.canvas.board.nodes.values())).x += 8
    with pytest.raises(Fault, match="on the board"):
        driver.check()
