"""Weights that stay in host memory while they are not on the device: how often files are read, and
that the bits and the budgets stay what they are."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.catalog.errors import CatalogError
from backend.memory import residency as residencies
from backend.memory import sheet as sheets
from backend.memory.buffers import Buffers
from backend.memory.copies import Copies
from backend.memory.course import Course, Visit, lay
from backend.memory.residency import Residency
from tests.backend.memory.bench import BLOCKS, PIN, Bench, X, play, resident, write_files
from tests.backend.memory.networks import BLOCK, Kept, Stack
from tests.backend.memory.streams import Machine

PARTS = BLOCKS + 1
"""Of one network, each of which takes ``PIN`` bytes of host memory."""
ROOM = 5 * BLOCK
"""A device that holds three blocks beside what lies between them."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_files(tmp_path_factory.mktemp("nets"))


def run(bench: Bench, key: str, passes: int) -> bool:
    """A step of some passes; whether what came out is right."""
    true = resident(key[:3], "ab".index(key[3]))
    with bench.machine.computing(), torch.no_grad():
        bench.residency.expect([Visit(key, passes)])
        bench.residency.enter(key)
        made = [bench.nets[key](X) for _ in range(passes)]
        bench.residency.leave()
    bench.machine.synchronize()
    return all(torch.equal(each, true(X)) for each in made)


def planned(monkeypatch: pytest.MonkeyPatch) -> list[Course]:
    """The plans that are followed from now on."""
    found: list[Course] = []

    def noted(*given: Any) -> Course:
        found.append(lay(*given))
        return found[-1]

    monkeypatch.setattr(residencies, "lay", noted)
    return found


def test_a_model_smaller_than_host_memory_is_read_once_and_stays_for_the_next_run(
    files: dict[str, Path],
) -> None:
    bench = Bench([files["F32a"]], ROOM, 2 * PARTS, 0, host=PARTS * PIN)
    assert all(run(bench, "F32a", 5) for _ in range(3))
    assert set(bench.read.values()) == {1}
    assert len(bench.read) == BLOCKS + 2
    assert bench.residency.loaded > 3 * BLOCKS * BLOCK
    assert bench.residency.copies.read == (BLOCKS + 2) * BLOCK
    assert bench.copier.buffers.peak <= PARTS * PIN
    told = bench.residency.resident()
    assert told["F32a in host memory"] == bench.residency.copies.held == PARTS * PIN
    bench.close()


