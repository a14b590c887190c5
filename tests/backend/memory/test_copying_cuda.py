"""Copies by a stream of their own on a GPU: the same bits, within the budget, mostly hidden."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.memory.copying import copier_for
from backend.memory.course import Visit
from backend.memory.reading import Reading
from backend.memory.residency import Residency
from backend.memory.sheet import Sheet
from backend.memory.skeleton import absent, assign, hollow
from backend.memory.source import Source, faces_of
from backend.memory.stored import stored_in

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

WIDTH, BLOCKS, PASSES = 2048, 24, 4
BLOCK = WIDTH * WIDTH * 4


class Block(nn.Module):
    """One matrix that is multiplied with again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(WIDTH, WIDTH))

    def forward(self, x: Tensor, times: int) -> Tensor:
        for _ in range(times):
            x = torch.tanh(x @ self.weight)
        return x


class Net(nn.Module):
    """Blocks one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))

    def forward(self, x: Tensor, times: int = 1) -> Tensor:
        for block in self.blocks:
            x = block(x, times)
        return x


class Bench:
    """The network of a file on the GPU under a budget."""

    def __init__(self, file: Path, budget: int) -> None:
        device = torch.device("cuda:0")
        source = Source(faces_of([file]))
        with hollow():
            self.net = Net()
        assign(self.net, absent(stored_in(file), source, torch.float32))
        self.copier = copier_for(device)
        self.reading = Reading(Sheet(self.net, source, device), self.copier)
        self.residency = Residency(budget, self.copier.trim)
        self.residency.add("net", self.net, self.reading)

    def run(self, x: Tensor, times: int = 1, passes: int = PASSES) -> tuple[Tensor, float]:
        """What a step of some passes gives, and its seconds."""
        torch.cuda.synchronize()
        begin = time.perf_counter()
        with torch.no_grad():
            self.residency.expect([Visit("net", passes)])
            self.residency.enter("net")
            for _ in range(passes):
                x = self.net(x, times)
            self.residency.leave()
        torch.cuda.synchronize()
        return x, time.perf_counter() - begin

    def close(self) -> None:
        self.residency.close()
        self.copier.settle()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    found = tmp_path_factory.mktemp("net") / "net.safetensors"
    scale = WIDTH**-0.5
    save_file(
        {f"blocks.{n}.weight": torch.randn(WIDTH, WIDTH) * scale for n in range(BLOCKS)}, found
    )
    return found


def input_of(rows: int) -> Tensor:
    return torch.linspace(-1, 1, rows * WIDTH).reshape(rows, WIDTH).cuda()


def test_a_model_of_twice_the_budget_gives_the_same_bits_within_it(file: Path) -> None:
    x = input_of(16)
    whole = Bench(file, 2 * BLOCKS * BLOCK)
    true, _ = whole.run(x)
    whole.close()
    budget = BLOCKS * BLOCK // 2
    half = Bench(file, budget)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_reserved()
    for _ in range(5):
        made, _ = half.run(x)
        assert torch.equal(made, true)
    assert torch.cuda.max_memory_reserved() - before <= 1.05 * budget
    half.close()
    assert half.copier.buffers.held == half.copier.buffers.spare == 0


def test_three_fifths_of_what_moving_takes_is_hidden_behind_computing(file: Path) -> None:
    x, times, passes = input_of(WIDTH), 40, 8
    whole = Bench(file, 2 * BLOCKS * BLOCK)
    whole.run(x, times, passes)
    _, computing = whole.run(x, times, passes)
    whole.close()
    half = Bench(file, BLOCKS * BLOCK // 2)
    half.run(x, times, passes)
    loaded = half.residency.loaded
    _, both = half.run(x, times, passes)
    moved = half.residency.loaded - loaded
    half.close()
    moving = moved * seconds_per_byte(half)
    assert moved >= (passes - 1) * BLOCKS * BLOCK // 4
    assert both - computing <= 0.4 * moving


def seconds_per_byte(bench: Bench) -> float:
    """What reading and copying takes while nothing computes, buffers being there."""
    names = list(bench.reading.sizes)
    for name in (*names[:4], None, *names[4:]):
        if name is None:
            begin = time.perf_counter()
            continue
        brought = bench.reading.bring(bench.reading.read((name,), lambda: None), 2**62)
        torch.cuda.synchronize()
        del brought
        bench.copier.begin()
    return (time.perf_counter() - begin) / (BLOCK * (len(names) - 4))
