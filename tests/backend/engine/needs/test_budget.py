"""How much memory an engine takes where nobody says."""

from __future__ import annotations

from backend.engine.needs import host_budget, machine_memory
from backend.engine.needs.budget import LEFT, free_memory


def test_weights_wait_in_half_of_what_is_free_and_never_in_all() -> None:
    most = max(0, machine_memory() - LEFT)
    assert 0 < free_memory() <= machine_memory()
    assert 0 <= host_budget() <= min(most, machine_memory() // 2)
    assert host_budget(2**60) == most
    assert host_budget(1) == min(1, most)