@pytest.mark.parametrize("parts", [3, 4, 5])
def test_half_a_model_is_read_as_often_as_planned(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    courses = planned(monkeypatch)
    bench = Bench([files["F32a"]], ROOM, 8, 0, host=parts * PIN)
    assert run(bench, "F32a", 6)
    (course,) = courses
    reads = sum(len(o.part.names) for o in course.orders if o.kind == "read")
    loads = sum(len(o.part.names) for o in course.orders if o.kind == "load")
    assert BLOCKS + 2 < bench.read.total() <= reads < loads
    assert bench.copier.buffers.peak <= parts * PIN
    bench.close()


def test_more_host_memory_reads_less(files: dict[str, Path]) -> None:
    found = []
    for parts in range(PARTS + 1):
        bench = Bench([files["F32a"]], ROOM, 8, 0, host=parts * PIN)
        assert run(bench, "F32a", 8)
        found.append(bench.read.total())
        bench.close()
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[-1]
    assert found[-1] == BLOCKS + 2


def test_without_host_memory_every_load_reads(files: dict[str, Path]) -> None:
    bench = Bench([files["F32a"]], ROOM, 8, 0)
    assert run(bench, "F32a", 5)
    assert bench.read.total() * BLOCK == bench.residency.loaded
    assert bench.residency.copies.held == 0
    bench.close()


def test_what_fits_on_the_device_is_not_kept_twice(files: dict[str, Path]) -> None:
    bench = Bench([files["F32a"]], 100 * BLOCK, 8, 0, host=100 * PIN)
    assert run(bench, "F32a", 3)
    assert bench.residency.copies.held == 0
    bench.close()


def test_where_the_device_computes_in_host_memory_there_is_no_second_copy() -> None:
    residency = Residency(5 * BLOCK, host=2**40)
    net, true = Stack(BLOCKS), Stack(BLOCKS)
    kept = Kept(net)
    residency.add("net", net, kept)
    residency.expect([Visit("net", 4)])
    residency.enter("net")
    with torch.no_grad():
        assert all(torch.equal(net(X), true(X)) for _ in range(4))
    residency.leave()
    assert residency.copies.held == 0
    assert list(residency.resident()) == ["net"]
    residency.close()


def test_copies_make_way_where_the_system_has_no_more_memory(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench([files["F32a"]], ROOM, 32, 0, host=PARTS * PIN)
    take, most = bench.copier.buffers.take, 4 * PIN

    def scarce(nbytes: int) -> torch.Tensor:
        if bench.copier.buffers.used + PIN > most:
            raise MemoryError
        return take(nbytes)

    monkeypatch.setattr(bench.copier.buffers, "take", scarce)
    assert run(bench, "F32a", 4)
    assert bench.copier.buffers.peak <= most
    bench.close()


def test_what_is_let_go_of_goes_back_to_the_system() -> None:
    told = []
    machine = Machine(0)
    buffers = Buffers(2**30, machine.host.take, freed=lambda: told.append(machine.host.used))
    held = [buffers.take(PIN) for _ in range(3)]
    assert buffers.used == buffers.peak == machine.host.used == 3 * PIN
    del held
    assert buffers.spare == 3 * PIN
    assert not told
    buffers.trim(PIN)
    assert told == [PIN]


def test_buffers_that_wait_to_be_used_again_count_too() -> None:
    buffers = Buffers(2**30, Machine(0).host.take)
    buffers.most = 4 * PIN
    held = [buffers.take(PIN) for _ in range(3)]
    del held
    assert len(buffers.take(2 * PIN)) == 2 * PIN
    assert buffers.peak <= 4 * PIN


def test_two_models_take_turns_in_host_memory(files: dict[str, Path]) -> None:
    bench = Bench([files["F32a"], files["F32b"]], ROOM, 32, 0, host=2 * PARTS * PIN)
    assert all(run(bench, key, 3) for key in ("F32a", "F32b", "F32a", "F32b"))
    assert set(bench.read.values()) == {1}
    bench.residency.remove("F32a")
    assert list(bench.residency.copies.resident()) == ["F32b"]
    bench.residency.clear()
    assert bench.residency.copies.held == 0
    assert run(bench, "F32b", 2)
    bench.close()


def test_a_copy_whose_file_changed_is_not_used(files: dict[str, Path], tmp_path: Path) -> None:
    see_changes(files, tmp_path)


def see_changes(files: dict[str, Path], tmp_path: Path) -> None:
    """Change a file while parts of it stay in host memory, and expect to be told."""
    for change in ("time", "cut", "gone"):
        file = Path(shutil.copy(files["F32a"], tmp_path / f"{change}.safetensors"))
        bench = Bench([file], ROOM, 32, 0, host=PARTS * PIN)
        with bench.machine.computing(), torch.no_grad():
            bench.residency.expect([Visit(change, 100)])
            bench.residency.enter(change)
            bench.nets[change](X)
            bench.nets[change](X)
            assert bench.residency.copies.held
            alter(file, change)
            with pytest.raises(CatalogError, match=change):
                [bench.nets[change](X) for _ in range(3)]
            bench.residency.leave()
        assert bench.residency.copies.held == 0
        bench.close()


def alter(file: Path, how: str) -> None:
    if how == "gone":
        return file.unlink()
    if how == "cut":
        os.truncate(file, 1000)
    about = file.stat()
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 10**9))


@settings(max_examples=40, deadline=None)
@given(
    form=st.sampled_from(["F32", "F16"]),
    hold=st.booleans(),
    room=st.integers(3, 14),
    pins=st.integers(1, 2 * PARTS),
    parts=st.integers(1, 2 * PARTS),
    told=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_kept_the_bits_are_those_of_what_is_resident_within_both_budgets(
    files: dict[str, Path], form: str, hold: bool, room: int, pins: int, parts: int, told: bool,
    seed: int,
) -> None:  # fmt: skip
    assert right(files, form, hold, room, pins, parts, told, seed)


def right(
    files: dict[str, Path], form: str, hold: bool, room: int, pins: int, parts: int, told: bool,
    seed: int,
) -> bool:  # fmt: skip
    """Play steps that are drawn; whether all is right and never more was taken."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "WIDEN", -1 if hold else 2**40)
        nets = [files[form + "a"], files[form + "b"]]
        bench = Bench(nets, room * BLOCK, pins, seed, host=parts * PIN)
        same = play(bench, form, random.Random(seed), told)
        kept = bench.residency.copies.held
        bench.close()
        over = BLOCK if form == "F16" and not hold else 0
        within = bench.machine.device.peak <= room * BLOCK + over
        # A weight that is used outside of its part, for that once, is read beside all others.
        beside = PIN
        return (
            same
            and within
            and kept <= parts * PIN
            and bench.copier.buffers.peak <= beside + parts * PIN
        )


class Unbounded(Copies):
    """Nothing goes for what comes, and all stays."""

    def _make_room(self, part: Any) -> None:
        pass

    def _may_stay(self, part: Any) -> bool:
        return self.keeps


class Trusting(Copies):
    """Nobody looks whether the file of a copy is still the same."""

    def fetch(self, part: Any, check: Any) -> Any:
        copy = self._copies.get(part)
        return super().fetch(part, check) if copy is None else (copy.raws, 0.0)


def test_a_budget_that_is_not_kept_is_noticed(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residencies, "Copies", Unbounded)
    assert not all(right(files, "F32", False, 4, 16, 3, told=True, seed=seed) for seed in range(10))


def test_a_copy_that_is_trusted_is_noticed(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residencies, "Copies", Trusting)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        see_changes(files, tmp_path)
