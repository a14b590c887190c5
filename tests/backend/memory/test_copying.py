"""Copies by a stream of their own, on a device that carries out what it is asked for later and in
an order that is drawn: nothing is used half copied, and no memory is used again too early."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backend.memory import sheet as sheets
from backend.memory.buffers import Buffers
from backend.memory.copying import AtOnce, Brought, ByStream, Made, copier_for
from backend.memory.course import Visit
from backend.memory.parts import Check
from backend.memory.sheet import Sheet
from backend.memory.skeleton import absent, assign, hollow
from backend.memory.source import Source, faces_of
from backend.memory.stored import stored_in
from tests.backend.memory.bench import (
    BLOCKS,
    CPU,
    PIN,
    Bench,
    X,
    copier_on,
    hollow_net,
    play,
    resident,
    write_files,
)
from tests.backend.memory.networks import BLOCK, Stack
from tests.backend.memory.streams import Machine


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_files(tmp_path_factory.mktemp("nets"))


@settings(max_examples=40, deadline=None)
@given(
    form=st.sampled_from(["F32", "F16"]),
    hold=st.booleans(),
    room=st.integers(3, 14),
    pins=st.integers(1, 4),
    told=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_whatever_comes_when_the_bits_are_those_of_what_is_resident(
    files: dict[str, Path], form: str, hold: bool, room: int, pins: int, told: bool, seed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "WIDEN", -1 if hold else 2**40)
        bench = Bench([files[form + "a"], files[form + "b"]], room * BLOCK, pins, seed)
        assert play(bench, form, random.Random(seed), told)
        bench.close()
        # What is widened as it comes takes its stored bytes beside it for a moment.
        over = BLOCK if form == "F16" and not hold else 0
        assert bench.machine.device.peak <= room * BLOCK + over
        assert bench.machine.host.peak <= pins * PIN


class Unawaited(ByStream):
    """What computes does not wait for a copy."""

    def meet(self, brought: Brought) -> Mapping[str, Tensor]:
        self.begin()
        return brought.weights


class Unkept(ByStream):
    """What was read is given back while it is copied."""

    def bring(self, raws: Mapping[str, Tensor], made: Made, spare: int) -> Brought:
        brought = super().bring(raws, made, spare)
        self._copies.clear()
        return brought


class Unrecorded(ByStream):
    """The allocator is not told who computes with weights."""

    def left(self, weights: list[Tensor]) -> None:
        self._record = lambda weight, stream: None
        super().left(weights)


class Unordered(ByStream):
    """A thread that computes does not come after the one before."""

    def begin(self) -> None:
        self._computing = self._streams.current_stream(self._device)


class Crowding(ByStream):
    """Copies do not wait for room."""

    def _wait_for_room(self, spare: int) -> None:
        pass


def raw(copier: ByStream, value: float) -> dict[str, Tensor]:
    """What was read, in a buffer of the copier."""
    found = copier.buffers.take(BLOCK)
    found.numpy().view(np.float32)[:] = value
    return {"w": found}


def same(name: str, raw: Tensor) -> Tensor:
    return raw


def handed_on(kind: type[ByStream], seed: int) -> bool:
    """One stream meets a weight, another one computes with it, it is let go of, and the next comes
    into its place; whether both compute with what they should."""
    machine = Machine(seed)
    copier, out = copier_on(machine, kind), []
    with machine.computing(machine.Stream()):
        met = dict(copier.meet(copier.bring(raw(copier, 1.0), same, 0)))
    with machine.computing():
        copier.begin()
        out.append(met["w"].view(torch.float32) * 2)
        copier.left([met.pop("w")])
        met = dict(copier.meet(copier.bring(raw(copier, 2.0), same, 2**40)))
        out.append(met["w"].view(torch.float32) * 2)
    machine.synchronize()
    copier.settle()
    return bool((out[0] == 2).all() and (out[1] == 4).all())


def streamed(kind: type[ByStream], seed: int, files: dict[str, Path]) -> bool:
    """Two networks of which one fits; whether all is right, and never more was taken."""
    room = (4 + seed % 5) * BLOCK
    bench = Bench([files["F32a"], files["F32b"]], room, 2, seed, kind)
    right = play(bench, "F32", random.Random(seed), told=bool(seed % 2))
    bench.residency.close()
    return right and bench.machine.device.peak <= room


def test_a_weight_goes_from_stream_to_stream_and_its_room_to_the_next() -> None:
    assert all(handed_on(ByStream, seed) for seed in range(100))


@pytest.mark.parametrize("kind", [Unawaited, Unkept, Unrecorded, Unordered, Crowding])
def test_an_order_that_is_left_out_is_noticed(files: dict[str, Path], kind: type[ByStream]) -> None:
    right = all(handed_on(kind, seed) for seed in range(100))
    assert not (right and all(streamed(kind, seed, files) for seed in range(40)))


def test_another_stream_computes_with_what_came_for_the_first(files: dict[str, Path]) -> None:
    true = resident("F32", 0)(X)
    for seed in range(20):
        bench = Bench([files["F32a"]], 100 * BLOCK, 8, seed)
        with bench.machine.computing():
            bench.residency.enter("F32a")
            bench.residency.leave()
        with bench.machine.computing(bench.machine.Stream()), torch.no_grad():
            bench.residency.enter("F32a")
            found = bench.nets["F32a"](X)
            bench.residency.leave()
        bench.machine.synchronize()
        assert torch.equal(found, true)
        bench.close()


def test_a_step_that_is_cancelled_while_weights_come_leaves_nothing(files: dict[str, Path]) -> None:
    class Cancel(Exception):
        """Raised by the check."""

    for seed in range(10):
        bench = Bench([files["F32a"]], 4 * BLOCK, 2, seed)
        left = [seed]

        def check(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Cancel

        def step(bench: Bench = bench, check: Check = check) -> None:
            bench.residency.expect([Visit("F32a", 100)])
            bench.residency.enter("F32a", check)
            for _ in range(100):
                bench.nets["F32a"](X)

        with bench.machine.computing(), torch.no_grad(), pytest.raises(Cancel):
            step()
        bench.residency.leave()
        bench.close()


def test_a_read_that_is_given_up_between_chunks_gives_its_pinned_memory_back(
    files: dict[str, Path],
) -> None:
    copier = copier_on(Machine(0), ByStream)
    _, sheet = hollow_net(files["F32a"])

    def check() -> None:
        assert copier.buffers.held
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sheet.read(sheet.sizes, check, copier.buffers)
    assert copier.buffers.held == 0


def test_a_device_that_is_full_leaves_nothing_on_its_way(files: dict[str, Path]) -> None:
    machine = Machine(0)
    copier = copier_on(machine, ByStream)

    def made(name: str, raw: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("the device is full")

    with pytest.raises(torch.OutOfMemoryError):
        copier.bring(raw(copier, 1.0), made, 0)
    copier.settle()
    assert copier.buffers.held == machine.host.used == machine.device.used == 0


def test_pinned_memory_is_bounded_and_comes_back_by_waiting() -> None:
    machine = Machine(0)
    copier = copier_on(machine, ByStream, pins=2)
    for value in range(9):
        copier.bring(raw(copier, value), same, 2**40)
        assert copier.buffers.held + copier.buffers.spare <= 2 * PIN
    held = [copier.buffers.take(PIN) for _ in range(3)]  # the third is ordinary memory
    assert machine.host.used == copier.buffers.held == 2 * PIN
    assert len(held[2]) == PIN


def test_where_nothing_can_be_pinned_ordinary_memory_serves_and_the_log_says_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def pin(nbytes: int) -> Tensor:
        raise RuntimeError("CUDA error: out of memory\nmore about it")

    buffers = Buffers(2**30, pin)
    for _ in range(3):
        assert len(buffers.take(1000).fill_(1)) == 1000
    assert buffers.held == buffers.spare == 0
    (line,) = caplog.messages
    assert "can be pinned, so weights come from ordinary memory" in line
    assert line.endswith("(CUDA error: out of memory).")


def test_weights_are_where_the_module_computes_before_they_come(files: dict[str, Path]) -> None:
    """A weight that is absent, or held as stored, says that it is on the device."""
    source = Source(faces_of([files["F16a"]]))
    with hollow():
        net = Stack(BLOCKS)
    assign(net, absent(stored_in(files["F16a"]), source, torch.float32))
    meta = torch.device("meta")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "WIDEN", -1)
        sheet = Sheet(net, source, meta)
    assert {p.device for p in net.parameters()} == {meta}
    assert net(X.to(meta)).device == meta
    sheet.fill()
    assert net(X.to(meta)).device == meta


def test_the_way_of_a_device() -> None:
    assert isinstance(copier_for(CPU), AtOnce)
    assert isinstance(copier_for(torch.device("mps")), AtOnce)
    if torch.cuda.is_available():
        assert isinstance(copier_for(torch.device("cuda:0")), ByStream)
