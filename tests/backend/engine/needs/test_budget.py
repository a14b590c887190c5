"""How much memory an engine takes where nobody says."""

from __future__ import annotations

from pathlib import Path

from backend.cli.run import Wish
from backend.engine.engine import make_store
from backend.engine.needs import host_budget, machine_memory
from backend.engine.needs.budget import LEFT, free_memory
from backend.models.store import Store
from backend.settings import load


def test_weights_wait_in_half_of_what_is_free_and_never_in_all() -> None:
    most = max(0, machine_memory() - LEFT)
    assert 0 < free_memory() <= machine_memory()
    assert 0 <= host_budget() <= min(most, machine_memory() // 2)
    assert host_budget(2**60) == most
    assert host_budget(1) == min(1, most)


def test_what_was_asked_for_reaches_the_store(tmp_path: Path) -> None:
    """From the setting through the command's wish to the store of a GPU; a CPU is its own host."""
    asked = 100 * 2**20
    settings = load(tmp_path / "none.toml", {}, {"run.host_memory": "100MiB"}).settings
    assert Wish.of(settings).host_memory == asked
    gpu, cpu = make_store("cuda:0", 2**20, asked), make_store("cpu", 2**20, asked)
    assert isinstance(gpu, Store)
    assert isinstance(cpu, Store)
    assert gpu.residency.copies.budget == host_budget(asked)
    assert cpu.residency.copies.budget == 0
    gpu.close()
    cpu.close()
